package chat

import (
	"time"

	"barrage/chat/internal/wire"
)

const (
	fillBatch = 64              // ticks read at once
	fillAge   = 3 * time.Second // then a hole that cannot be read is told as a gap
)

// fill reads the ticks that the bus did not bring, up to the newest that is
// known of. It is part of the lead loop: who is to number the next tick must
// know what the last ones confirmed.
func (r *room) fill(l *leadership) {
	for {
		r.mu.Lock()
		if r.old.busy == nil && r.hub.clock()-r.old.at > recallAge {
			r.old = recall{}
		}
		after, known := r.tape.tail.seq, r.team.known
		r.mu.Unlock()
		if known <= after {
			l.hole = 0
			return
		}
		now := r.hub.clock()
		if l.hole == 0 {
			l.hole = now
		}
		// Older ones could not be resumed from, and their pictures have gone.
		ticks, err := r.ticks(max(after, known-min(known, ringTicks)), fillBatch)
		switch {
		case err != nil:
			r.broken(err)
			if now-l.hole < fillAge {
				return // again when the loop comes by
			}
			r.giveUp(known)
		case !r.refill(ticks, true):
			r.giveUp(known)
		}
	}
}

// ticks reads finished ticks behind after from the log.
func (r *room) ticks(after uint64, n int) ([]*wire.Finished, error) {
	ctx, cancel := r.deadline()
	defer cancel()
	frames, err := r.hub.broker.Ticks(ctx, r.name, after, n)
	if err != nil {
		return nil, err
	}
	ticks := make([]*wire.Finished, 0, len(frames))
	for _, frame := range frames {
		// One of a version that this node does not know stays a hole.
		if v, err := wire.ParseFrame(frame); err == nil {
			if f, ok := v.(*wire.Finished); ok {
				ticks = append(ticks, f)
			}
		}
	}
	return ticks, nil
}

// refill delivers ticks from the log, and says whether any was news. With tell the
// history hears of them, too.
func (r *room) refill(ticks []*wire.Finished, tell bool) (news bool) {
	for _, f := range ticks {
		r.mu.Lock()
		var acks wakeList
		if f.Epoch == r.team.epoch && f.Tick.Seq > r.tape.tail.seq {
			acks, news = r.put(f, true), true
			if tell {
				r.past.tell(f)
			}
			r.hub.metrics.lateTicks.Inc()
		}
		r.mu.Unlock()
		acks.ring()
	}
	if news {
		ring(r.bells.flush)
	}
	return news
}

// giveUp tells of the ticks up to known as lost, unless they came meanwhile.
func (r *room) giveUp(known uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if newest := r.tape.tail.seq; newest < known {
		r.miss(newest+1, known)
	}
}

// adopt takes over a numbering that is not ours, with the last of its ticks:
// what was missed of it is seen, a room that opens again can be resumed in, and its
// counts go on.
func (r *room) adopt(lease Lease) error {
	ticks, err := r.ticks(lease.Seq-min(lease.Seq, ringTicks), ringTicks)
	if err != nil {
		return err
	}
	for len(ticks) > 0 && ticks[0].Epoch != lease.Epoch {
		ticks = ticks[1:] // the epoch changed between the two calls: the next Lead tells
	}
	r.mu.Lock()
	opens := r.team.epoch == ""
	from := lease.Seq
	if len(ticks) > 0 {
		from = ticks[0].Tick.Seq - 1
	}
	r.number(lease.Epoch, from)
	r.team.known = max(r.team.known, lease.Seq)
	r.mu.Unlock()
	r.refill(ticks, !opens)
	if opens {
		r.mu.Lock()
		r.past.join(ticks)
		r.mu.Unlock()
	}
	return nil
}

// join adds what was said in ticks after what came from the log. They also have
// what is older than that, so nothing is added where the two do not meet.
func (h *history) join(ticks []*wire.Finished) {
	from := len(ticks)
	if len(h.comments) == 0 {
		from = 0
	}
	for i, f := range ticks {
		for _, c := range f.Tick.Comments {
			if _, both := h.loaded[string(wire.CommentID(c))]; both {
				from = i // the last one counts
			}
		}
	}
	for _, f := range ticks[from:] {
		h.tell(f)
	}
}

// What is kept for those who come back later than the ring lasts: as many ticks
// before it, read once for all who come within recallAge.
const (
	recallTicks = 256
	recallAge   = 5 * time.Second
)

// recall is what was last read for one who came back late. Guarded by room.mu.
type recall struct {
	ticks []*wire.Finished // without a hole
	at    time.Duration
	busy  chan struct{} // closed when the reading that is under way ends
}

// recall returns the ticks behind resume that the ring no longer has, into the
// ring; nothing where it has them all, or the log does not.
func (r *room) recall(resume *wire.Resume) []*wire.Finished {
	if resume == nil {
		return nil
	}
	for range 3 { // of readings, others' included
		r.mu.Lock()
		newest, first := r.tape.tail.seq, r.tape.tail.seq+1
		if len(r.tape.ring) > 0 {
			first = r.tape.ring[0].seq
		}
		if resume.Epoch != r.team.epoch || resume.Seq+1 >= first || resume.Seq+recallTicks < first {
			r.mu.Unlock()
			return nil
		}
		if old := r.old.behind(resume.Seq, first); old != nil {
			r.mu.Unlock()
			return old
		}
		busy := r.old.busy
		if busy == nil {
			r.old.busy = make(chan struct{})
			r.mu.Unlock()
			r.remember(newest)
			continue
		}
		r.mu.Unlock()
		<-busy
	}
	return nil
}

// remember reads what recall is asked for.
func (r *room) remember(newest uint64) {
	ticks, err := r.ticks(newest-min(newest, recallTicks+ringTicks), recallTicks+ringTicks)
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.old.busy)
	r.old = recall{at: r.hub.clock()}
	if err != nil {
		return // they are told of a gap
	}
	for i, f := range ticks {
		if f.Epoch != r.team.epoch || i > 0 && f.Tick.Seq != ticks[i-1].Tick.Seq+1 {
			return
		}
	}
	r.old.ticks = ticks
}

// behind returns the ticks above seq, when they reach beyond first: the ring
// moves on until who asks is in it.
func (o recall) behind(seq, first uint64) []*wire.Finished {
	if len(o.ticks) == 0 || o.ticks[0].Tick.Seq > seq+1 || o.ticks[len(o.ticks)-1].Tick.Seq < first {
		return nil
	}
	ticks := o.ticks[seq+1-o.ticks[0].Tick.Seq:]
	return ticks[:min(len(ticks), int(first-seq)+ringTicks/2)]
}
