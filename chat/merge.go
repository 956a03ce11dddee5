package chat

import (
	"bytes"
	"cmp"
	"slices"

	"barrage/chat/internal/wire"

	"github.com/cespare/xxhash/v2"
)

// entrant is a comment that may be shown in the next tick.
type entrant struct {
	key     uint64
	count   uint64 // of its key, in this tick
	total   uint64 // and altogether
	comment []byte
	nth     int    // of its author's
	turn    int64  // when its author was last shown
	lot     uint64 // drawn by its id
}

// louder orders combos by what stands behind them.
func louder(a, b entrant) int {
	return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.key, b.key))
}

// fairer orders comments that were said once: nobody has a second one before all
// had their first, then who waits longest, then by lot.
func fairer(a, b entrant) int {
	return cmp.Or(cmp.Compare(a.nth, b.nth), cmp.Compare(a.turn, b.turn), cmp.Compare(a.lot, b.lot))
}

// older orders comments by their ids, which begin with the time.
func older(a, b entrant) int {
	return bytes.Compare(wire.CommentID(a.comment), wire.CommentID(b.comment))
}

// lot is the same for a comment on every node, and nothing its author chose.
func lot(comment []byte) uint64 { return xxhash.Sum64(wire.CommentID(comment)) }

// merged is a chunk by keys: for each how often and where first.
type merged struct {
	keys map[uint64]int // to entries
	all  []entrant
	from []*author // of all
	said [][]byte
}

// merge counts the comments of c by key.
func (m *merged) merge(c *chunk) {
	if m.keys == nil {
		m.keys = make(map[uint64]int)
	}
	clear(m.keys)
	m.all, m.from, m.said = m.all[:0], m.from[:0], nil
	for i := range c.items {
		it := &c.items[i]
		if it.key == 0 {
			m.said = append(m.said, c.comment(it))
			continue
		}
		at, again := m.keys[it.key]
		if !again {
			at = len(m.all)
			m.keys[it.key] = at
			m.all, m.from = append(m.all, entrant{key: it.key, comment: c.comment(it)}), append(m.from, it.from)
		}
		m.all[at].count++
	}
}

// view is this node's part of the next tick, out of a chunk: what the room knows
// already as numbers, of the rest as many comments as could be shown at most, the others
// as numbers too. The slices of the partial are parts of the chunk.
func (r *room) view(c *chunk) (p wire.Partial) {
	m := &r.out.merged
	m.merge(c)
	p.Said = m.said
	var loud, quiet []entrant
	nth := make(map[*author]int)
	r.mu.Lock()
	for i, e := range m.all {
		known := r.combos[e.key]
		e.total = known.total + e.count
		switch {
		case known.id != "":
			p.Keys = append(p.Keys, wire.Key{Hash: e.key, Count: e.count})
		case e.total > 1:
			loud = append(loud, e)
		default:
			from := m.from[i]
			e.nth, e.turn, e.lot = nth[from], r.turns[from.hash], lot(e.comment)
			nth[from]++
			quiet = append(quiet, e)
		}
	}
	r.mu.Unlock()
	most := int(r.fullBudget())
	slices.SortFunc(loud, louder)
	for i, e := range loud {
		k := wire.Key{Hash: e.key, Count: e.count}
		if i < most {
			k.Comment = e.comment
		}
		p.Keys = append(p.Keys, k)
	}
	if len(quiet) > most {
		slices.SortFunc(quiet, fairer)
	}
	for i, e := range quiet {
		if i < most {
			p.Keys = append(p.Keys, wire.Key{Hash: e.key, Count: 1, Comment: e.comment})
		} else {
			p.Singles = p.Singles.Append(e.key)
		}
	}
	return p
}
