package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Times of the link. A dead connection is noticed after silence at the latest,
// and a Redis that came back after maxPause and one round of connecting.
const (
	silence   = 3 * time.Second
	minPause  = 50 * time.Millisecond
	maxPause  = 500 * time.Millisecond
	firstWait = 2 * time.Second // New's patience with the first attempt
)

var (
	errDown         = errors.New("redis does not answer")
	errUnsubscribed = errors.New("redis ended a subscription")
	errClosed       = errors.New("closed")
)

// link is the pub/sub connection of a partition, remade when it breaks, and the
// rooms on it. Outside a cluster there is one.
type link struct {
	client   client
	keys     keys
	notices  *notices
	metrics  *metrics
	heart    *heart
	volatile atomic.Bool // its Redis runs without appendonly

	// order is held while a (un)subscribe command is written and rooms is changed
	// with it, so that both happen in the same order. Taken before mu.
	order sync.Mutex

	mu      sync.Mutex
	session *session         // nil while there is no connection
	rooms   map[string]*room // by channel
	closed  bool
	lapses  sync.WaitGroup // timers of rooms that will still run

	first chan struct{} // closed when the first attempt worked or failed
}

func newLink(c client, k keys, heart string, n *notices) *link {
	return &link{
		client: c, keys: k, notices: n,
		heart: newHeart(c, heart),
		rooms: make(map[string]*room),
		first: make(chan struct{}),
	}
}

// session is one connection of the link, from dialling to its first error.
type session struct {
	pubsub *redis.PubSub
	probed bool           // a heartbeat came back on it; of the receiving goroutine alone
	work   sync.WaitGroup // settle
	ended  chan struct{}  // closed when it is over

	// Guarded by link.mu: unanswered counts the commands per channel that Redis
	// has not acknowledged; an unsubscribe that nobody asked for has none. up means
	// probed, and everything acknowledged.
	unanswered map[string]int
	up         bool
}

// run keeps the link until ctx ends.
func (l *link) run(ctx context.Context) {
	pause := minPause
	for ctx.Err() == nil {
		begin := time.Now()
		wasUp, err := l.serve(ctx)
		if wasUp {
			pause, begin = minPause, time.Now()
			l.metrics.reconnects.Inc()
		}
		wait := pause + rand.N(pause) - time.Since(begin) //nolint:gosec // jitter is no secret; a long attempt is pause enough
		if ctx.Err() == nil {
			l.notices.lost(wasUp, err)
			l.client.relocate(ctx)
		}
		l.attempted()
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		pause = min(2*pause, maxPause)
	}
}

// serve is the life of one session. It says whether the session was ever up.
func (l *link) serve(ctx context.Context) (wasUp bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &session{pubsub: l.client.Subscribe(ctx), unanswered: make(map[string]int), ended: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = s.pubsub.Close() }) // unblocks the receiving
	err = l.receive(ctx, s)
	wasUp = l.end(s)
	stop()
	cancel()
	_ = s.pubsub.Close() // of a connection that is of no use any more
	s.work.Wait()
	return wasUp, err
}

// receive opens s and takes what comes until the first error.
func (l *link) receive(ctx context.Context, s *session) error {
	if err := l.open(ctx, s); err != nil {
		return err
	}
	for {
		patience := silence
		if !s.probed {
			patience = commandTimeout // a connection to a node that hangs is no better than none
		}
		msg, err := s.pubsub.ReceiveTimeout(ctx, patience)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("no heartbeat for %v: %w", patience, err)
		}
		if err != nil {
			return err
		}
		becameUp, err := l.received(s, msg)
		if err != nil {
			return err
		}
		if becameUp {
			l.attempted()
			l.notices.connected()
			s.work.Go(func() { l.settle(ctx) })
		}
	}
}

// open connects and subscribes to what there is.
func (l *link) open(ctx context.Context, s *session) error {
	// The heartbeat alone first: it dials, and nobody has to wait for order meanwhile.
	s.unanswered[l.heart.channel] = 1
	if err := l.client.subscribe(ctx, s.pubsub, l.heart.channel); err != nil {
		return err
	}
	l.order.Lock()
	defer l.order.Unlock()
	l.mu.Lock()
	channels := make([]string, 0, len(l.rooms))
	for channel := range l.rooms {
		channels = append(channels, channel)
		s.unanswered[channel]++
	}
	l.session = s
	l.mu.Unlock()
	if len(channels) == 0 {
		return nil
	}
	return l.client.subscribe(ctx, s.pubsub, channels...)
}

// received takes one thing from the connection. It says whether the session
// has just come up.
func (l *link) received(s *session, msg any) (becameUp bool, err error) {
	switch msg := msg.(type) {
	case *redis.Subscription:
		if err := l.answered(s, msg); err != nil {
			return false, err
		}
	case *redis.Message:
		if msg.Channel != l.heart.channel {
			l.deliver(msg)
			return false, nil
		}
		l.heart.heard()
		s.probed = true
	}
	return l.comeUp(s), nil
}

// answered notes that Redis did one of our commands.
func (l *link) answered(s *session, msg *redis.Subscription) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch n := s.unanswered[msg.Channel]; n {
	case 0:
		return fmt.Errorf("%w: %s without being asked", errUnsubscribed, msg.Kind)
	case 1:
		delete(s.unanswered, msg.Channel)
	default:
		s.unanswered[msg.Channel] = n - 1
		return nil
	}
	if r := l.rooms[msg.Channel]; r != nil {
		r.join()
	}
	if msg.Channel == l.heart.channel {
		l.heart.hurry() // sent earlier it could come back before we listen
	}
	return nil
}

// comeUp tells every handler once nothing is missing any more.
func (l *link) comeUp(s *session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.up || !s.probed || len(s.unanswered) > 0 {
		return false
	}
	s.up = true
	for _, r := range l.rooms {
		for sub := range r.subs {
			sub.mailbox.Link(true)
		}
	}
	return true
}

// end forgets s and tells every handler.
func (l *link) end(s *session) (wasUp bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(s.ended)
	l.session = nil
	if !s.up {
		return false
	}
	for _, r := range l.rooms {
		for sub := range r.subs {
			sub.mailbox.Link(false)
		}
	}
	return true
}

// attempted lets New return.
func (l *link) attempted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.first:
	default:
		close(l.first)
	}
}

// awaitFirst waits for the first attempt.
func (l *link) awaitFirst(ctx context.Context) {
	select {
	case <-l.first:
	case <-ctx.Done():
	}
}

// refusal is the error of commands that are not worth sending.
func (l *link) refusal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return errClosed
	case l.heart.silent.Load():
		return errDown
	}
	return nil
}

// lives says whether frames travel through Redis now.
func (l *link) lives() bool { return l.isUp() && !l.heart.silent.Load() }

func (l *link) isUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session != nil && l.session.up
}

// settle is what there is to do once a session is up: handlers hear the states
// they may have missed, and the operator how durable Redis is.
func (l *link) settle(ctx context.Context) {
	if err := l.retell(ctx); err != nil && ctx.Err() == nil {
		l.notices.logger.Warn("room states not read", "err", err)
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	said, err := l.client.persistence(ctx, l.heart.channel)
	if err != nil {
		return // not everybody may ask, and it is only a warning
	}
	volatile := strings.Contains(said, "aof_enabled:0")
	l.volatile.Store(volatile)
	if volatile {
		l.notices.volatile()
	}
}
