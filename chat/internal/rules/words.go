package rules

import (
	"unicode/utf8"

	"barrage/chat/internal/text"
)

// Words finds blocked words inside the key of a comment: a trie that is entered at
// every rune of the key. Its edges lie in one open hash table, because a map costs
// ten times as much for each rune of each comment.
type Words struct {
	edges []edge // a power of two, at most half of it in use
	count int
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
	size := 64
	for size < 2*runes {
		size *= 2
	}
	w := &Words{edges: make([]edge, size)}
	for _, key := range keys {
		w.add(key)
	}
	return w
}

func (w *Words) add(key []rune) {
	node := int32(1)
	for i, r := range key {
		e := w.find(node, r)
		if e.from == 0 {
			w.count++
			*e = edge{from: node, to: int32(w.count) + 1, r: r} //nolint:gosec // at most MaxWords × MaxWord
		}
		e.ends = e.ends || i == len(key)-1
		node = e.to
	}
}

// find returns the edge from node over r, or the free slot where it would be.
func (w *Words) find(node int32, r rune) *edge {
	mask := uint32(len(w.edges) - 1)                        //nolint:gosec // a length
	h := (uint32(node)*0x9e3779b1 ^ uint32(r)) * 0x85ebca6b //nolint:gosec // a hash
	for at := (h ^ h>>15) & mask; ; at = (at + 1) & mask {
		if e := &w.edges[at]; e.from == 0 || e.from == node && e.r == r {
			return e
		}
	}
}

// In reports whether key, as text.AppendKey made it, has a blocked word in it.
func (w *Words) In(key []byte) bool {
	for len(key) > 0 {
		if w.begins(key) {
			return true
		}
		_, size := utf8.DecodeRune(key)
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
