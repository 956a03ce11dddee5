package chat

import (
	"context"
	"slices"
	"time"
)

// memoryLease is who numbers the ticks of a room, and how far.
type memoryLease struct {
	holder  string
	expires time.Time
	epoch   string
	seq     uint64
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
	if l.epoch == "" {
		l.epoch = newEpoch()
	}
	if l.holder == node || !now.Before(l.expires) {
		l.holder, l.expires = node, now.Add(ttl)
	}
	return Lease{Held: l.holder == node, Holder: l.holder, Epoch: l.epoch, Seq: l.seq, RulesVersion: r.rules.Version}, nil
}

// Advance implements Store.
func (m *Memory) Advance(ctx context.Context, room, node string, seq uint64, frame []byte) error {
	r, err := m.enter(ctx, room)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	if !r.lease.heldBy(node, m.opts.Now()) || seq <= r.lease.seq {
		return ErrNotLeader
	}
	r.lease.seq = seq
	r.ticks.add(seq, frame)
	r.publish(frame)
	return nil
}

// memoryTicks are the last ticks of a room's epoch.
type memoryTicks struct {
	list  []memoryTick // oldest first
	bytes int
}

type memoryTick struct {
	seq   uint64
	frame []byte
}

func (t *memoryTicks) add(seq uint64, frame []byte) {
	if len(frame) == 0 {
		return
	}
	t.list = append(t.list, memoryTick{seq, frame})
	t.bytes += len(frame)
	for len(t.list) > TickLogLength || (t.bytes > TickLogBytes && len(t.list) > 1) {
		t.bytes -= len(t.list[0].frame)
		t.list[0] = memoryTick{}
		t.list = t.list[1:]
	}
}

// Ticks implements Store.
func (m *Memory) Ticks(ctx context.Context, room string, after uint64, n int) ([][]byte, error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	list := r.ticks.list
	from, _ := slices.BinarySearchFunc(list, after, func(t memoryTick, after uint64) int {
		if t.seq > after {
			return 1
		}
		return -1
	})
	list = list[from:]
	frames := make([][]byte, min(max(n, 0), len(list)))
	for i := range frames {
		frames[i] = list[i].frame
	}
	return frames, nil
}

// Rules implements Store.
func (m *Memory) Rules(ctx context.Context, room string) (Rules, error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return Rules{}, err
	}
	defer m.mu.Unlock()
	return r.rules, nil
}

// SetRules implements Store.
func (m *Memory) SetRules(ctx context.Context, room string, rules Rules) error {
	if err := rules.Check(); err != nil {
		return err
	}
	r, err := m.enter(ctx, room)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	if rules.Version != r.rules.Version {
		return ErrConflict
	}
	r.rules = Rules{Version: rules.Version + 1, Body: slices.Clone(rules.Body)}
	return nil
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
