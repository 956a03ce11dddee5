package origin

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Lane is the listener of a server. What players and caches ask for over HTTP/1.1 in the
// clear, a handful of plain requests again and again, it answers by itself. A connection
// that asks for anything else, or in any other way, it hands to the server with every
// byte that has come, and there it stays.
//
// It costs half of what net/http does: no goroutine that reads while an answer is waited
// for, no map of header fields, head and body in one system call, deadlines that are
// moved every few seconds.
type Lane struct {
	net.Listener // the real one

	handler *Handler
	server  *http.Server
	handed  chan net.Conn // to the server
	failed  chan error    // of accepting, for the server, which knows when to try again
	date    date
	heads   sync.Pool // of *[]byte, in which answers are put together

	mu      sync.Mutex // of conns, and of closing stopped
	conns   map[*laneConn]struct{}
	stopped chan struct{} // no connection enters any more
	running sync.WaitGroup
}

// NewLane puts a lane in front of a server: serve the result instead of l. It keeps
// the server's timeouts, within a quarter, and counts them from when an answer is there.
// Stop it with Shutdown, after the server's.
func (h *Handler) NewLane(l net.Listener, server *http.Server) *Lane {
	lane := &Lane{
		Listener: l, handler: h, server: server, handed: make(chan net.Conn), failed: make(chan error),
		conns: map[*laneConn]struct{}{}, stopped: make(chan struct{}),
	}
	lane.heads.New = func() any { return new([]byte) }
	lane.running.Go(lane.accept)
	return lane
}

// Accept returns the next connection that is not for the lane.
func (l *Lane) Accept() (net.Conn, error) {
	select {
	case conn := <-l.handed:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.stopped:
		return nil, net.ErrClosed
	}
}

func (l *Lane) accept() {
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			l.enter(conn)
			continue
		}
		select {
		case l.failed <- err: // taken as soon as the server tries again
		case <-l.stopped:
			return
		}
	}
}

// enter begins to serve a new connection.
func (l *Lane) enter(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok { // the bytes of the wire are not those of requests
		l.handOver(conn)
		return
	}
	c := newLaneConn(l, tcp)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping() {
		_ = conn.Close()
		return
	}
	l.conns[c] = struct{}{}
	l.running.Go(c.serve)
}

func (l *Lane) leave(c *laneConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// handOver gives a connection to the server.
func (l *Lane) handOver(conn net.Conn) {
	select {
	case l.handed <- conn:
	case <-l.stopped:
		_ = conn.Close()
	}
}

// stopping says that there is no more service after this answer.
func (l *Lane) stopping() bool {
	select {
	case <-l.stopped:
		return true
	default:
		return false
	}
}

// Close stops accepting and closes the connections that wait for a request. Answers that
// are under way go on.
func (l *Lane) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping() {
		return nil
	}
	close(l.stopped)
	for c := range l.conns { // one that sets a later deadline looks at stopped behind it
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
	return l.Listener.Close()
}

// Shutdown lets answers be finished until ctx ends, and closes what is left then.
func (l *Lane) Shutdown(ctx context.Context) error {
	_ = l.Close() // the server's Shutdown has done it and said what went wrong
	idle := make(chan struct{})
	go func() { l.running.Wait(); close(idle) }()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	for c := range l.conns {
		_ = c.Close()
	}
	l.mu.Unlock()
	<-idle
	return context.Cause(ctx)
}
