package chat

import (
	"cmp"
	"slices"
	"time"

	"barrage/chat/internal/wire"
)

const (
	tickMax      = time.Second
	peerSilent   = 3 * time.Second  // then its subscribers are no longer counted
	peerGone     = 60 * time.Second // then it is forgotten
	maxWaiting   = 256              // partials kept for one node
	frameCost    = 8 * time.Microsecond
	frameShare   = 2 // 1/share of a core may go into frames of one room
	intervalStep = 20 * time.Millisecond
)

// team is what this node knows of the room over all nodes. Guarded by room.mu.
type team struct {
	epoch     string // of the room's ticks; empty before the first lease is known
	heard     uint64 // newest tick that reached us
	known     uint64 // newest tick that we know of
	comments  uint64 // counted in ticks so far
	likes     uint64
	peers     map[string]*peer // by node, ourselves included
	interval  time.Duration    // between two ticks, now
	announced time.Duration    // what subscribers believe
}

// peer is one node as seen by this one.
type peer struct {
	last    uint64                   // its newest partial that is in a tick
	waiting map[uint64]*wire.Partial // later ones
	viewers int
	seen    time.Duration
}

// Frame implements Handler.
func (r *room) Frame(frame []byte) {
	v, err := wire.ParseFrame(frame)
	if err != nil {
		return // of a version that this node does not know
	}
	switch f := v.(type) {
	case *wire.Partial:
		r.gather(f)
	case *wire.Finished:
		r.deliver(f)
	}
}

// gather keeps a partial until a tick confirms it: whoever leads when it is
// needed has it.
func (r *room) gather(p *wire.Partial) {
	r.mu.Lock()
	t := &r.team
	who := t.peer(p.Node)
	who.seen = r.hub.clock()
	r.law.hear(p.Rules)
	news := p.N > 0 || r.law.stale || who.viewers != p.Viewers
	who.viewers = p.Viewers
	r.advance(who, p.Confirmed)
	if p.N > who.last && len(who.waiting) < maxWaiting {
		who.waiting[p.N] = p
	}
	r.mu.Unlock()
	if news {
		ring(r.bells.lead)
	}
}

func (t *team) peer(node string) *peer {
	p, ok := t.peers[node]
	if !ok {
		p = &peer{waiting: make(map[uint64]*wire.Partial)}
		t.peers[node] = p
	}
	return p
}

// advance notes that the partials of p up to last are in ticks. Needs mu.
func (r *room) advance(p *peer, last uint64) {
	if last <= p.last {
		return
	}
	p.last = last
	now := r.hub.clock()
	for n, w := range p.waiting {
		if n <= last {
			r.learn(w, now)
			delete(p.waiting, n)
		}
	}
}

// next returns the partials that may go into the next tick: those that follow
// the last one without a hole. A hole is filled when the node sends again.
func (p *peer) next() []*wire.Partial {
	var run []*wire.Partial
	for n := p.last + 1; ; n++ {
		w, ok := p.waiting[n]
		if !ok {
			return run
		}
		run = append(run, w)
	}
}

// forget drops nodes that have long been silent.
func (t *team) forget(now time.Duration) {
	for node, p := range t.peers {
		if now-p.seen >= peerGone && len(p.next()) == 0 {
			delete(t.peers, node)
		}
	}
}

// nodes returns the names of the peers in a fixed order.
func (t *team) nodes() []string {
	names := make([]string, 0, len(t.peers))
	for node := range t.peers {
		names = append(names, node)
	}
	slices.SortFunc(names, cmp.Compare[string])
	return names
}

// countViewers needs mu: subscribers of all nodes that were heard lately, and
// the players that are not our page.
func (r *room) countViewers() int {
	total, own := 0, r.out.subs
	now := r.hub.clock()
	for node, p := range r.team.peers {
		if node != r.node && now-p.seen < peerSilent {
			total += p.viewers
		}
	}
	if v := r.video.Load(); v.state.Live {
		total += v.state.Players
	}
	return total + own
}

