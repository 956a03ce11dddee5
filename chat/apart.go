package chat

import (
	"errors"
	"maps"

	"barrage/chat/internal/journal"
	"barrage/chat/internal/wire"
	"barrage/internal/token"
)

const (
	replayWindow = 64      // partials out of the spool that no tick has confirmed yet
	maxWriters   = 1 << 14 // comments of a room in the spool whose writers hear what becomes of them in the end
)

// Why comments do not get through, as the protocol says it.
const (
	reasonApart       = "apart"       // they are kept, and seen by the viewers of this node
	reasonUnavailable = "unavailable" // they are refused
)

// local is what this node shows its own subscribers of the comments that it keeps
// for the broker. The budget is the one that leaders have; the tables are copies:
// when the comments come in ticks they are counted again, there.
type local struct {
	leadership
	combos  comboTable // nil = none is shown
	turns   turnTable
	writers int // items held in the spool
	found   map[string]wire.Merged
}

// apart says whether a chunk goes to disk and not to the broker: it is away, may
// lack what came before, or has not got what waits in the spool.
func (r *room) apart(failed bool) bool {
	if r.hub.spool == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return failed || r.link.degraded || r.out.acked.compare || len(r.hub.spool.waiting(r.name, 1)) > 0
}

// setAside writes a chunk to disk, says so to those who wrote it, and has it shown
// with the next local tick. s is its partial when the broker may have it.
func (r *room) setAside(c *chunk, s *shipment) {
	var p wire.Partial
	rec := spoolRecord{room: r.name}
	if s == nil {
		p = r.view(c)
		rec.batch = r.batch(c, 0)
	} else {
		rec.batch = r.batch(c, s.n)
		if v, err := wire.ParseFrame(s.frame); err == nil {
			p = *v.(*wire.Partial) //nolint:forcetypeassert // pack made it
		}
	}
	r.mu.Lock()
	rec.after = r.out.acked.newest
	r.mu.Unlock()
	ctx, cancel := r.deadline()
	defer cancel()
	e, err := r.hub.spool.put(ctx, rec)
	if err != nil {
		r.hub.log.Debug("comments not kept", "room", r.name, "err", err)
		if s == nil {
			r.refuse(c)
		}
		return // decide tells those of s
	}
	r.hub.metrics.spooled.Add(float64(len(c.items)))
	r.out.local.tally.grow(&p)
	r.mu.Lock()
	e.ship = s
	if r.out.local.writers+len(c.items) <= maxWriters {
		r.out.local.writers += len(c.items)
		e.items, e.cids = c.items, c.cids
	}
	if s != nil {
		s.entry, s.spooled, s.items, s.cids = e, true, e.items, e.cids
	}
	acks := r.answer(c, statusSpooled, "")
	r.mu.Unlock()
	acks.ring()
}

// refuse tells all writers of a chunk that it was not taken.
func (r *room) refuse(c *chunk) {
	r.hub.metrics.rejected.WithLabelValues(rejectUnavailable).Add(float64(len(c.items)))
	r.mu.Lock()
	acks := r.answer(c, statusRejected, rejectUnavailable)
	r.mu.Unlock()
	acks.ring()
}

// answer needs mu.
func (r *room) answer(c *chunk, status, note string) (acks wakeList) {
	for i := range c.items {
		it := &c.items[i]
		id := ""
		if status != statusRejected {
			id = r.commentID(it.id)
		}
		to := it.from.settle(it.cid, it.to, status, note)
		acks = acks.add(to, wire.Ack{CID: it.cidIn(c.cids), ID: id, Status: status, Note: note})
	}
	return acks
}

// grow begins a tally when there is none, and adds p.
func (t *tally) grow(p *wire.Partial) {
	if t.keys == nil {
		t.reset()
	}
	t.add(p)
}

// showLocal shows what was set aside since the last time.
func (r *room) showLocal() {
	l := &r.out.local
	if l.tally.count == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.hub.clock()
	if l.combos == nil {
		l.combos, l.turns = maps.Clone(r.combos), maps.Clone(r.turns)
		l.budget, l.ticked = r.fullBudget(), now
	}
	// Nobody sees the tables change: mu is held.
	combos, turns := r.combos, r.turns
	r.combos, r.turns = l.combos, l.turns
	f := &wire.Finished{Tick: wire.Tick{T: r.hub.now().UnixMilli()}}
	l.earn(now, r)
	r.choose(&l.leadership, f)
	for key, k := range l.tally.keys {
		r.combos.add(key, k.Count, now)
	}
	r.see(f, now)
	r.combos, r.turns = combos, turns
	l.tally.reset()
	l.ticked = now
	r.tape.aside(wire.AppendLocal(nil, f.Tick))
	for _, c := range f.Tick.Comments {
		r.past.push(c)
	}
}

