package packager

import (
	"slices"
	"time"
)

// session is one broadcast.
type session struct {
	id     string
	clock  *clock
	pdt    time.Time // of the newest sample
	seenAt time.Time
	tempo  tempo
	clean  bool // the publisher has said goodbye
}

// show lets readers find the epoch once it can be played.
func (s *Stream) show() {
	if s.packer.quiet || s.packer.epoch.index.Load() == nil || !s.packer.playable() {
		return
	}
	if _, known := s.Epoch(s.packer.epoch.ID); !known {
		s.setView(append(slices.Clone(s.view.Load().epochs), s.packer.epoch), s.packer.epoch)
	}
	s.enter(PhaseLive)
}

// keptEpochs bounds how many epochs of a room are in memory.
const keptEpochs = 3

func (s *Stream) setView(epochs []*Epoch, current *Epoch) {
	for len(epochs) > keptEpochs {
		epochs[0].release()
		epochs = epochs[1:]
	}
	s.view.Store(&view{epochs: epochs, current: current})
	s.env.notify()
}

// retire ends the epoch; it stays available for as long as it could be watched.
func (s *Stream) retire() {
	if s.packer == nil {
		return
	}
	s.packer.finish()
	e := s.packer.epoch
	e.until = s.env.now().Add(s.packer.limits.window)
	if !s.packer.playable() { // restored, and the publisher did not come back in time
		s.hide(e)
	}
	if _, shown := s.Epoch(e.ID); !shown {
		e.release()
	}
	s.share.foresee(0)
	s.packer, s.reserved = nil, reservation{}
	s.env.keep(s.room)
	s.env.wake()
}

// hide takes an epoch away from readers.
func (s *Stream) hide(e *Epoch) {
	v := s.view.Load()
	current := v.current
	if current == e {
		current = nil
	}
	s.setView(slices.DeleteFunc(slices.Clone(v.epochs), func(o *Epoch) bool { return o == e }), current)
}

// enter changes the phase.
func (s *Stream) enter(to Phase) {
	s.away.Store(to == PhaseAway)
	if s.phase == to {
		return
	}
	s.env.metrics.moved(s.phase, to)
	s.phase, s.since = to, s.env.now()
	s.env.keep(s.room)
	s.env.notify()
}

// Detach ends the publisher's hold: clean when it said goodbye, else lost. The
// session goes on for a while.
func (s *Stream) Detach(clean bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.attached {
		return
	}
	s.attached, s.prelude = false, nil
	now := s.env.now()
	if s.packer == nil || s.packer.epoch.index.Load() == nil {
		s.end(now)
		return
	}
	s.packer.pause(now)
	s.goodbye(clean)
	s.deadline = now.Add(s.env.waits(clean))
	s.enter(PhaseAway)
	s.env.wake()
}

// goodbye notes whether the publisher has said it; another process waits as long.
func (s *Stream) goodbye(said bool) {
	if s.session.clean != said {
		s.session.clean = said
		s.env.keep(s.room)
	}
}

// end ends the session.
func (s *Stream) end(now time.Time) {
	s.retire()
	s.session = nil
	s.env.budget.settled(s.expected)
	s.expected = 0
	s.env.budget.leave()
	if len(s.view.Load().epochs) == 0 {
		s.enter(PhaseOffline)
		s.deadline = now
	} else {
		s.enter(PhaseEnded)
		s.deadline = time.Time{}
	}
	s.env.wake()
}

// expire does what is due, and returns when it has to be called again (zero: not
// before something changes). gone says that the stream can be forgotten.
func (s *Stream) expire(now time.Time) (next time.Time, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == PhaseAway && !s.attached && !now.Before(s.deadline) {
		s.end(now)
	}
	s.forget(now)
	s.shed()
	if s.session == nil && len(s.view.Load().epochs) == 0 {
		s.enter(PhaseOffline)
		return time.Time{}, true
	}
	if s.phase == PhaseAway && !s.attached {
		next = s.deadline
	}
	for _, e := range s.view.Load().epochs {
		for _, due := range []time.Time{e.until, e.muxer.expire(now)} {
			if !due.IsZero() && (next.IsZero() || due.Before(next)) {
				next = due
			}
		}
	}
	return next, false
}

// forget takes epochs away that nobody can be watching any longer.
func (s *Stream) forget(now time.Time) {
	old := s.view.Load()
	kept := slices.DeleteFunc(slices.Clone(old.epochs), func(e *Epoch) bool {
		due := !e.until.IsZero() && !now.Before(e.until)
		if due {
			e.release()
		}
		return due
	})
	if len(kept) == len(old.epochs) {
		return
	}
	current := old.current
	if !slices.Contains(kept, current) {
		current = nil
	}
	s.setView(kept, current)
}

// stop is the end of this process. A session that can go on in the next one is left
// as it is, its playlists without an end; any other ends.
func (s *Stream) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attached, s.stopped, s.prelude = false, true, nil
	switch now := s.env.now(); {
	case s.session == nil:
	case s.env.keeps && s.restorable():
		s.packer.suspend(now)
	default:
		s.end(now)
	}
}
