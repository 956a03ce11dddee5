package packager

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"barrage/packager/fmp4"
	"barrage/packager/media"
	"barrage/packager/timeline"
)

// Stream is the live thing of one room. One publisher at a time writes to it, the
// registry's timers too: all of that under mu, as is Status. Players are answered
// from view and share no lock with them.
type Stream struct {
	room    string
	env     *env
	view    atomic.Pointer[view]
	away    atomic.Bool
	named   audience // players by the session that they name
	guessed audience // and those that name none

	mu       sync.Mutex
	phase    Phase
	since    time.Time
	attached bool
	stopped  bool
	session  *session
	prelude  *prelude                   // while the layout is open
	packer   *packer                    // the epoch that is written
	tracks   map[media.Kind]media.Track // what the publisher said it sends
	deadline time.Time
	reserved reservation
	expected int64 // bytes that the budget holds for a session without an epoch
	share    share
}

// view is what readers find: immutable.
type view struct {
	epochs  []*Epoch // oldest first; ended ones too, while they can be watched
	current *Epoch   // the one a player that comes now is given
}

func newStream(room string, e *env) *Stream {
	s := &Stream{room: room, env: e, phase: PhaseOffline, since: e.now(), share: share{budget: &e.budget, limit: e.cfg.WindowBytes}}
	s.view.Store(&view{})
	return s
}

// Epoch returns a stream epoch that can still be played.
func (s *Stream) Epoch(id string) (*Epoch, bool) {
	for _, e := range s.view.Load().epochs {
		if e.ID == id {
			return e, true
		}
	}
	return nil, false
}

// Current returns the epoch that a player should start with. While a session is
// starting there is none, although the one before can still be watched to its end.
func (s *Stream) Current() (*Epoch, bool) {
	e := s.view.Load().current
	return e, e != nil
}

// Away says that the publisher is gone and waited for: nothing new will come soon.
func (s *Stream) Away() bool { return s.away.Load() }

// Seen notes a request of an HLS player.
func (s *Stream) Seen(p Player) {
	if p.Exact {
		s.named.seen(p, s.env.now())
		return
	}
	s.guessed.seen(p, s.env.now())
}

func (s *Stream) players() Players {
	now := s.env.now()
	return Players{Exact: s.named.count(now), Estimated: s.guessed.count(now)}
}

// attach takes the stream for a publisher.
func (s *Stream) attach(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return ErrStopped
	}
	if s.attached {
		return fmt.Errorf("attach to room %s: %w, whose connection must end first", s.room, ErrStreamBusy)
	}
	if s.session == nil {
		expected, ok := s.env.budget.enter()
		if !ok {
			return fmt.Errorf("attach to room %s: %w", s.room, ErrFull)
		}
		s.expected = expected
		s.session = &session{id: newID(now), clock: newClock(now)}
		s.setView(s.view.Load().epochs, nil)
		s.enter(PhaseStarting)
	}
	s.attached = true
	s.goodbye(false)
	s.deadline = time.Time{}
	s.tracks = map[media.Kind]media.Track{}
	s.prelude = newPrelude(s.packer != nil)
	return nil
}

// Expect says that such a track was promised: it is waited for longer.
func (s *Stream) Expect(k media.Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.prelude != nil {
		s.prelude.expected[k] = true
	}
}

// SetTrack adds a track, or replaces it by one of another configuration. Samples of
// that kind written afterwards belong to it. TimeScale is the publisher's clock.
func (s *Stream) SetTrack(t media.Track) error {
	if err := checkTrack(t); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	s.tracks[t.Kind] = t
	if s.prelude != nil {
		s.prelude.setTrack(t, s.env.now())
		return nil
	}
	l := s.packer.lane(t.Kind)
	if l == nil || l.track.Codec != t.Codec { // later than the layout, or another decoder: another epoch
		s.relayout()
		return nil
	}
	if !bytes.Equal(s.packer.coming(l).Config, t.Config) {
		s.packer.retrack(t, reasonConfig)
	}
	return nil
}

func checkTrack(t media.Track) error {
	if t.TimeScale == 0 || timeline.OutputScale(t) == 0 {
		return fmt.Errorf("%w: %s track without a clock", ErrTrack, t.Kind)
	}
	out := t
	out.TimeScale = timeline.OutputScale(t)
	if _, err := fmp4.CodecString(out); err != nil {
		return fmt.Errorf("%w: %w", ErrTrack, err)
	}
	if _, err := fmp4.AppendInit(nil, out); err != nil {
		return fmt.Errorf("%w: %w", ErrTrack, err)
	}
	return nil
}

func (s *Stream) writable() error {
	switch {
	case s.stopped:
		return ErrStopped
	case !s.attached:
		return ErrDetached
	}
	return nil
}

// relayout ends the epoch because another track has come, or one has gone, and
// collects for the next.
func (s *Stream) relayout() {
	s.retire()
	s.setView(s.view.Load().epochs, nil) // a player that comes now would get the ended one
	s.prelude = newPrelude(false)
	for _, t := range s.tracks {
		s.prelude.setTrack(t, s.env.now())
	}
}

// WriteSample takes one access unit and owns its Data from now on. What it
// completes is visible when the call returns.
func (s *Stream) WriteSample(m media.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	now := s.env.now()
	if silent := s.prelude == nil && s.packer.silent(now); silent || s.prelude == nil && s.late(m) {
		s.relayout()
		s.prelude.waited = silent
	}
	if s.prelude == nil && s.spent() {
		s.overrun()
	}
	if s.prelude == nil {
		return s.write(m, now)
	}
	s.prelude.add(m, now)
	if !s.prelude.ready(now, s.env.cfg.SegmentDuration) {
		return nil
	}
	return s.settle()
}

// late says that m begins a track that was announced but did not deliver before
// the layout was frozen.
func (s *Stream) late(m media.Sample) bool {
	if s.packer.lane(m.Kind) != nil {
		return false
	}
	_, known := s.tracks[m.Kind]
	return known && (m.Sync || m.Kind == media.Audio)
}

func (s *Stream) write(m media.Sample, at time.Time) error {
	err := s.packer.write(m, at)
	if s.packer.begun {
		s.session.pdt, s.session.seenAt = s.packer.clock.newest, at
		s.session.tempo.see(s.session.pdt, at)
	}
	s.show()
	s.reserve()
	return err
}

// settle freezes the layout and plays back what was collected.
func (s *Stream) settle() error {
	p := s.prelude
	s.prelude = nil
	layout := p.layout()
	if s.packer != nil && (s.spent() || !s.packer.accepts(layout)) {
		s.retire()
		p.resume = false
		s.prelude = p // measure the first GOP of the new epoch
		return nil
	}
	if s.packer == nil {
		next, err := s.newPacker(layout, p.measure(s.env.cfg))
		if err != nil {
			return err
		}
		s.packer = next
	} else {
		for _, t := range layout {
			s.packer.retrack(t, reasonPublish)
			s.packer.lane(t.Kind).seen = s.env.now()
		}
	}
	s.packer.quiet = true
	for _, e := range p.entries {
		if err := s.write(e.sample, e.at); err != nil {
			return err
		}
	}
	s.packer.quiet = false
	s.packer.publish(s.env.now())
	s.show()
	s.env.budget.settled(s.expected)
	s.expected = 0
	return nil
}

// accepts says that a publisher with such tracks can go on in the epoch.
func (p *packer) accepts(layout []media.Track) bool {
	return len(layout) == len(p.lanes) && !slices.ContainsFunc(layout, func(t media.Track) bool {
		l := p.lane(t.Kind)
		return l == nil || l.track.Codec != t.Codec
	})
}
