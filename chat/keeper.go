package chat

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"barrage/chat/internal/archive"
	"barrage/chat/internal/segment"
)

const (
	readBatches = 8 // of the log at once; in a surge each has a megabyte
	tailKept    = 4096
)

// keeper is this node's part in archiving the room: while it leads, what was said
// goes from the broker's log to disk, and then out of that log; what was shown goes
// from the shelf to disk.
type keeper struct {
	leads    atomic.Bool   // as the lead loop sees it
	read     atomic.Uint64 // comments counted in the room when the log was last read
	failing  atomic.Bool   // the disk does not take it
	mu       sync.Mutex    // the rest; taken before shelf.mu
	complete bool          // the shelf has what was shown before
	log      *archive.Log  // nil = not open
	after    string        // entry up to which everything is on a disk
	held     []kept        // on disk, and in the broker's log yet; oldest first
	readAt   time.Duration // 0 = look at once
	saved    time.Duration
}

// kept is one entry of the broker's log that is on disk.
type kept struct {
	id       string
	comments int
	newest   int64 // beginning of the last segment its comments lie in
}

// keep is the loop that archives until the flush loop has ended; the lead loop
// does the rest, before it gives back the lease.
func (r *room) keep() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.bells.flushed:
			return
		case <-r.bells.keep:
		case <-timer.C:
		}
		r.tidy(false)
		timer.Reset(keepInterval)
	}
}

// tidy is one round: the log, then the segments, then the broker's log, and none
// of it after one before it has failed.
func (r *room) tidy(last bool) {
	k := &r.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	known := r.recollect()
	r.shelf.mu.Lock()
	r.catchUp()
	r.shelf.mu.Unlock()
	leads := k.leads.Load()
	if r.hub.archive == nil || !known {
		r.clearShelf(false)
		return
	}
	var err error
	if leads {
		err = r.copyLog(last)
	}
	if err == nil {
		err = r.saveShelf(leads, last)
	}
	if err == nil && leads {
		r.trim()
	}
	r.clearShelf(leads)
	if err != nil || !leads || last {
		err = errors.Join(err, k.close(err == nil))
	}
	r.archiving(err)
}

// close lets go of the log. Needs mu.
func (k *keeper) close(whole bool) error {
	l := k.log
	k.log, k.held, k.readAt = nil, nil, 0
	switch {
	case l == nil:
		return nil
	case whole:
		return l.Finish()
	}
	_ = l.Close() // it has failed already
	return nil
}

// archiving says whether the disk takes what is to be archived.
func (r *room) archiving(err error) {
	k := &r.keeper
	switch was := k.failing.Swap(err != nil); {
	case was == (err != nil):
	case err != nil:
		r.hub.metrics.unkept.Inc()
		r.hub.log.Error("comments not archived", "room", r.name, "err", err,
			"hint", "free space on the disk of state_dir, or let this user write there; until then comments stay in the broker's log, which is bounded. It is tried again every second")
	default:
		r.hub.metrics.unkept.Dec()
		r.hub.log.Info("comments archived again", "room", r.name)
	}
}

// copyLog brings to disk what the broker's log has behind the last copied entry.
// Needs keeper.mu. A broker that does not answer is no error here: the room's other
// loops tell of it.
func (r *room) copyLog(last bool) error {
	k := &r.keeper
	r.mu.Lock()
	said, archived := r.news.said, r.news.archived
	r.mu.Unlock()
	now := r.hub.clock()
	if k.readAt > 0 && !last && said == k.read.Load() && now-k.readAt < recordsEvery {
		return nil
	}
	k.after, k.readAt = laterEntry(k.after, archived), now
	before := k.after
	whole, err := r.copyBatches(said)
	if whole {
		k.read.Store(said)
	} else {
		k.readAt = 0
	}
	if err != nil || k.log == nil || k.after == before {
		return err
	}
	if err = k.log.Sync(); err != nil {
		return err
	}
	r.mu.Lock()
	r.news.archived = laterEntry(r.news.archived, k.after)
	r.mu.Unlock()
	return nil
}

