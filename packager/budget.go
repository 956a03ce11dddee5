package packager

import "sync/atomic"

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

// exceeded says that more bytes would not fit.
func (b *budget) exceeded(more int64) bool { return b.limit > 0 && b.held.Load()+more > b.limit }

// account says what an epoch holds, and will need. Its writer calls it.
func (b *budget) account(e *Epoch, held, needed int64) {
	b.held.Add(held - e.held)
	b.needed.Add(needed - e.needed)
	e.held, e.needed = held, needed
}

// account tells the budget what the epoch holds, and what it will at its bitrate when
// the window is full: twice, because what leaves the playlist stays as long again.
func (p *packer) account() {
	held := p.size()
	var perSecond float64
	for _, l := range p.lanes {
		if l.rate.dur > 0 {
			perSecond += l.rate.bits / 8 / l.rate.dur.Seconds()
		}
	}
	foreseen := min(int64(2*p.limits.window.Seconds()*perSecond), p.limits.bytes)
	p.env.budget.account(p.epoch, held, max(held, foreseen))
}

// shed keeps the media of the room, and of all rooms, under its bound, oldest first.
func (p *packer) shed() {
	for size := p.size(); size > p.limits.bytes || p.env.budget.exceeded(size-p.epoch.held); size = p.size() {
		oldest := p.lanes[0]
		for _, l := range p.lanes[1:] {
			if len(l.shelf.segments) > 0 && (len(oldest.shelf.segments) == 0 || l.shelf.segments[0].end < oldest.shelf.segments[0].end) {
				oldest = l
			}
		}
		if !oldest.shelf.shed() {
			return
		}
		oldest.dirty = true
		p.env.metrics.shed.Inc()
	}
}

func (p *packer) size() int64 {
	var n int64
	for _, l := range p.lanes {
		n += l.shelf.size
	}
	return n
}
