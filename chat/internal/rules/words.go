package rules

import (
	"unicode/utf8"

	"barrage/chat/internal/text"
)

// Words finds blocked words inside the key of a comment: a trie that may be entered
// at every rune of the key. Its edges lie in one open hash table, because a map costs
// ten times as much; a filter of the words' first three runes, small enough for the
// nearest cache, keeps nearly every rune of a harmless comment away from it.
type Words struct {
	starts [1 << 10]uint64 // filter: up to three first runes
	length [4]bool         // there are words of one rune, of two, of more
	edges  []edge          // a power of two, at most half of it in use
	shift  int             // 64 - log2 of len(edges)
	count  int
}

// edge leads from one node over a rune to another. Nodes are numbered from 1,
// the root; 0 = the slot is free.
type edge struct {
	from, to int32
	r        rune
	ends     bool // a word
}

// NewWords makes a matcher for words as they were typed.
func NewWords(words []string) *Words {
	keys := make([][]rune, 0, len(words))
	runes := 0
	for _, word := range words {
		key := []rune(string(text.AppendKey(nil, text.Clean(word))))
		keys = append(keys, key)
		runes += len(key)
	}
	size, shift := 64, 64-6
	for size < 2*runes {
		size, shift = size*2, shift-1
	}
	w := &Words{edges: make([]edge, size), shift: shift}
	for _, key := range keys {
		w.add(key)
	}
	return w
}

func (w *Words) add(key []rune) {
	if len(key) == 0 {
		return
	}
	first := [3]rune{}
	n := copy(first[:], key)
	w.length[n] = true
	h := start(first)
	w.starts[h>>6] |= 1 << (h & 63)
	node := int32(1)
	for i, r := range key {
		e := w.find(node, r)
		if e.from == 0 {
			w.count++
			*e = edge{from: node, to: int32(w.count) + 1, r: r}
		}
		e.ends = e.ends || i == len(key)-1
		node = e.to
	}
}

// find returns the edge from node over r, or the free slot where it would be.
func (w *Words) find(node int32, r rune) *edge {
	// Fibonacci hashing: the high bits of the product are the mixed ones.
	h := (uint64(node)<<32 | uint64(r)) * 0x9e3779b97f4a7c15
	for at := h >> w.shift; ; at = (at + 1) & uint64(len(w.edges)-1) {
		if e := &w.edges[at]; e.from == 0 || e.from == node && e.r == r {
			return e
		}
	}
}

// start is a place in the filter.
func start(first [3]rune) uint32 {
	return (uint32(first[0])*0x9e3779b1 ^ uint32(first[1])*0x85ebca6b ^ uint32(first[2])*0xc2b2ae35) >> 16
}

// may reports whether a word may start with the first runes of key.
func (w *Words) may(key []byte) bool {
	var first [3]rune
	for n := 1; n <= 3 && len(key) > 0; n++ {
		r, size := rune(key[0]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(key)
		}
		first[n-1], key = r, key[size:]
		if w.length[n] {
			if h := start(first); w.starts[h>>6]&(1<<(h&63)) != 0 {
				return true
			}
		}
	}
	return false
}

// In reports whether key, as text.AppendKey made it, has a blocked word in it.
func (w *Words) In(key []byte) bool {
	for len(key) > 0 {
		if w.may(key) && w.begins(key) {
			return true
		}
		size := 1
		if key[0] >= utf8.RuneSelf {
			_, size = utf8.DecodeRune(key)
		}
		key = key[size:]
	}
	return false
}

// begins reports whether a word stands at the begin of key.
func (w *Words) begins(key []byte) bool {
	for node := int32(1); len(key) > 0; {
		r, size := utf8.DecodeRune(key)
		e := w.find(node, r)
		if e.from == 0 || e.ends {
			return e.ends
		}
		node, key = e.to, key[size:]
	}
	return false
}
