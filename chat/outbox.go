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
	doubtTimeout = 5 * time.Second // then writers are told that a comment is not in the log
	doubtBatches = 256             // newest batches of the log that are searched for one in doubt
	maxOpen      = 128             // unconfirmed partials; beyond that nobody leads
	maxQueued    = 1 << 16         // comments waiting for one flush
)

// outbox is this node's side of the room: from accepted comments to partials
// that a finished tick has confirmed. Guarded by room.mu.
type outbox struct {
	items   []wire.Item
	sent    []receipt // of items, in their order
	likes   uint64
	n       uint64      // number of the newest partial
	open    []*shipment // not settled, oldest first
	flushed time.Duration
	beaten  time.Duration
	swept   time.Duration
	subs    int   // subscribers of this node
	lastID  int64 // of a comment, in µs
}

// receipt ties a comment to whom to tell what became of it.
type receipt struct {
	cid  string
	from *author
	*sent
}

// shipment is one numbered partial.
type shipment struct {
	n         uint64
	frame     []byte
	receipts  []receipt
	likes     uint64 // that frame carries
	logged    bool   // in the log, or nothing in it has to be
	doubt     bool   // Append failed: whether it is in the log is to be seen
	confirmed bool   // in a finished tick
	spooled   bool   // its writers were told
	at        time.Duration
	tried     time.Duration
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
		r.ship(false)
		r.beat()
		r.hub.retire(r)
		timer.Reset(r.flushDue())
	}
}

// flushDue is the time until the loop has something to do by itself.
func (r *room) flushDue() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.hub.clock()
	due := r.out.beaten + beatInterval
	if len(r.out.items) > 0 {
		due = min(due, r.out.flushed+r.team.interval)
	}
	return max(due-now, time.Millisecond)
}

// ship logs and publishes the comments that wait, at most once per tick
// interval unless the room ends.
func (r *room) ship(last bool) {
	r.mu.Lock()
	now := r.hub.clock()
	if len(r.out.items) == 0 || !last && now-r.out.flushed < r.team.interval {
		r.mu.Unlock()
		return
	}
	items, receipts := r.out.items, r.out.sent
	r.out.items, r.out.sent = nil, nil
	r.out.flushed = now
	p := r.partial(items)
	s := &shipment{n: p.N, receipts: receipts, likes: p.Likes, at: now, tried: now, frame: wire.AppendPartial(nil, p)}
	r.out.open = append(r.out.open, s)
	r.mu.Unlock()

	batch := wire.Batch{Node: r.node, N: p.N, T: r.hub.now().UnixMilli()}
	for i, it := range items {
		batch.Comments = append(batch.Comments, it.Comment)
		batch.CIDs = append(batch.CIDs, receipts[i].cid)
	}
	ctx, cancel := r.deadline()
	defer cancel()
	begin := time.Now()
	_, err := r.hub.broker.Append(ctx, r.name, wire.AppendBatch(nil, batch), s.frame)
	r.hub.metrics.append.Observe(time.Since(begin).Seconds())
	if err != nil {
		r.mu.Lock()
		s.doubt = true
		r.mu.Unlock()
		r.broken(err)
		return
	}
	r.logged(s)
}

// logged says that s is in the log.
func (r *room) logged(s *shipment) {
	r.hub.metrics.logged.Add(float64(len(s.receipts)))
	r.mu.Lock()
	s.logged, s.doubt = true, false
	acks := r.settle()
	r.mu.Unlock()
	acks.send()
}

// decide ends the doubt over batches whose Append failed: a timeout does not
// say whether the broker took one, the log does, once the broker answers again.
func (r *room) decide() {
	r.mu.Lock()
	degraded, now := r.link.degraded, r.hub.clock()
	var open []*shipment
	for _, s := range r.out.open {
		if s.doubt {
			open = append(open, s)
		}
	}
	r.mu.Unlock()
	if len(open) == 0 {
		return
	}
	var found map[uint64]bool
	if !degraded {
		var err error
		if found, err = r.search(); err != nil {
			r.broken(err)
			degraded = true
		}
	}
	for _, s := range open {
		switch {
		case found[s.n]:
			r.logged(s) // beat repeats its frame until a tick confirms it
		case !degraded || now-s.at >= doubtTimeout:
			r.lost(s)
		}
	}
}

// search returns the numbers of this node's batches among the newest of the log.
func (r *room) search() (found map[uint64]bool, err error) {
	ctx, cancel := r.deadline()
	defer cancel()
	entries, err := r.hub.broker.Tail(ctx, r.name, doubtBatches)
	if err != nil {
		return nil, err
	}
	found = make(map[uint64]bool)
	for _, e := range entries {
		if b, err := wire.ParseBatch(e.Batch); err == nil && b.Node == r.node {
			found[b.N] = true
		}
	}
	return found, nil
}

