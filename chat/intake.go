package chat

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	batchBytes = 1<<20 - 64<<10 // of comments and cids in one batch of the log, which so stays below 1 MiB
	maxQueued  = 64 << 20       // bytes of comments that wait for the log
	maxBacklog = 8 << 20        // beyond it readers wait a while: what is not read yet waits at its sender
	backlogFor = time.Second
)

// intake is where accepted comments wait for the next flush: the one place that
// all readers of a room meet, for as long as it takes to copy a comment.
type intake struct {
	shut   atomic.Bool  // no comment can be taken: the broker is away, or nobody leads
	lastID atomic.Int64 // of a comment, in µs

	mu     sync.Mutex
	closed bool
	full   []*chunk      // oldest first
	open   *chunk        // nil when nothing is in it
	bytes  int           // in full
	eased  chan struct{} // closed when bytes falls below maxBacklog; nil while it is
}

// chunk is what becomes one batch in the log and one partial.
type chunk struct {
	comments []byte // as they stand in the batch
	cids     []byte
	items    []item
}

// item is one comment of a chunk.
type item struct {
	key      uint64 // of its combo; 0 = is merged with nothing, and always shown
	id       int64
	at       time.Duration
	from     *author
	to       *subscriber // who waits for the ack
	cid      uint64      // its hash
	cidEnd   uint32      // in chunk.cids, behind the closing quotation mark
	begin    uint32      // in chunk.comments
	end      uint32
	cidBytes uint8
}

func (c *chunk) comment(it *item) []byte { return c.comments[it.begin:it.end:it.end] }

func (c *chunk) bytes() int { return len(c.comments) + len(c.cids) }

// cidIn returns the client's own id of a comment.
func (it *item) cidIn(cids []byte) string {
	end := it.cidEnd - 1
	return string(cids[end-uint32(it.cidBytes) : end])
}

// put takes a comment, or says why it cannot. ring says that the flush loop has
// something to do that it does not know of.
func (in *intake) put(it item, cid string, comment []byte) (refused string, ring bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.closed:
		return rejectUnavailable, false
	case in.bytes >= maxQueued:
		return rejectBusy, false
	}
	c := in.open
	if c != nil && c.bytes()+len(comment)+len(cid) > batchBytes {
		in.full = append(in.full, c)
		in.bytes += c.bytes()
		if in.eased == nil && in.bytes >= maxBacklog {
			in.eased = make(chan struct{})
		}
		c, ring = nil, true
	}
	if c == nil {
		c = &chunk{}
		if n := len(in.full); n > 0 { // the next will be as large as the last
			last := in.full[n-1]
			c.comments, c.cids = make([]byte, 0, len(last.comments)), make([]byte, 0, len(last.cids))
			c.items = make([]item, 0, len(last.items)+len(last.items)/8)
		}
		in.open, ring = c, true
	} else {
		c.comments, c.cids = append(c.comments, ','), append(c.cids, ',')
	}
	it.begin = uint32(len(c.comments))
	c.comments = append(c.comments, comment...)
	it.end = uint32(len(c.comments))
	c.cids = append(append(append(c.cids, '"'), cid...), '"')
	it.cidEnd, it.cidBytes = uint32(len(c.cids)), uint8(len(cid))
	c.items = append(c.items, it)
	return "", ring
}

// take returns the oldest chunk, nil when there is none; one that is not full
// only when all is asked for.
func (in *intake) take(all bool) *chunk {
	in.mu.Lock()
	defer in.mu.Unlock()
	c := in.open
	switch {
	case len(in.full) > 0:
		c, in.full = in.full[0], in.full[1:]
		in.bytes -= c.bytes()
		if in.eased != nil && in.bytes < maxBacklog {
			close(in.eased)
			in.eased = nil
		}
	case !all || c == nil:
		return nil
	default:
		in.open = nil
	}
	return c
}

// waits says whether there is something to take.
func (in *intake) waits() (some, full bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.open != nil, len(in.full) > 0
}

// backlog waits until the log has caught up, for a moment: readers are many and
// the loop that carries away what they bring is one.
func (in *intake) backlog(done <-chan struct{}) {
	in.mu.Lock()
	eased := in.eased
	in.mu.Unlock()
	if eased == nil {
		return
	}
	timer := time.NewTimer(backlogFor)
	defer timer.Stop()
	select {
	case <-eased:
	case <-timer.C:
	case <-done:
	}
}

// close ends the intake: what was not put in by now is refused.
func (in *intake) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
}

// nextID returns an id for a comment. Those of one node in one room grow with
// time even when the clock goes back.
func (in *intake) nextID(wall time.Time) int64 {
	for {
		last := in.lastID.Load()
		id := max(wall.UnixMicro(), last+1)
		if in.lastID.CompareAndSwap(last, id) {
			return id
		}
	}
}
