package chat

import "time"

// keptCIDs is how many comments of one author can be sent again without
// becoming new ones.
const keptCIDs = 64

// authorIdle is how long an author who has left is remembered.
const authorIdle = 2 * time.Minute

// gcra is the generic cell rate algorithm: a token bucket in one number. The
// zero value is a full bucket.
type gcra struct {
	tat time.Duration // theoretical arrival time, on the hub's monotonic clock
}

// take spends n events of the given interval each, of which burst may come at
// once. It returns 0, or how long to wait, having spent nothing.
func (g *gcra) take(now, interval time.Duration, burst, n int) time.Duration {
	tat := max(g.tat, now) + time.Duration(n)*interval
	if wait := tat - now - time.Duration(burst)*interval; wait > 0 {
		return wait
	}
	g.tat = tat
	return 0
}

// author is what a room on this node knows of one who comments, whichever
// sockets he uses. Guarded by room.mu.
type author struct {
	bucket gcra
	slow   gcra // of slow mode
	seen   time.Duration
	cids   map[string]*sent
	order  []string // of cids, oldest first
}

// sent is one comment on its way or lately arrived.
type sent struct {
	id     string
	status string      // empty while it is on its way
	to     *subscriber // who waits for the ack; nil when he has gone
	at     time.Duration
}

func newAuthor() *author { return &author{cids: make(map[string]*sent)} }

func (a *author) remember(cid string, s *sent) {
	if len(a.order) == keptCIDs {
		delete(a.cids, a.order[0])
		a.order = append(a.order[:0], a.order[1:]...)
	}
	a.cids[cid] = s
	a.order = append(a.order, cid)
}

// forget makes room for a second try: what was rejected was never said.
func (a *author) forget(cid string) {
	delete(a.cids, cid)
	for i, c := range a.order {
		if c == cid {
			a.order = append(a.order[:i], a.order[i+1:]...)
			return
		}
	}
}