// replay carries what waits in the spool to the broker, in order, when it answers.
func (r *room) replay() {
	if r.hub.spool == nil {
		return
	}
	r.mu.Lock()
	// What the ticks confirm that are yet to be read is not to be sent again.
	behind := r.link.degraded && !r.link.answers || r.team.epoch == "" || r.team.known > r.tape.tail.seq
	r.mu.Unlock()
	if behind || !r.relog() {
		r.out.local.found = nil
		return
	}
	r.mu.Lock()
	batches := r.hub.spool.waiting(r.name, replayWindow-len(r.out.open))
	r.mu.Unlock()
	for _, e := range batches {
		if err := r.replayBatch(e); err != nil {
			r.out.local.found = nil
			r.broken(err)
			return
		}
	}
	r.recovered()
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := &r.out.local; l.combos != nil && len(r.hub.spool.waiting(r.name, 1)) == 0 {
		l.combos, l.turns, l.found, l.writers = nil, nil, nil, 0
	}
}

func (r *room) replayBatch(e *spooled) error {
	rec, err := r.hub.spool.load(e)
	var b wire.Logged
	if err == nil {
		b, err = wire.ParseBatch(rec.batch)
	}
	if err != nil || len(b.Comments) == 0 {
		r.hub.log.Error("comments in the spool are unreadable", "room", r.name, "err", errors.Join(err, journal.ErrDamaged),
			"hint", "they are left out; check the disk of state_dir")
		r.hub.spool.done(e)
		return nil
	}
	l := &r.out.local
	if l.found == nil { // by this first one, which is the oldest
		if l.found, err = r.search(rec.after); err != nil {
			return err
		}
	}
	in, taken := l.found[batchName(b)]
	if taken && e.ship == nil && r.merged(in) {
		r.hub.metrics.logged.Add(float64(len(b.Comments))) // who put it there did not know
		r.hub.spool.done(e)
		return nil
	}
	s := r.numbered(e, b)
	if b.N == 0 {
		rec.batch = wire.Renumber(rec.batch, r.node, s.n)
	}
	ctx, cancel := r.deadline()
	defer cancel()
	if taken {
		err = r.hub.broker.Publish(ctx, r.name, s.frame)
	} else {
		var id string
		if id, err = r.hub.broker.Append(ctx, r.name, rec.batch, s.frame); err == nil {
			r.acknowledge(id, batchName(b), rec.batch, s.count)
		}
	}
	if err == nil {
		r.logged(s)
	}
	return err
}

// merged says whether a partial, of a process that has gone, is in a tick.
func (r *room) merged(m wire.Merged) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, known := r.team.peers[m.Node]
	return known && p.last >= m.Last
}

// numbered returns the shipment of a batch of the spool, a new one when it has none.
func (r *room) numbered(e *spooled, b wire.Logged) *shipment {
	r.mu.Lock()
	s := e.ship
	r.mu.Unlock()
	if s != nil {
		return s
	}
	p := r.view(r.unpack(b))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.label(&p)
	now := r.hub.clock()
	s = &shipment{
		n: p.N, frame: wire.AppendPartial(nil, p), likes: p.Likes, count: len(b.Comments), at: now, tried: now,
		doubt: true, spooled: true, entry: e, items: e.items, cids: e.cids,
	}
	e.ship = s
	r.out.open = append(r.out.open, s)
	r.gate()
	return s
}

// unpack makes a chunk of a batch, as far as it is needed for a view.
func (r *room) unpack(b wire.Logged) *chunk {
	c := &chunk{items: make([]item, 0, len(b.Comments))}
	from := make(map[uint64]*author)
	var scratch []byte
	for _, raw := range b.Comments {
		it := item{begin: uint32(len(c.comments))}
		c.comments = append(c.comments, raw...)
		it.end = uint32(len(c.comments))
		who := r.hub.hash(wire.CommentAuthor(raw))
		if from[who] == nil {
			from[who] = &author{hash: who}
		}
		it.from = from[who]
		if said, err := wire.ParseComment(raw); err == nil && said.Role == string(token.RoleViewer) {
			it.key, scratch = r.hub.key(scratch[:0], said.Text, said.PDT)
		}
		c.items = append(c.items, it)
	}
	return c
}
