package chat

import (
	"sync/atomic"

	"barrage/chat/internal/wire"
)

// ringTicks is how many ticks a room keeps for those who come back: at ten a
// second about thirteen seconds.
const ringTicks = 128

// maxBehind is how many entries a subscriber may be behind before it is brought
// to the newest one: comments that old belong to a picture that has gone.
const maxBehind = 64

// entry is one frame for all subscribers of a room. Entries form a list; a
// subscriber's whole backlog is its pointer into it.
type entry struct {
	frame atomic.Pointer[[]byte] // head and payload; another one when comments were deleted from it
	data  []byte                 // its payload; guarded by room.mu
	seq   uint64                 // of the tick, or of the tick before when the frame is an event
	pos   uint64                 // running number of the entry on this node, late ticks left out

	ready chan struct{} // closed when next is set
	next  *entry
}

// tape is the list's end and the ring of the last ticks, guarded by room.mu.
type tape struct {
	tail *entry
	prev *entry   // before tail
	ring []*entry // ticks only, oldest first
	side int      // entries of aside behind the last of them

	newest atomic.Uint64 // tail.pos, for writers that do not hold the lock
}

// tick appends the tick with number seq. Nobody is behind because of a late one:
// many may come at once, and all are to be seen.
func (t *tape) tick(data []byte, seq uint64, late bool) {
	pos := t.tail.pos + 1
	if late {
		pos--
	}
	e := t.append(&entry{seq: seq, pos: pos}, data)
	if len(t.ring) == ringTicks {
		t.ring = append(t.ring[:0], t.ring[1:]...)
	}
	t.ring, t.side = append(t.ring, e), 0
}

// aside appends comments that no tick has yet. The ring holds everything behind it:
// when that becomes too much, it goes.
func (t *tape) aside(data []byte) {
	t.event(data)
	if t.side++; t.side > ringTicks {
		t.ring, t.side = nil, 0
	}
}

// event appends a frame between two ticks.
func (t *tape) event(data []byte) { t.push(data, t.tail.seq) }

// reset forgets the ring, and goes on behind seq after the event in data.
func (t *tape) reset(data []byte, seq uint64) {
	t.ring = nil
	t.push(data, seq)
}

func (t *tape) push(data []byte, seq uint64) {
	t.append(&entry{seq: seq, pos: t.tail.pos + 1}, data)
}

// append makes e the tail. Whoever waits for it reads it at once: it is complete.
func (t *tape) append(e *entry, data []byte) *entry {
	e.set(data)
	e.ready = make(chan struct{})
	old := t.tail
	old.next = e
	t.prev, t.tail = old, e
	t.newest.Store(e.pos)
	close(old.ready)
	return e
}

func (e *entry) set(data []byte) {
	frame := appendFrame(nil, data)
	e.data = frame[len(frame)-len(data):]
	e.frame.Store(&frame)
}

// erase takes deleted comments out of the ring, so that those who come back do
// not get them.
func (t *tape) erase(d wire.Deleted) {
	for _, e := range t.ring {
		if data, ok := wire.WithoutDeleted(e.data, d); ok {
			e.set(data)
		}
	}
}

// after returns the entry behind which everything since tick seq follows, or
// false when the ring no longer has all of it.
func (t *tape) after(seq uint64) (*entry, bool) {
	for _, e := range t.ring {
		if e.seq == seq && (seq < t.tail.seq || t.tail.pos-e.pos < maxBehind) {
			return e, true
		}
	}
	return t.tail, seq == t.tail.seq
}
