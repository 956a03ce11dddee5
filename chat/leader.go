package chat

import (
	"errors"
	"time"

	"barrage/chat/internal/wire"
)

// A dead leader is replaced within leaseTTL + leaseInterval + the broker's
// answer: under 3 s.
const (
	leaseTTL      = 2 * time.Second
	leaseInterval = 600 * time.Millisecond
	heirPatience  = 500 * time.Millisecond // a new leader waits so long for the last tick of the old one
	countInterval = time.Second            // between ticks that only carry new counts
	idleInterval  = 8 * time.Second        // between ticks that carry nothing at all
)

// leadership is this node's part in leading the room. Only the lead loop
// touches it.
type leadership struct {
	held   bool
	since  time.Duration // when it was gained
	asked  time.Duration // when the lease was last asked for
	seq    uint64        // last number given
	doubt  *wire.Finished
	frame  []byte // of doubt: a tick of which we do not know whether it was published
	ticked time.Duration
	budget float64 // comments that may be shown now
	tally  tally   // of the tick being made, or in doubt
	counts counts  // as in the last tick
	measured

	hole time.Duration // when ticks were found missing; 0 = none are
}

type counts struct {
	viewers int
	likes   uint64

	archived string // entry of the log
}

// lead is the loop that asks for the room's lease and, while it is held,
// finishes ticks. It outlives the flush loop, whose last partials it merges.
func (r *room) lead() {
	l := leadership{asked: -leaseInterval, budget: r.fullBudget()}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.bells.flushed:
			r.resign(&l)
			return
		case <-r.bells.lead:
		case <-timer.C:
		}
		if r.mustAsk(&l) {
			r.ask(&l)
			r.study()
			r.open()
		} else {
			r.study()
		}
		r.fill(&l)
		r.finish(&l)
		r.keeper.leads.Store(l.held)
		r.measure(&l)
		timer.Reset(r.leadDue(&l))
	}
}

// mustAsk also spends the wish to ask at once.
func (r *room) mustAsk(l *leadership) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.link.ask || r.hub.clock()-l.asked >= leaseInterval
	r.link.ask = false
	return now
}

// ask takes or renews the lease and learns how far the numbering is.
func (r *room) ask(l *leadership) {
	ctx, cancel := r.deadline()
	defer cancel()
	lease, err := r.hub.broker.Lead(ctx, r.name, r.node, leaseTTL)
	l.asked = r.hub.clock()
	if err != nil {
		l.held = false
		r.broken(err)
		return
	}
	if r.foreign(lease.Epoch) {
		l.doubt, l.seq = nil, 0
		if err := r.adopt(lease); err != nil {
			l.held = false
			r.broken(err)
			return
		}
	}
	r.mu.Lock()
	r.team.known = max(r.team.known, lease.Seq)
	// Above lease.Seq when the store has lost its newest numbers: subscribers have them.
	l.seq = max(r.team.known, r.tape.tail.seq)
	r.team.forget(l.asked)
	r.law.stale = r.law.stale || lease.RulesVersion != r.law.version
	r.mu.Unlock()
	r.works()
	if lease.Held && !l.held {
		l.since = l.asked
		l.measured = measured{}
		r.hub.metrics.leads.Inc()
		r.hub.log.Debug("leads room", "room", r.name, "node", r.node, "seq", lease.Seq)
	}
	l.held = lease.Held
	r.clear(l)
}

func (r *room) foreign(epoch string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.team.epoch != epoch
}

// clear ends the doubt over a tick whose publishing failed without a clear
// answer: the store knows its number or it was never published.
func (r *room) clear(l *leadership) {
	f := l.doubt
	switch {
	case f == nil:
	case l.seq >= f.Tick.Seq && l.held:
		l.doubt = nil
		r.done(l, f)
	case !l.held:
		// Another leads. If ours was published he has heard it; if not, he
		// merges the same partials again.
		l.doubt = nil
	}
}

// resign gives the lease back, so that others need not wait for its end.
func (r *room) resign(l *leadership) {
	r.finish(l)
	r.keeper.leads.Store(l.held)
	r.tidy(true)
	if !l.held {
		return
	}
	l.ticked -= tickMax // who leads next is told at once how far the archive is
	r.finish(l)
	ctx, cancel := r.deadline()
	defer cancel()
	if err := r.hub.broker.Resign(ctx, r.name, r.node); err != nil {
		r.hub.log.Debug("lease not returned", "room", r.name, "err", err)
	}
}

