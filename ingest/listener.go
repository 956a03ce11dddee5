package ingest

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"barrage/ingest/auth"
)

// maxPending bounds the connections of one address that do not publish yet.
const maxPending = 20

// How long to wait after a failed accept: doubling between these.
const (
	firstBackoff = 5 * time.Millisecond
	maxBackoff   = time.Second
)

// listener is the net.Listener that go-rtmp serves. go-rtmp calls Accept again
// at once after any error, millions of times a second when the listener is closed
// or files have run out; so Accept answers an error only after Close.
type listener struct {
	net.Listener
	conns    *registry
	log      *slog.Logger
	metrics  *metrics
	timeouts Timeouts

	once   sync.Once
	closed chan struct{}
}

func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.closed)
		err = l.Listener.Close()
	})
	return err
}

// Accept returns the next connection within the bounds, or net.ErrClosed after
// Close.
func (l *listener) Accept() (net.Conn, error) {
	wait := time.Duration(0)
	for {
		nc, err := l.Listener.Accept()
		switch {
		case err == nil:
			wait = 0
			if c := l.admit(nc); c != nil {
				return c, nil
			}
		case errors.Is(err, net.ErrClosed):
			<-l.closed
			return nil, net.ErrClosed
		default:
			l.metrics.acceptErrs.Inc()
			if wait == 0 {
				l.log.Warn("accept connection", "err", err, "hint", "if it says too many open files, raise LimitNOFILE")
			}
			wait = min(max(2*wait, firstBackoff), maxBackoff)
			if !l.pause(wait) {
				return nil, net.ErrClosed
			}
		}
	}
}

func (l *listener) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.closed:
		return false
	}
}

// admit wraps a new connection, or closes it and returns nil.
func (l *listener) admit(nc net.Conn) *conn {
	c := &conn{
		Conn: nc, conns: l.conns, metrics: l.metrics, timeouts: l.timeouts, remote: remoteAddr(nc), water: lowWater{set: setLowWater(nc)},
	}
	c.lazy = c.water.set != nil
	if why := l.conns.add(c); why != "" {
		l.metrics.rejected.WithLabelValues(why).Inc()
		_ = nc.Close() // nobody is left to tell
		return nil
	}
	c.enter(phaseHandshake)
	return c
}

func remoteAddr(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// listen binds addr.
func listen(addr string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(context.Background(), "tcp", addr)
}

// registry knows every open connection.
type registry struct {
	max     int
	metrics *metrics

	mu      sync.Mutex
	closed  bool
	conns   map[*conn]*list.Element // its place in waiting; nil when it publishes or is being closed
	waiting list.List               // of *conn that do not publish yet, the oldest first
	pending map[netip.Prefix]int    // how many of those an address has
	leaving int                     // being closed to make room
	open    sync.WaitGroup
}

func newRegistry(limit int, m *metrics) *registry {
	return &registry{max: limit, metrics: m, conns: map[*conn]*list.Element{}, pending: map[netip.Prefix]int{}}
}

// add counts c in, or says which bound it meets. When there is no room, one
// of those that have not published for the longest goes: an honest encoder
// publishes within a second, and who fills the server with silent connections
// loses them. Their sockets are closed at once; of what else they hold there is at
// most as much again.
func (r *registry) add(c *conn) (why string) {
	from := auth.Network(c.remote.Addr())
	oldest, why := r.place(c, from)
	if oldest != nil {
		oldest.kick(endCrowded)
	}
	return why
}

func (r *registry) place(c *conn, from netip.Prefix) (oldest *conn, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending[from] >= maxPending {
		return nil, rejectAddress
	}
	if !r.closed && len(r.conns)-r.leaving >= r.max && r.leaving < r.max {
		oldest = r.evict()
	}
	if r.closed || len(r.conns)-r.leaving >= r.max {
		return nil, rejectLimit
	}
	r.conns[c] = r.waiting.PushBack(c)
	r.pending[from]++
	r.open.Add(1)
	r.metrics.connections.Inc()
	return oldest, ""
}

// looks is how many of the oldest are looked at to make room: enough to tell a
// crowd from an encoder, few enough to do it for each of thousands a second.
const looks = 64

// evict takes one that does not publish out of the bounds, nil if all do: of the
// oldest the one whose address has the most of them, so that an encoder on a slow
// line does not go for the sake of a crowd.
func (r *registry) evict() *conn {
	var worst *conn
	most := 0
	for e, n := r.waiting.Front(), 0; e != nil && n < looks; e, n = e.Next(), n+1 {
		c, ok := e.Value.(*conn)
		if !ok {
			panic("ingest: something else than a connection waits")
		}
		if p := r.pending[auth.Network(c.remote.Addr())]; p > most {
			worst, most = c, p
		}
	}
	if worst != nil {
		r.settle(worst, r.conns[worst])
		worst.crowded = true
		r.leaving++
	}
	return worst
}

// publishing takes c out of the bound on connections that do not publish.
func (r *registry) publishing(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if place := r.conns[c]; place != nil {
		r.settle(c, place)
	}
}

// remove counts c out.
func (r *registry) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	place, ok := r.conns[c]
	if !ok {
		return
	}
	if place != nil {
		r.settle(c, place)
	}
	if c.crowded {
		r.leaving--
	}
	delete(r.conns, c)
	r.metrics.connections.Dec()
	r.open.Done()
}

// settle ends c's wait.
func (r *registry) settle(c *conn, place *list.Element) {
	r.waiting.Remove(place)
	r.conns[c] = nil
	from := auth.Network(c.remote.Addr())
	if r.pending[from]--; r.pending[from] <= 0 {
		delete(r.pending, from)
	}
}

// stop closes every connection and waits until go-rtmp is done with each. The
// listener must have stopped before.
func (r *registry) stop() {
	r.mu.Lock()
	r.closed = true
	conns := make([]*conn, 0, len(r.conns))
	for c := range r.conns {
		conns = append(conns, c)
	}
	r.mu.Unlock()
	for _, c := range conns {
		c.kick(endShutdown)
	}
	r.open.Wait()
}
