package chat

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// MemoryOptions bound and wire a Memory. The zero value is good.
type MemoryOptions struct {
	// Batches and Bytes bound the log of one room; the oldest batches go first. In
	// RAM each costs its size, with a Dir some 64 bytes. Defaults 4096 and 8 MiB in RAM, 65536
	// and no bound of its own with a Dir.
	Batches int
	Bytes   int
	// Dir is where OpenMemory keeps what outlives the process; nobody else may write there.
	Dir *os.Root
	// JournalBytes bounds the journal in Dir; the oldest comments go. Default 1 GiB.
	JournalBytes int64
	// Logger gets a line when something is wrong with Dir. Default: none.
	Logger *slog.Logger
	// Now is the clock of leases, states and entry IDs. Default time.Now.
	Now func() time.Time
}

// Memory is the Broker of one process: its hubs meet here. Made by NewMemory all
// of it is RAM; made by OpenMemory its logs, ticks, numbers and rules outlive the process.
type Memory struct {
	opts   MemoryOptions
	disk   *disk // nil: all is RAM
	rules  *rulebook
	lapses sync.WaitGroup // timers that will still call lapse

	mu      sync.Mutex // held for map and slice work only: a Mailbox never blocks
	rooms   map[string]*memoryRoom
	sweepAt int // number of rooms at which to look for forgotten ones
	closed  bool
}

// memoryRoom is what Memory knows of one room, guarded by Memory.mu.
type memoryRoom struct {
	name  string
	used  time.Time
	subs  map[*memorySubscription]struct{}
	log   memoryLog
	lease memoryLease
	ticks memoryTicks
	state memoryState
}

// NewMemory makes an empty broker in RAM; its owner must Close it.
func NewMemory(opts MemoryOptions) *Memory {
	if opts.Batches <= 0 {
		opts.Batches = 4096
	}
	if opts.Bytes <= 0 {
		opts.Bytes = 8 << 20
	}
	m := newMemory(opts)
	m.rules = newRulebook()
	return m
}

func newMemory(opts MemoryOptions) *Memory {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Memory{opts: opts, rooms: make(map[string]*memoryRoom), sweepAt: sweepMin}
}

// Close ends every subscription and returns when no handler will be called
// again and everything is on disk. Later calls get ErrUnavailable.
func (m *Memory) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	err := errors.Join(m.disk.close(), m.rules.close()) // what is on its way is still delivered
	m.mu.Lock()
	var subs []*memorySubscription
	for _, r := range m.rooms {
		for s := range r.subs {
			subs = append(subs, s)
		}
		m.stopLapse(r)
	}
	m.mu.Unlock()
	for _, s := range subs {
		_ = s.Close() // never fails
	}
	m.lapses.Wait()
	return err
}

// enter locks m and finds the room; the caller unlocks m when err is nil.
func (m *Memory) enter(ctx context.Context, room string) (*memoryRoom, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, fmt.Errorf("%w: closed", ErrUnavailable)
	}
	now := m.opts.Now()
	r := m.rooms[room]
	if r == nil {
		m.sweep(now)
		r = m.newRoom(room)
	}
	r.used = now
	return r, nil
}

func (m *Memory) newRoom(name string) *memoryRoom {
	r := &memoryRoom{name: name, subs: make(map[*memorySubscription]struct{})}
	r.log.release = m.disk.release
	m.rooms[name] = r
	return r
}

// What rooms cost when anybody can open one by its address: sweepMin of them
// are always kept; beyond that one with comments for keepRoom, and one that only had
// visitors for keepEpoch, so that those who come back can resume.
const (
	sweepMin  = 1024
	keepRoom  = 24 * time.Hour
	keepEpoch = 10 * time.Minute
)

// sweep forgets idle rooms when there are twice as many as the last time found
// worth keeping, so that its cost is spread over the rooms that come.
func (m *Memory) sweep(now time.Time) {
	if len(m.rooms) < m.sweepAt {
		return
	}
	for name, r := range m.rooms {
		if r.idle(now) {
			r.log.drop(len(r.log.entries))
			r.ticks.drop(len(r.ticks.list))
			delete(m.rooms, name)
		}
	}
	m.sweepAt = max(sweepMin, 2*len(m.rooms))
}

// idle says whether nobody would miss the room: nobody is in it, and nothing
// was said or numbered, or it was long enough ago.
func (r *memoryRoom) idle(now time.Time) bool {
	if len(r.subs) > 0 || r.state.timer != nil || now.Before(r.lease.expires) {
		return false
	}
	keep := keepRoom
	switch {
	case len(r.log.entries) > 0:
	case r.lease.seq > 0:
		keep = keepEpoch
	default:
		return true
	}
	return now.Sub(r.used) > keep
}

// publish hands frame to every subscription. Under Memory.mu, so that all of
// them see the same order.
func (r *memoryRoom) publish(frame []byte) {
	for s := range r.subs {
		s.mailbox.Frame(frame)
	}
}

// Publish implements Bus.
func (m *Memory) Publish(ctx context.Context, room string, frame []byte) error {
	r, err := m.enter(ctx, room)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	r.publish(frame)
	return nil
}

// Subscribe implements Bus.
func (m *Memory) Subscribe(ctx context.Context, room string, h Handler) (Subscription, error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	s := &memorySubscription{memory: m, room: r, mailbox: NewMailbox(h)}
	if r.state.live(m.opts.Now()) {
		s.mailbox.State(r.state.value)
	}
	r.subs[s] = struct{}{}
	return s, nil
}

// memorySubscription is one handler's place in a room.
type memorySubscription struct {
	memory  *Memory
	room    *memoryRoom
	mailbox *Mailbox
}

func (s *memorySubscription) Close() error {
	s.memory.mu.Lock()
	delete(s.room.subs, s)
	s.memory.mu.Unlock()
	return s.mailbox.Close()
}

// newEpoch names a numbering; no two are ever equal.
func newEpoch() string {
	return strings.ToLower(rand.Text()[:16])
}
