package packager

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"barrage/internal/slug"
)

// Registry holds the streams of all rooms.
type Registry struct {
	env     *env
	streams atomic.Pointer[map[string]*Stream] // readers; replaced under mu
	changed atomic.Pointer[chan struct{}]
	wake    chan struct{}

	mu      sync.Mutex // orders before every Stream.mu
	stopped bool
}

// New makes a registry. Run must be called for it to forget anything.
func New(cfg Config, opts Options) (*Registry, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	r := &Registry{wake: make(chan struct{}, 1)}
	r.env = &env{
		cfg: cfg, log: opts.Logger, now: opts.Now, budget: budget{limit: cfg.TotalBytes}, zip: &compressor{},
		grace: opts.Grace, clean: opts.CleanGrace, notify: r.notify, wake: r.poke,
	}
	var err error
	if r.env.metrics, err = newMetrics(opts.Registerer, &r.env.budget); err != nil {
		return nil, err
	}
	r.streams.Store(&map[string]*Stream{})
	first := make(chan struct{})
	r.changed.Store(&first)
	return r, nil
}

// Held returns how many bytes of media are in memory.
func (r *Registry) Held() int64 { return r.env.budget.held.Load() }

// Changed is closed at the next change of any room's phase, session or epoch. Take
// it before looking at Statuses, so that no change is missed.
func (r *Registry) Changed() <-chan struct{} { return *r.changed.Load() }

func (r *Registry) notify() {
	next := make(chan struct{})
	close(*r.changed.Swap(&next))
}

func (r *Registry) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Attach makes the caller the publisher of the room. The stream is the caller's
// until Detach; ErrStreamBusy while it is another's, ErrFull when there is no memory
// for another room.
func (r *Registry) Attach(room string) (*Stream, error) {
	if err := slug.Check(room); err != nil {
		return nil, fmt.Errorf("attach to room %q: %w", room, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, ErrStopped
	}
	s, ok := r.Stream(room)
	if !ok {
		s = newStream(room, r.env)
	}
	if err := s.attach(r.env.now()); err != nil {
		return nil, err
	}
	if !ok {
		all := maps.Clone(*r.streams.Load())
		all[room] = s
		r.streams.Store(&all)
	}
	return s, nil
}

// Stream returns the stream of a room that has one: live, away, or ended a while ago.
func (r *Registry) Stream(room string) (*Stream, bool) {
	s, ok := (*r.streams.Load())[room]
	return s, ok
}

// Statuses describes every room that has a stream, sorted by room.
func (r *Registry) Statuses() []Status {
	all := *r.streams.Load()
	out := make([]Status, 0, len(all))
	for _, s := range all {
		out = append(out, s.Status())
	}
	slices.SortFunc(out, func(a, b Status) int { return cmp.Compare(a.Room, b.Room) })
	return out
}

// Run keeps the deadlines of all streams until ctx ends; then every session ends:
// what is growing is published, playlists say so, and nobody is left waiting.
func (r *Registry) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(r.sweep())
		select {
		case <-ctx.Done():
			r.stop()
			return nil
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// sweep does what is due and returns how long nothing else will be.
func (r *Registry) sweep() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, next := r.env.now(), time.Hour
	for room, s := range *r.streams.Load() {
		due, gone := s.expire(now)
		if gone {
			all := maps.Clone(*r.streams.Load())
			delete(all, room)
			r.streams.Store(&all)
		}
		if !due.IsZero() {
			next = min(next, max(due.Sub(now), 0))
		}
	}
	return next
}

func (r *Registry) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	for _, s := range *r.streams.Load() {
		s.stop()
	}
}
