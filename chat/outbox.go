package chat

import (
	"time"

	"barrage/chat/internal/wire"
)

const (
	beatInterval = time.Second     // between partials that only count
	resendAfter  = time.Second     // a partial that no tick has confirmed goes out again
	spoolAfter   = 3 * time.Second // then its writers are told that it is safe, but not yet shown
	drainTimeout = time.Second     // for the last partials of a room that ends
	maxOpen      = 128             // unconfirmed partials; beyond that nobody leads
)

// outbox is this node's side of the room: from accepted comments to partials
// that a finished tick has confirmed. Guarded by room.mu.
type outbox struct {
	likes   uint64
	n       uint64      // number of the newest partial
	open    []*shipment // not settled, oldest first
	flushed time.Duration
	beaten  time.Duration
	swept   time.Duration
	subs    int // subscribers of this node
	acked   acked
	merged  merged // the flush loop's, without mu
	local   local  // the flush loop's, without mu
}

// shipment is one numbered partial.
type shipment struct {
	n       uint64
	frame   []byte
	items   []item   // whose writers are to hear what becomes of them
	cids    []byte   // of items
	likes   uint64   // that frame carries
	logged  bool     // in the log, or nothing in it has to be
	doubt   bool     // Append failed: whether it is in the log is to be seen
	count   int      // of its comments
	entry   *spooled // on disk, nil = not there
	verdict *verdict
	spooled bool // its writers were told
	at      time.Duration
	tried   time.Duration
}

// flush is the loop that carries the outbox to the broker until the room ends.
func (r *room) flush() {
	defer close(r.bells.flushed)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.stop:
			r.drain()
			return
		case <-r.bells.flush:
		case <-timer.C:
		}
		r.decide()
		r.replay()
		r.ship(false)
		r.beat()
		r.hub.retire(r)
		timer.Reset(r.flushDue())
	}
}

// flushDue is the time until the loop has something to do by itself.
func (r *room) flushDue() time.Duration {
	some, full := r.in.waits()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.hub.clock()
	due := r.out.beaten + beatInterval
	if some {
		due = min(due, r.out.flushed+r.team.interval)
	}
	if full {
		due = now
	}
	return max(due-now, time.Millisecond)
}

// ship logs and publishes the comments that wait, at most once per tick
// interval unless a batch is full or the room ends.
func (r *room) ship(last bool) {
	if last {
		r.in.close()
	}
	all := r.due(last)
	failed := false
	for c := r.in.take(all); c != nil; c = r.in.take(all) {
		if r.apart(failed) {
			r.setAside(c, nil)
			continue
		}
		s := r.pack(c)
		if failed { // the next would wait as long, in vain
			r.mu.Lock()
			s.doubt = true
			r.mu.Unlock()
			continue
		}
		failed = !r.log(s, c)
	}
	r.showLocal()
}

// due says whether a batch goes out that is not full.
func (r *room) due(last bool) bool {
	some, _ := r.in.waits()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.hub.clock()
	if !some || !last && now-r.out.flushed < r.team.interval {
		return false
	}
	r.out.flushed = now
	return true
}