// leadDue is the time until the loop has something to do by itself.
func (r *room) leadDue(l *leadership) time.Duration {
	now := r.hub.clock()
	due := l.asked + leaseInterval
	if l.held {
		r.mu.Lock()
		due = min(due, r.tickDue(l))
		r.mu.Unlock()
	}
	return max(due-now, time.Millisecond)
}

// tickDue needs mu. It is when the next tick is to be finished, as things are.
func (r *room) tickDue(l *leadership) time.Duration {
	urgent, likes := false, uint64(0)
	for _, p := range r.team.peers {
		for _, w := range p.next() {
			urgent = urgent || w.Count() > 0 || len(w.Events) > 0
			likes += w.Likes
		}
	}
	viewers := r.countViewers()
	due := l.ticked + idleInterval
	switch {
	case urgent:
		due = l.ticked + r.team.interval
	case likes > 0 || viewers != l.counts.viewers || r.news.archived != l.counts.archived:
		due = l.ticked + max(countInterval, r.team.interval)
	}
	// The heir must know what the last tick confirmed before it merges.
	if r.team.heard < l.seq {
		due = max(due, l.since+heirPatience)
	}
	return due
}

// finish makes, publishes and delivers the next tick if it is due.
func (r *room) finish(l *leadership) {
	if !l.held {
		return
	}
	if l.doubt == nil {
		r.mu.Lock()
		now := r.hub.clock()
		if now < r.tickDue(l) {
			r.mu.Unlock()
			return
		}
		f := r.compose(l, now)
		r.mu.Unlock()
		l.frame = wire.AppendFinished(nil, *f)
		l.doubt = f
	}
	ctx, cancel := r.deadline()
	defer cancel()
	err := r.hub.broker.Advance(ctx, r.name, r.node, l.doubt.Tick.Seq, l.frame)
	switch {
	case err == nil:
		f := l.doubt
		l.doubt = nil
		r.done(l, f)
	case errors.Is(err, ErrNotLeader):
		// Not published, now or before: a tick in doubt is only tried again
		// when Lead has said that its number was not given.
		l.doubt, l.held = nil, false
		r.mu.Lock()
		r.link.ask = true
		r.mu.Unlock()
		ring(r.bells.lead)
	default:
		r.broken(err)
		l.held = false // until Lead answers again
	}
}

// done counts and delivers a tick that was published.
func (r *room) done(l *leadership, f *wire.Finished) {
	m := r.hub.metrics
	m.accepted.Add(float64(l.tally.count))
	m.shown.Add(float64(len(f.Tick.Comments)))
	m.rest.Add(float64(f.Tick.Rest))
	for _, k := range f.Tick.Combos {
		m.combined.Add(float64(k.Delta))
	}
	l.seq = f.Tick.Seq
	l.ticked = r.hub.clock()
	l.counts = counts{f.Tick.Viewers, f.Tick.Likes, f.Archived}
	if v, err := wire.ParseFrame(l.frame); err == nil {
		if own, ok := v.(*wire.Finished); ok {
			r.deliver(own)
		}
	}
}

// compose needs mu. It changes nothing: until the tick is published its
// partials stay where they are.
func (r *room) compose(l *leadership, now time.Duration) *wire.Finished {
	f := &wire.Finished{Epoch: r.team.epoch, Comments: r.team.comments, Archived: r.news.archived}
	f.Tick = wire.Tick{Seq: l.seq + 1, T: r.hub.now().UnixMilli(), Viewers: r.countViewers(), Likes: r.team.likes}
	l.tally.reset()
	for _, node := range r.team.nodes() {
		p := r.team.peers[node]
		last := p.last
		for _, w := range p.next() {
			l.tally.add(w)
			f.Events = append(f.Events, w.Events...)
			f.Tick.Likes += w.Likes
			last = w.N
		}
		f.Merged = append(f.Merged, wire.Merged{Node: node, Last: last})
	}
	f.Comments += l.tally.count
	l.earn(now, r)
	r.choose(l, f)
	return f
}
