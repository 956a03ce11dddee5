package chat

import (
	"context"
	"time"

	"barrage/chat/internal/journal"
)

// memoryLease is who numbers the ticks of a room, and how far.
type memoryLease struct {
	holder  string
	expires time.Time
	epoch   string
	seq     uint64
	writing chan struct{} // closed when the tick that is on its way to the disk is there, or not
}

func (l *memoryLease) heldBy(node string, now time.Time) bool {
	return l.holder == node && now.Before(l.expires)
}

// Lead implements Store.
func (m *Memory) Lead(ctx context.Context, room, node string, ttl time.Duration) (Lease, error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return Lease{}, err
	}
	defer m.mu.Unlock()
	l, now := &r.lease, m.opts.Now()
	if err := m.disk.failure(); err != nil {
		return Lease{}, err // nobody can number ticks, and all are to know
	}
	if l.epoch == "" {
		l.epoch = newEpoch()
		m.disk.note(appendHeadRecord(r))
	}
	if l.holder == node || !now.Before(l.expires) {
		l.holder, l.expires = node, now.Add(ttl)
	}
	return Lease{Held: l.holder == node, Holder: l.holder, Epoch: l.epoch, Seq: l.seq, RulesVersion: m.rules.version(room)}, nil
}

// Advance implements Store.
func (m *Memory) Advance(ctx context.Context, room, node string, seq uint64, frame []byte) error {
	r, err := m.enter(ctx, room)
	for err == nil && r.lease.writing != nil { // one after the other
		before := r.lease.writing
		m.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
		}
		r, err = m.enter(ctx, room)
	}
	if err != nil {
		return err
	}
	l := &r.lease
	if !l.heldBy(node, m.opts.Now()) || seq <= l.seq {
		m.mu.Unlock()
		return ErrNotLeader
	}
	written := make(chan struct{})
	l.writing = written
	var rec []byte
	if m.disk != nil {
		rec = appendTickRecord(room, l.epoch, seq, frame)
	}
	return m.commit(ctx, rec, func(p journal.Position, err error) {
		close(written)
		l.writing = nil
		if err == nil {
			l.seq = seq
			r.ticks.add(memoryTick{seq: seq, size: len(frame), frame: m.disk.cache(frame), at: p})
			r.publish(frame)
		}
	})
}

// Resign implements Store.
func (m *Memory) Resign(ctx context.Context, room, node string) error {
	r, err := m.enter(ctx, room)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	if r.lease.holder == node {
		r.lease.holder, r.lease.expires = "", time.Time{}
	}
	return nil
}

// Rooms implements Store.
func (m *Memory) Rooms() RoomStore { return m }

// memoryState is the retained state of a room, while it lasts.
type memoryState struct {
	value   RoomState
	version uint64 // counts the puts
	expires time.Time
	timer   *time.Timer // tells the handlers of the lapse; nil when there is no state
}

func (s *memoryState) live(now time.Time) bool {
	return s.timer != nil && now.Before(s.expires)
}

// PutState implements RoomStore.
func (m *Memory) PutState(ctx context.Context, s RoomState, ttl time.Duration) error {
	r, err := m.enter(ctx, s.Room)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.stopLapse(r)
	m.lapses.Add(1)
	version := r.state.version + 1
	timer := time.AfterFunc(ttl, func() {
		defer m.lapses.Done()
		m.lapse(r, version)
	})
	r.state = memoryState{value: s, version: version, expires: m.opts.Now().Add(ttl), timer: timer}
	for sub := range r.subs {
		sub.mailbox.State(s)
	}
	return nil
}

// State implements RoomStore.
func (m *Memory) State(ctx context.Context, room string) (RoomState, error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return RoomState{}, err
	}
	defer m.mu.Unlock()
	if !r.state.live(m.opts.Now()) {
		return RoomState{Room: room}, nil
	}
	return r.state.value, nil
}

// lapse forgets the room's state and tells the handlers, unless a newer version
// took its place.
func (m *Memory) lapse(r *memoryRoom, version uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.state.version != version || m.closed {
		return
	}
	gone := RoomState{Room: r.state.value.Room}
	r.state = memoryState{version: version}
	for s := range r.subs {
		s.mailbox.State(gone)
	}
}

// stopLapse stops the room's timer. Callers hold m.mu.
func (m *Memory) stopLapse(r *memoryRoom) {
	if r.state.timer != nil && r.state.timer.Stop() {
		m.lapses.Done()
	}
}