// partial needs mu. It takes the next number, and the likes.
func (r *room) partial(items []wire.Item) wire.Partial {
	p := wire.Partial{Node: r.node, Viewers: r.out.subs, Confirmed: r.out.n, Likes: r.out.likes, Rules: r.law.version, Items: items}
	if len(r.out.open) > 0 {
		p.Confirmed = r.out.open[0].n - 1
	}
	if len(items) > 0 || p.Likes > 0 {
		r.out.n++
		p.N = r.out.n
	}
	r.out.likes = 0
	return p
}

// lost turns s into an empty partial: its number was used, so the leader waits
// for it, but its comments were not said.
func (r *room) lost(s *shipment) {
	r.mu.Lock()
	s.frame = wire.AppendPartial(nil, wire.Partial{Node: r.node, N: s.n, Confirmed: s.n - 1, Viewers: r.out.subs})
	s.logged, s.doubt = true, false
	r.out.likes, s.likes = r.out.likes+s.likes, 0 // they go with the next one
	receipts := s.receipts
	s.receipts = nil
	acks := make(ackList)
	for _, rc := range receipts {
		rc.from.forget(rc.cid)
		acks.add(rc, "", statusRejected, rejectUnavailable)
	}
	r.settle()
	r.mu.Unlock()
	r.hub.metrics.rejected.WithLabelValues(rejectUnavailable).Add(float64(len(receipts)))
	acks.send()
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
	frames := r.overdue(now)
	if r.out.subs > 0 || r.out.likes > 0 {
		p := r.partial(nil)
		frame := wire.AppendPartial(nil, p)
		if p.N > 0 {
			r.out.open = append(r.out.open, &shipment{n: p.N, frame: frame, logged: true, at: now, tried: now})
		}
		frames = append(frames, frame)
	}
	degraded := r.link.degraded
	acks := r.spool(now)
	r.mu.Unlock()
	acks.send()
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
	var frames [][]byte
	for _, s := range r.out.open {
		if s.logged && !s.confirmed && now-s.tried >= resendAfter {
			s.tried = now
			frames = append(frames, s.frame)
		}
	}
	return frames
}

// spool needs mu. It tells those who have waited long that their comment is safe.
func (r *room) spool(now time.Duration) ackList {
	acks := make(ackList)
	for _, s := range r.out.open {
		if s.logged && !s.spooled && now-s.at >= spoolAfter {
			s.spooled = true
			for _, rc := range s.receipts {
				acks.add(rc, rc.id, statusSpooled, "")
			}
		}
	}
	return acks
}

// settle needs mu. It closes the shipments that are both in the log and in a
// tick, and returns what their writers are to hear.
func (r *room) settle() ackList {
	acks := make(ackList)
	kept := r.out.open[:0]
	now := r.hub.clock()
	for _, s := range r.out.open {
		if !s.logged || !s.confirmed {
			kept = append(kept, s)
			continue
		}
		for _, rc := range s.receipts {
			r.hub.metrics.ack.Observe((now - rc.at).Seconds())
			acks.add(rc, rc.id, rc.status, "")
			rc.to = nil
		}
	}
	clear(r.out.open[len(kept):])
	r.out.open = kept
	return acks
}

// confirm needs mu. It notes the fate of the comments in our partials up to last.
func (r *room) confirm(last uint64, f *wire.Finished) ackList {
	var shown map[string]struct{}
	if f.Tick.Rest > 0 {
		shown = make(map[string]struct{}, len(f.Tick.Comments))
		for _, c := range f.Tick.Comments {
			shown[string(wire.CommentID(c))] = struct{}{}
		}
	}
	for _, s := range r.out.open {
		if s.n > last || s.confirmed {
			continue
		}
		s.confirmed = true
		for _, rc := range s.receipts {
			rc.status = statusShown
			if _, ok := shown[rc.id]; shown != nil && !ok {
				rc.status = statusRest
			}
		}
	}
	return r.settle()
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
	acks.send()
}

// sweep needs mu. It forgets authors who have long been silent.
func (r *room) sweep(now time.Duration) {
	if now-r.out.swept < sweepInterval {
		return
	}
	r.out.swept = now
	for id, a := range r.authors {
		if now-a.seen >= authorIdle {
			delete(r.authors, id)
		}
	}
}

// ackList collects acks under the room's lock, to be sent after it.
type ackList map[*subscriber][]wire.Ack

func (l ackList) add(rc receipt, id, status, reason string) {
	if rc.to != nil {
		l[rc.to] = append(l[rc.to], wire.Ack{CID: rc.cid, ID: id, Status: status, Reason: reason})
	}
}

func (l ackList) send() {
	for s, acks := range l {
		s.tell(wire.AppendAcks(nil, acks))
	}
}
