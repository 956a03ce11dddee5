package chat

import (
	"time"

	"barrage/chat/internal/text"

	"github.com/cespare/xxhash/v2"
)

const (
	comboBucket = int64(2000)      // ms of picture in which the same words are one shout
	comboSlack  = 10 * time.Second // beyond the window, for what is on its way
	maxCombos   = 1 << 16          // keys a room remembers
	maxTurns    = 1 << 16          // authors whose last turn a room remembers
)

// hash is the hash of b that all nodes agree on, and of which nobody outside can
// know beforehand what will collide in it. It is never 0.
func (h *Hub) hash(b []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(h.seed)
	_, _ = d.Write(b) // never fails
	return max(d.Sum64(), 1)
}

// key appends what the comment is merged by to scratch, and returns that and its hash.
func (h *Hub) key(scratch []byte, words string, pdt int64) (uint64, []byte) {
	b := text.AppendKey(scratch, words)
	for bucket := uint64(pdt / comboBucket); bucket > 0; bucket >>= 8 {
		b = append(b, byte(bucket))
	}
	return h.hash(b), b
}

// comboTable is what a room knows of keys whose moment has not passed. Every
// node keeps the same one, out of partials that ticks have confirmed and of the ticks
// themselves; a node that missed some learns the totals with the next tick.
type comboTable map[uint64]combo

// combo is one key.
type combo struct {
	id    string // of the comment that stands for it; empty when none was shown
	total uint64 // comments of this key in ticks
	born  time.Duration
}

// add counts n comments of a key.
func (t comboTable) add(key, n uint64, now time.Duration) {
	c, known := t[key]
	if !known {
		c.born = now
	}
	c.total += n
	t[key] = c
}

// show notes that the comment id stands for key, and what the leader counts. A
// leader who has not heard everything counts less than others.
func (t comboTable) show(key uint64, id string, total uint64, now time.Duration) {
	c, known := t[key]
	if !known {
		c.born = now
	}
	c.id, c.total = id, max(c.total, total)
	t[key] = c
}

// sweep forgets keys that nobody can say any more, and when that leaves more
// than most, those that matter least: what was said once and not shown, then what was not
// shown, then everything.
func (t comboTable) sweep(now, keep time.Duration, most int) {
	for key, c := range t {
		if now-c.born >= keep {
			delete(t, key)
		}
	}
	for _, dispensable := range []func(combo) bool{
		func(c combo) bool { return c.id == "" && c.total == 1 },
		func(c combo) bool { return c.id == "" },
		func(combo) bool { return true },
	} {
		if len(t) <= most {
			return
		}
		for key, c := range t {
			if dispensable(c) {
				delete(t, key)
			}
		}
	}
}

// turnTable says when an author was last shown, by the hash of his id: the time
// of that tick. Every node keeps the same one, out of the ticks.
type turnTable map[uint64]int64

// sweep forgets the turns that are longest ago: those authors are next anyway.
func (t turnTable) sweep(now int64, most int) {
	for age := 2 * longestWait; len(t) > most && age > 0; age /= 2 {
		for author, at := range t {
			if at+age.Milliseconds() <= now {
				delete(t, author)
			}
		}
	}
}
