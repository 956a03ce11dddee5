package chat

import (
	"slices"
	"strconv"
	"time"

	"barrage/chat/internal/wire"
)

const (
	doubtTimeout = 5 * time.Second // then writers are told that a comment is not in the log
	doubtBatches = 256             // newest batches of the log that are searched for one in doubt
	logPage      = 32              // batches read at once; in a surge each has a megabyte
	logSlack     = 10 * time.Second
	ackedAge     = 10 * time.Second
	ackedBytes   = 32 << 20
)

// decide ends the doubt over batches whose Append failed: a timeout does not
// say whether the broker took one, the log does, once the broker answers again.
func (r *room) decide() {
	r.mu.Lock()
	degraded, now := r.link.degraded, r.hub.clock()
	var open []*shipment
	for _, s := range r.out.open {
		if s.doubt && s.entry == nil { // over what is on disk replay decides
			open = append(open, s)
		}
	}
	r.mu.Unlock()
	if len(open) == 0 {
		return
	}
	found := make(map[uint64]bool) // by number, of ours
	if !degraded {
		all, err := r.search("")
		if err != nil {
			r.broken(err)
			degraded = true
		}
		for _, m := range all {
			if m.Node == r.node {
				found[m.Last] = true
			}
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

// search returns whose partials carry the batches of the log that came after an
// entry, by batchName; without an entry those of the newest batches.
func (r *room) search(after string) (map[string]wire.Merged, error) {
	found := make(map[string]wire.Merged)
	note := func(entries []Entry) {
		for _, e := range entries {
			if b, err := wire.ParseBatch(e.Batch); err == nil {
				found[batchName(b)] = wire.Merged{Node: b.Node, Last: b.N}
			}
		}
	}
	from, err := ParseEntryID(after)
	if err != nil || from == (EntryID{}) {
		ctx, cancel := r.deadline()
		defer cancel()
		entries, err := r.hub.broker.Tail(ctx, r.name, doubtBatches)
		note(entries)
		return found, err
	}
	// Who took over the log may have a clock that is behind.
	from.MS = max(0, from.MS-logSlack.Milliseconds())
	for {
		entries, err := r.page(from.String())
		if err != nil {
			return nil, err
		}
		note(entries)
		if len(entries) < logPage {
			return found, nil
		}
		if from, err = ParseEntryID(entries[len(entries)-1].ID); err != nil {
			return nil, err
		}
	}
}

func (r *room) page(after string) ([]Entry, error) {
	ctx, cancel := r.deadline()
	defer cancel()
	return r.hub.broker.Read(ctx, r.name, after, logPage)
}

// batchName is the id of a batch's first comment: no other batch has it, whoever
// appended it and under which number. Records have none.
func batchName(b wire.Logged) string {
	if len(b.Comments) == 0 {
		return b.Node + "/" + strconv.FormatUint(b.N, 10)
	}
	return string(wire.CommentID(b.Comments[0]))
}

// lost turns s into an empty partial: its number was used, so the leader waits
// for it, but its comments were not said.
func (r *room) lost(s *shipment) {
	r.mu.Lock()
	s.frame = wire.AppendPartial(nil, wire.Partial{Node: r.node, N: s.n, Confirmed: s.n - 1, Viewers: r.out.subs})
	s.logged, s.doubt = true, false
	r.out.likes, s.likes = r.out.likes+s.likes, 0 // they go with the next one
	acks, n := r.tell(nil, s, statusRejected, rejectUnavailable), s.count
	s.items, s.count = nil, 0
	r.settle()
	r.mu.Unlock()
	r.hub.metrics.rejected.WithLabelValues(rejectUnavailable).Add(float64(n))
	acks.ring()
}

// acked is the newest batches that the broker acknowledged: one that takes over
// from another may lack the last of them. Guarded by room.mu.
type acked struct {
	batches []ackedBatch // oldest first
	bytes   int
	newest  string // entry of the log that is known, as far as we know the newest
	compare bool   // the broker was away: it may lack some
}

type ackedBatch struct {
	id    string // of the entry
	name  string // batchName
	batch []byte
	count int
	at    time.Duration
}

// sweep forgets what any broker has by now, unless it is to be compared.
func (a *acked) sweep(now time.Duration) {
	if a.compare {
		return
	}
	n := 0
	for n < len(a.batches) && (now-a.batches[n].at > ackedAge || a.bytes > ackedBytes) {
		a.bytes -= len(a.batches[n].batch)
		n++
	}
	clear(a.batches[:n])
	a.batches = a.batches[n:]
}

// acknowledge notes that the broker took a batch. Without a spool nothing is kept.
func (r *room) acknowledge(id, name string, batch []byte, count int) {
	if r.hub.spool == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := &r.out.acked
	a.newest = id
	a.batches = append(a.batches, ackedBatch{id: id, name: name, batch: batch, count: count, at: r.hub.clock()})
	a.bytes += len(batch)
	a.sweep(r.hub.clock())
}

// relog appends again what a broker that was away had acknowledged and lacks now.
// It says whether the log is whole.
func (r *room) relog() bool {
	r.mu.Lock()
	compare, batches := r.out.acked.compare, slices.Clone(r.out.acked.batches)
	r.mu.Unlock()
	if !compare {
		return true
	}
	if len(batches) > 0 {
		found, err := r.search(batches[0].id)
		if err != nil {
			r.broken(err)
			return false
		}
		if !r.appendAgain(batches, found) {
			return false
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.acked.compare = r.link.degraded && !r.link.answers
	return !r.out.acked.compare
}

func (r *room) appendAgain(batches []ackedBatch, found map[string]wire.Merged) bool {
	there := func(b ackedBatch) bool { _, ok := found[b.name]; return ok }
	// The oldest go when they are safe elsewhere (Trim); what a broker loses is the newest.
	if first := slices.IndexFunc(batches, there); first > 0 {
		batches = batches[first:]
	}
	restored := 0
	for _, b := range batches {
		if there(b) {
			continue
		}
		ctx, cancel := r.deadline()
		_, err := r.hub.broker.Append(ctx, r.name, b.batch, nil) // its partial went out
		cancel()
		if err != nil {
			r.broken(err)
			return false
		}
		restored += b.count
	}
	if restored > 0 {
		r.hub.metrics.restored.Add(float64(restored))
		r.hub.log.Warn("comments logged again", "room", r.name, "count", restored, "reason", "the broker had lost them")
	}
	return true
}
