package ingest

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// Bounds on the rooms whose last refusal and whose broadcast are remembered.
const (
	maxRefusals   = 256
	maxBroadcasts = 4096
)

// errBusy says that the room could not be had.
var errBusy = errors.New("the room is still busy with its previous publisher: try again in a few seconds")

// errStopping refuses publishers while the server goes down.
var errStopping = errors.New("the server is restarting: try again in a few seconds")

// errSuperseded ends a publisher whose room was taken while it waited.
var errSuperseded = errors.New("another publisher took over the room")

// rooms knows who publishes where. Its lock is never held while waiting.
type rooms struct {
	mu      sync.Mutex
	holders map[string]*publication // the newest claim of each room
	refused map[string]Refusal
	casts   map[string]broadcast
}

// broadcast is what a room's publishers contribute to.
type broadcast struct {
	session    string
	reconnects int
}

func newRooms() *rooms {
	return &rooms{holders: map[string]*publication{}, refused: map[string]Refusal{}, casts: map[string]broadcast{}}
}

// attached counts a publisher of room in and returns how often one has come back
// within session.
func (r *rooms) attached(room, session string) (reconnects int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, known := r.casts[room]
	switch {
	case known && b.session == session:
		b.reconnects++
	case !known && len(r.casts) >= maxBroadcasts:
		dropOne(r.casts)
		fallthrough
	default:
		b = broadcast{session: session}
	}
	r.casts[room] = b
	return b.reconnects
}

// dropOne forgets one entry, whichever comes.
func dropOne[V any](m map[string]V) {
	for k := range m {
		delete(m, k)
		return
	}
}

// all returns everybody who holds a room now.
func (r *rooms) all() []*publication {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.holders))
}

// claim puts p at the end of its room's queue and returns whom it has to wait
// for, or nil.
func (r *rooms) claim(p *publication) (before *publication) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before = r.holders[p.room]
	r.holders[p.room] = p
	p.before = before
	return before
}

// release ends a claim and lets the next one go on. A claim that gave up waiting
// leaves the room to the one before it.
func (r *rooms) release(p *publication) {
	r.mu.Lock()
	if r.holders[p.room] == p {
		if p.before != nil && !p.before.released() {
			r.holders[p.room] = p.before
		} else {
			delete(r.holders, p.room)
		}
	}
	p.before = nil
	r.mu.Unlock()
	close(p.done)
}

// take claims p's room, ends whoever holds it, and returns when that one has let
// go. The claim stands whatever is returned: the caller must release it.
func (r *rooms) take(p *publication, stop <-chan struct{}) (tookOver bool, err error) {
	before := r.claim(p)
	if before == nil {
		return false, nil
	}
	before.conn.kick(endTakeover)
	t := time.NewTimer(p.conn.timeouts.Takeover)
	defer t.Stop()
	select {
	case <-before.done:
	case <-t.C:
		return false, errBusy
	case <-stop:
		return false, errStopping
	}
	if p.conn.kicked.Load() != nil {
		return false, errSuperseded
	}
	r.mu.Lock()
	p.before = nil
	r.mu.Unlock()
	return true, nil
}

// holder returns who holds room now, or nil.
func (r *rooms) holder(room string) *publication {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holders[room]
}

// accepted forgets why the room's last publisher was refused.
func (r *rooms) accepted(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.refused, room)
}

// refuse remembers why a publisher of room was refused.
func (r *rooms) refuse(room string, why Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.refused[room]; !known && len(r.refused) >= maxRefusals {
		dropOne(r.refused)
	}
	r.refused[room] = why
}

// lastRefusal returns why the last publisher of room was refused, or nil.
func (r *rooms) lastRefusal(room string) *Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why, ok := r.refused[room]; ok {
		return &why
	}
	return nil
}