// busiest needs mu: the subscribers of the node that has most.
func (r *room) busiest() int {
	most := r.out.subs
	now := r.hub.clock()
	for _, p := range r.team.peers {
		if now-p.seen < peerSilent {
			most = max(most, p.viewers)
		}
	}
	return most
}

// pace needs mu. A frame costs the busiest node viewers × 8 µs of CPU, of which
// half a core may be used; rounded up so that it does not change with each
// viewer.
func (r *room) pace() {
	d := time.Duration(r.busiest()) * frameCost * frameShare
	d = (d + intervalStep - 1).Truncate(intervalStep)
	r.team.interval = min(max(d, r.hub.cfg.TickMin), tickMax)
	if r.team.interval != r.team.announced {
		r.team.announced = r.team.interval
		r.tape.event(wire.AppendPolicyEvent(nil, r.policy()))
	}
}

// policy needs mu.
func (r *room) policy() wire.Policy {
	tick := r.team.interval.Milliseconds()
	return wire.Policy{
		Tick: tick, Delay: tick + 300, Rate: float64(r.hub.cfg.Rate), Burst: r.hub.cfg.Burst,
		Runes: maxRunes, Bytes: maxBytes, Slow: r.law.now.Load().Book.Slow,
	}
}

// number needs mu. It takes over a numbering that is not ours.
func (r *room) number(epoch string, seq uint64) {
	r.team.epoch = epoch
	r.team.heard, r.team.known = 0, seq
	r.tape.reset(wire.AppendReset(nil, epoch, seq), seq)
}

// deliver gives a finished tick to the subscribers, and their fate to those who
// wrote. The tick's own leader calls it as well, so that it does not depend on
// hearing itself; the second time nothing happens. A tick that does not follow the
// last one waits in the store's log until the lead loop has read what is between.
func (r *room) deliver(f *wire.Finished) {
	r.mu.Lock()
	newest := r.tape.tail.seq
	switch {
	case f.Epoch != r.team.epoch:
		r.link.ask = true // Lead tells whose numbering is right
	case f.Tick.Seq <= newest:
		r.mu.Unlock()
		return
	case f.Tick.Seq > newest+1:
		r.team.known = max(r.team.known, f.Tick.Seq)
	default:
		acks := r.put(f, false)
		r.past.tell(f)
		r.mu.Unlock()
		acks.ring()
		ring(r.bells.flush)
		return
	}
	r.mu.Unlock()
	ring(r.bells.lead)
}

// put needs mu. It takes over f, which is above everything on the tape; late when
// others had it before.
func (r *room) put(f *wire.Finished, late bool) wakeList {
	t := &r.team
	t.heard, t.comments, t.likes = f.Tick.Seq, f.Comments, f.Tick.Likes
	var own uint64
	for _, m := range f.Merged {
		p, known := t.peers[m.Node]
		if !known {
			p = t.peer(m.Node)
			p.seen = r.hub.clock()
		}
		r.advance(p, m.Last)
		if m.Node == r.node {
			own = m.Last
		}
	}
	if newest := r.tape.tail.seq; f.Tick.Seq > newest+1 {
		r.miss(newest+1, f.Tick.Seq-1)
	}
	// Before the tick: a writer takes it and its acks in one write.
	acks := r.confirm(own, f)
	r.tape.tick(f.Public, f.Tick.Seq, late)
	r.see(f, r.hub.clock())
	for _, c := range f.Tick.Comments {
		r.law.meet(c)
	}
	for _, e := range f.Events {
		r.happen(e)
	}
	r.shelve(f)
	r.pace()
	r.hub.metrics.ticks.Inc()
	r.hub.metrics.tickBytes.Observe(float64(len(f.Public)))
	return acks
}

// miss needs mu. It says that nobody here will ever see some ticks.
func (r *room) miss(from, to uint64) {
	r.tape.push(wire.AppendGap(nil, from, to), to)
	r.hub.metrics.lostTicks.Add(float64(to - from + 1))
}