// copyBatches reads the broker's log to its end; whole = it got there.
func (r *room) copyBatches(said uint64) (whole bool, err error) {
	k := &r.keeper
	for {
		entries, gone := r.readLog(k.after)
		switch {
		case gone != nil:
			return false, nil //nolint:nilerr // the room's other loops tell of it
		case len(entries) == 0:
			return true, nil
		case k.log == nil && said == 0 && r.video.Load().state.Phase == "":
			return true, nil // anybody can open a room by its address; that leaves nothing on disk
		case k.log == nil:
			if err = r.openLog(); errors.Is(err, archive.ErrBusy) {
				return false, nil // the process that led before this one is just ending
			} else if err != nil {
				return false, err
			}
			continue // behind the mark that was found there
		}
		if err = r.copyEntries(entries); err != nil || len(entries) < readBatches {
			return err == nil, err
		}
	}
}

func (r *room) readLog(after string) ([]Entry, error) {
	ctx, cancel := r.deadline()
	defer cancel()
	return r.hub.broker.Read(ctx, r.name, after, readBatches)
}

func (r *room) openLog() error {
	k := &r.keeper
	l, err := r.hub.archive.Log(r.name)
	if err != nil {
		return err
	}
	k.log, k.held = l, nil
	k.after = laterEntry(k.after, l.Mark())
	return nil
}

func (r *room) copyEntries(entries []Entry) error {
	k := &r.keeper
	comments, doubles := 0, 0
	for _, e := range entries {
		n, err := k.log.Add(e.ID, e.Batch)
		if err != nil {
			return err
		}
		k.held = append(k.held, kept{id: e.ID, comments: n.Comments, newest: n.Newest})
		comments, doubles = comments+n.Comments, doubles+n.Doubles
	}
	if err := k.log.Write(); err != nil {
		return err
	}
	r.hub.metrics.archived.Add(float64(comments))
	r.hub.metrics.doubles.Add(float64(doubles))
	k.after = entries[len(entries)-1].ID
	if n := len(k.held) - tailKept; n > 0 {
		k.held = slices.Delete(k.held, 0, n) // gone from the broker's log by its own bounds, or with the next Trim
	}
	return nil
}

// saveShelf brings segments to disk: those of the leader, and on every node those
// that lie there already.
func (r *room) saveShelf(leads, last bool) error {
	k, s := &r.keeper, &r.shelf
	now, open := r.present()
	due := last || r.hub.clock()-k.saved >= saveInterval
	type page struct {
		t    int64
		view *segment.View
	}
	var pages []page
	s.mu.Lock()
	for _, seg := range s.rows.Dirty() {
		if due || seg.T+segment.Length+open <= now {
			pages = append(pages, page{seg.T, seg.View()})
		}
	}
	s.mu.Unlock()
	if due {
		k.saved = r.hub.clock()
	}
	for _, p := range pages {
		if !leads {
			if old, err := r.hub.archive.Segment(r.name, p.t); err != nil || old == nil {
				continue
			}
		}
		if err := r.hub.archive.PutSegment(r.name, p.t, p.view.Body); err != nil {
			return err
		}
		s.mu.Lock()
		s.rows.Saved(p.t, p.view)
		s.mu.Unlock()
	}
	return nil
}

// trim drops from the broker's log what is on disk, in the log and in segments that
// will hardly change any more; the room's history stays. Needs keeper.mu.
func (r *room) trim() {
	k := &r.keeper
	now, open := r.present()
	horizon := segment.Start(now - open)
	r.shelf.mu.Lock()
	for _, seg := range r.shelf.rows.Dirty() {
		horizon = min(horizon, seg.T)
	}
	r.shelf.mu.Unlock()
	behind := 0
	for _, e := range k.held {
		behind += e.comments
	}
	n := 0
	for n < len(k.held) && k.held[n].newest < horizon {
		if behind -= k.held[n].comments; behind < historySize {
			break
		}
		n++
	}
	if n == 0 || r.reason() != "" {
		return
	}
	ctx, cancel := r.deadline()
	defer cancel()
	if err := r.hub.broker.Trim(ctx, r.name, k.held[n-1].id); err != nil {
		return // again with the next round
	}
	k.held = slices.Delete(k.held, 0, n)
}

// clearShelf drops what the window has left behind.
func (r *room) clearShelf(leads bool) {
	now, open := r.present()
	r.shelf.mu.Lock()
	defer r.shelf.mu.Unlock()
	r.shelf.rows.Drop(segment.Start(now-open)-segment.Length, leads)
}