// pack makes a numbered partial of a chunk.
func (r *room) pack(c *chunk) *shipment {
	p := r.view(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.hub.clock()
	r.label(&p)
	s := &shipment{
		n: p.N, items: c.items, count: len(c.items), cids: c.cids, likes: p.Likes,
		at: now, tried: now, frame: wire.AppendPartial(nil, p),
	}
	r.out.open = append(r.out.open, s)
	r.gate()
	return s
}

// log appends the chunk to the log and publishes its partial.
func (r *room) log(s *shipment, c *chunk) bool {
	batch := r.batch(c, s.n)
	ctx, cancel := r.deadline()
	defer cancel()
	begin := time.Now()
	id, err := r.hub.broker.Append(ctx, r.name, batch, s.frame)
	r.hub.metrics.append.Observe(time.Since(begin).Seconds())
	if err != nil {
		r.mu.Lock()
		s.doubt = true
		r.mu.Unlock()
		r.broken(err)
		if r.hub.spool != nil {
			r.setAside(c, s)
		}
		return false
	}
	r.acknowledge(id, string(wire.CommentID(c.comment(&c.items[0]))), batch, s.count)
	r.logged(s)
	return true
}

func (r *room) batch(c *chunk, n uint64) []byte {
	b := wire.Batch{Node: r.node, N: n, T: r.hub.now().UnixMilli(), Comments: c.comments, CIDs: c.cids}
	return wire.AppendBatch(make([]byte, 0, c.bytes()+256), b)
}

// logged says that s is in the log.
func (r *room) logged(s *shipment) {
	r.hub.metrics.logged.Add(float64(s.count))
	r.mu.Lock()
	s.logged, s.doubt = true, false
	acks := r.settle()
	r.mu.Unlock()
	acks.ring()
}

// label needs mu. It gives p its number and what it says besides comments,
// the likes for one.
func (r *room) label(p *wire.Partial) {
	p.Node, p.Viewers, p.Likes, p.Confirmed, p.Rules = r.node, r.out.subs, r.out.likes, r.out.n, r.law.version
	if len(r.out.open) > 0 {
		p.Confirmed = r.out.open[0].n - 1
	}
	if p.Count() > 0 || p.Likes > 0 || len(p.Events) > 0 {
		r.out.n++
		p.N = r.out.n
	}
	r.out.likes = 0
}

// beat tells the others once a second who is here, and sends again what no
// tick has confirmed.
func (r *room) beat() {
	r.mu.Lock()
	now := r.hub.clock()
	if now-r.out.beaten < beatInterval {
		r.mu.Unlock()
		return
	}
	r.out.beaten = now
	r.sweep(now)
	r.announce()
	r.out.acked.sweep(now)
	frames := r.overdue(now)
	if r.out.subs > 0 || r.out.likes > 0 {
		var p wire.Partial
		r.label(&p)
		frame := wire.AppendPartial(nil, p)
		if p.N > 0 {
			r.out.open = append(r.out.open, &shipment{n: p.N, frame: frame, logged: true, at: now, tried: now})
		}
		frames = append(frames, frame)
	}
	degraded := r.link.degraded
	acks := r.spool(now)
	r.mu.Unlock()
	acks.ring()
	if degraded {
		return // the lead loop finds out when that ends
	}
	for _, frame := range frames {
		ctx, cancel := r.deadline()
		err := r.hub.broker.Publish(ctx, r.name, frame)
		cancel()
		if err != nil {
			r.broken(err)
			return
		}
	}
}

// overdue needs mu.
func (r *room) overdue(now time.Duration) [][]byte {
	if r.team.known > r.tape.tail.seq {
		return nil // the ticks that are yet to be read may confirm them
	}
	var frames [][]byte
	for _, s := range r.out.open {
		if s.logged && s.verdict == nil && now-s.tried >= resendAfter {
			s.tried = now
			frames = append(frames, s.frame)
		}
	}
	return frames
}

// spool needs mu. It tells those who have waited long that their comment is safe.
func (r *room) spool(now time.Duration) (acks wakeList) {
	for _, s := range r.out.open {
		if s.logged && !s.spooled && now-s.at >= spoolAfter {
			s.spooled = true
			for i := range s.items {
				it := &s.items[i]
				acks = acks.add(it.to, wire.Ack{CID: it.cidIn(s.cids), ID: r.commentID(it.id), Status: statusSpooled})
			}
		}
	}
	return acks
}

// settle needs mu. It closes the shipments that are both in the log and in a
// tick, and tells their writers.
func (r *room) settle() (acks wakeList) {
	kept := r.out.open[:0]
	now := r.hub.clock()
	for _, s := range r.out.open {
		if !s.logged || s.verdict == nil {
			kept = append(kept, s)
			continue
		}
		if s.entry != nil {
			r.hub.spool.done(s.entry) // its writers heard "spooled" at once
		} else {
			for i := range s.items {
				r.hub.metrics.ack.Observe((now - s.items[i].at).Seconds())
			}
		}
		acks = r.tell(acks, s, "", "")
	}
	clear(r.out.open[len(kept):])
	r.out.open = kept
	r.gate()
	return acks
}

// tell needs mu. It acks everything in s, with the given status or that of the
// verdict.
func (r *room) tell(acks wakeList, s *shipment, status, note string) wakeList {
	for i := range s.items {
		it := &s.items[i]
		st, nt, id := status, note, ""
		if st != statusRejected {
			st, nt = s.verdict.on(it)
			id = r.commentID(it.id)
		}
		to := it.from.settle(it.cid, it.to, st, nt)
		acks = acks.add(to, wire.Ack{CID: it.cidIn(s.cids), ID: id, Status: st, Note: nt})
	}
	return acks
}

// verdict is what one tick means for the comments of this node.
type verdict struct {
	shown map[int64]struct{}
	into  map[uint64]string // by key
	rest  bool
}

func (v *verdict) on(it *item) (status, into string) {
	if _, ok := v.shown[it.id]; ok {
		return statusShown, ""
	}
	if id, ok := v.into[it.key]; ok {
		return statusMerged, id
	}
	if !v.rest {
		return statusShown, "" // in a tick that did not reach us
	}
	return statusRest, ""
}

// confirm needs mu. It notes the fate of the comments in our partials up to last.
func (r *room) confirm(last uint64, f *wire.Finished) wakeList {
	var v *verdict
	for _, s := range r.out.open {
		if s.n > last || s.verdict != nil {
			continue
		}
		if v == nil {
			v = r.judge(f)
		}
		s.verdict = v
	}
	if v == nil {
		return nil
	}
	return r.settle()
}

func (r *room) judge(f *wire.Finished) *verdict {
	v := &verdict{shown: make(map[int64]struct{}), into: make(map[uint64]string), rest: f.Tick.Rest > 0}
	for _, c := range f.Tick.Comments {
		v.shown[r.ownID(wire.CommentID(c))] = struct{}{}
	}
	for _, k := range f.Tick.Combos {
		v.into[k.Key] = k.ID
	}
	return v
}

// drain ends the outbox: what was accepted is logged, and given a moment to be
// shown; then writers hear how far it came.
func (r *room) drain() {
	r.ship(true)
	r.decide()
	timer := time.NewTimer(drainTimeout)
	defer timer.Stop()
	for waiting := true; waiting; {
		r.mu.Lock()
		waiting = len(r.out.open) > 0 && !r.link.degraded
		r.mu.Unlock()
		if !waiting {
			break
		}
		select {
		case <-r.bells.flush:
		case <-timer.C:
			waiting = false
		}
	}
	r.mu.Lock()
	acks := r.spool(r.hub.clock() + spoolAfter)
	r.mu.Unlock()
	acks.ring()
}

// sweep needs mu. It forgets authors who have long been silent.
func (r *room) sweep(now time.Duration) {
	if now-r.out.swept >= sweepInterval {
		r.out.swept = now
		r.authors.sweep(now)
	}
}

// wakeList is the writers that have acks to send.
type wakeList []*subscriber

// add hands s an ack.
func (l wakeList) add(s *subscriber, a wire.Ack) wakeList {
	if s.ack(a) {
		l = append(l, s)
	}
	return l
}

// ring wakes them. Not before all acks of a tick are there, so that each gets one frame.
func (l wakeList) ring() {
	for _, s := range l {
		ring(s.wake)
	}
}
