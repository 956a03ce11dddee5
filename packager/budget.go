package packager

import (
	"slices"
	"sync"
	"sync/atomic"
)

// budget is the memory for the media of all rooms together. Rooms are refused while
// the windows of those that are live, once full, would need all of it; should they
// need more than was foreseen, every room drops its oldest media as it adds some.
type budget struct {
	limit  int64        // bytes; 0 = none
	held   atomic.Int64 // bytes in windows now
	needed atomic.Int64 // bytes once the windows of the live rooms are full
	rooms  atomic.Int64 // that are live or about to be
}

// minRoom is the least that a room is expected to need, in bytes.
const minRoom = 4 << 20

// enter admits a room that is about to begin, of which nothing is known: it is expected
// to need as much as the others do. What it returns is held for the
// room until settled.
func (b *budget) enter() (expected int64, ok bool) {
	needed := b.needed.Load()
	if b.limit > 0 && needed >= b.limit {
		return 0, false
	}
	expected = max(minRoom, needed/max(b.rooms.Add(1)-1, 1))
	b.needed.Add(expected)
	return expected, true
}

// settled gives back what was expected of a room: its epoch is accounted for now.
func (b *budget) settled(expected int64) { b.needed.Add(-expected) }

// leave says that a room is live no longer.
func (b *budget) leave() { b.rooms.Add(-1) }

// exceeded says that more is held than there should be.
func (b *budget) exceeded() bool { return b.limit > 0 && b.held.Load() > b.limit }

// share is what one room has of the budget, all of its epochs together.
type share struct {
	budget *budget
	limit  int64 // bytes

	mu             sync.Mutex // last of all: the writer adds, and who asks for MPEG-TS
	held, foreseen int64
	needed         int64 // the greater of the two
}

// hold says that so much more is held.
func (s *share) hold(more int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += more
	s.budget.held.Add(more)
	s.settle()
}

// foresee says how much will be held, if that is more; never more than may be.
func (s *share) foresee(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.foreseen = min(bytes, s.limit)
	s.settle()
}

func (s *share) settle() {
	needed := max(s.held, s.foreseen)
	s.budget.needed.Add(needed - s.needed)
	s.needed = needed
}

// exceeded says that the room, or all rooms together, hold more than they should.
func (s *share) exceeded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held > s.limit || s.budget.exceeded()
}

// foresee tells the budget what the epoch holds, and what the room will at its bitrate
// when the window is full: twice, because what leaves the playlist stays as long again.
func (p *packer) foresee() {
	var perSecond float64
	for _, l := range p.lanes {
		if l.rate.dur > 0 {
			perSecond += l.rate.bits / 8 / l.rate.dur.Seconds()
		}
	}
	p.epoch.account()
	p.epoch.share.foresee(int64(2 * p.limits.window.Seconds() * perSecond))
}

// account says what the epoch holds. Its writer calls it.
func (e *Epoch) account() {
	var held int64
	for _, l := range e.lanes {
		held += l.shelf.size
	}
	e.share.hold(held - e.held)
	e.held = held
}

// release gives back the memory of an epoch that nobody can reach any longer.
func (e *Epoch) release() {
	e.share.hold(-e.held)
	e.held = 0
	e.muxer.retire()
}

// shed keeps the media of the room, and of all rooms, under its bound: what was only put
// into another wrapping goes first, then the oldest, and what has ended as a whole when
// only the ends are left that playlists must list.
func (s *Stream) shed() {
	for more := true; more && s.share.exceeded(); {
		more = s.shedOne()
	}
}

// shedOne drops something, and says whether there was anything to drop.
func (s *Stream) shedOne() bool {
	all := s.view.Load().epochs
	if p := s.packer; p != nil && !slices.Contains(all, p.epoch) {
		all = append(slices.Clone(all), p.epoch)
	}
	if slices.ContainsFunc(all, func(e *Epoch) bool { return e.muxer.shed() }) || slices.ContainsFunc(all, (*Epoch).shed) {
		return true
	}
	if len(all) == 0 || s.packer != nil && all[0] == s.packer.epoch {
		return false
	}
	s.hide(all[0])
	all[0].release()
	return true
}

// shed drops the oldest segment, and says whether it could.
func (e *Epoch) shed() bool {
	oldest := e.lanes[0]
	for _, l := range e.lanes[1:] {
		if len(l.shelf.segments) > 0 && (len(oldest.shelf.segments) == 0 || l.shelf.segments[0].end < oldest.shelf.segments[0].end) {
			oldest = l
		}
	}
	if !oldest.shelf.shed() {
		return false
	}
	e.publish(oldest)
	e.account()
	e.env.metrics.shed.Inc()
	return true
}
