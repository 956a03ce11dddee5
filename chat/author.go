package chat

import (
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

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

// authors are those who comment in a room on this node, spread over shards so
// that a hundred thousand comments a second do not meet at one lock.
type authors [16]authorShard

// authorShard is taken after room.mu, and before intake.mu.
type authorShard struct {
	mu sync.Mutex
	by map[uint64]*author // by person.hash
}

func (a *authors) shard(person uint64) *authorShard { return &a[person%uint64(len(a))] }

// author returns the author, new if need be. Needs mu.
func (s *authorShard) author(person uint64) *author {
	a, known := s.by[person]
	if !known {
		if s.by == nil {
			s.by = make(map[uint64]*author)
		}
		a = &author{shard: s, hash: person}
		s.by[person] = a
	}
	return a
}

// sweep forgets authors who have long been silent.
func (a *authors) sweep(now time.Duration) {
	for i := range a {
		s := &a[i]
		s.mu.Lock()
		for person, who := range s.by {
			if now-who.seen >= authorIdle {
				delete(s.by, person)
			}
		}
		s.mu.Unlock()
	}
}

// author is what a room on this node knows of one who comments, whichever
// sockets he uses. Guarded by shard.mu.
type author struct {
	shard  *authorShard
	hash   uint64
	bucket gcra
	slow   gcra // of slow mode
	seen   time.Duration
	sent   []sent                 // the newest, a ring once it has keptCIDs
	oldest int                    // of the ring
	moved  map[uint64]*subscriber // who sent a comment again while it was on its way, by sent.cid
}

// sent is one comment on its way or lately arrived.
type sent struct {
	cid    uint64 // its hash
	id     int64
	status string // empty while it is on its way
	into   string // id of the comment it was merged into
}

// hashCID makes a client's own id of a comment small; the ids of two authors
// never meet.
func hashCID[T string | []byte](cid T) uint64 { return xxhash.Sum64String(string(cid)) }

// find returns the comment with that cid, nil when there is none.
func (a *author) find(cid uint64) *sent {
	for i := range slices.Backward(a.sent) {
		if a.sent[i].cid == cid {
			return &a.sent[i]
		}
	}
	return nil
}

func (a *author) remember(s sent) {
	if len(a.sent) < keptCIDs {
		a.sent = append(a.sent, s)
		return
	}
	a.sent[a.oldest] = s
	a.oldest = (a.oldest + 1) % keptCIDs
}

// forget makes room for a second try: what was rejected was never said.
func (a *author) forget(cid uint64) {
	if i := slices.IndexFunc(a.sent, func(s sent) bool { return s.cid == cid }); i >= 0 {
		a.sent[i].cid = 0
	}
}

// settle notes what became of a comment that came through to, and returns who
// is to hear of it. Takes the shard's lock.
func (a *author) settle(cid uint64, to *subscriber, status, into string) *subscriber {
	a.shard.mu.Lock()
	defer a.shard.mu.Unlock()
	if s := a.find(cid); s != nil {
		s.status, s.into = status, into
	}
	if status == statusRejected {
		a.forget(cid)
	}
	if other, ok := a.moved[cid]; ok {
		delete(a.moved, cid)
		return other
	}
	return to
}
