//go:build load && linux

package main

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"syscall"
	"time"

	"barrage/e2e/load/histogram"
)

// crowd is all connections of one process and their time, on one goroutine.
type crowd struct {
	s       settings
	nodes   []node
	epoll   int
	conns   []*conn
	byFD    []*conn
	due     arrivals
	opening int // connections on their way
	here    int
	arrived int // were here when all were waited for
	events  []syscall.EpollEvent
	buf     []byte
	scratch []byte // what is being sent
	script  *script
	ledger  *ledger
	lanes   []lane
	tally   tally
	swept   time.Time
	looked  time.Time // for what has come
	began   time.Time // of measuring
	cut     time.Time // mode reconnect: when everybody was
}

// node is one server.
type node struct {
	name    string
	to      syscall.SockaddrInet4
	request []byte
}

// tally is what happened. Times of ticks count while measuring.
type tally struct {
	measuring          bool
	frames, bytes      int64 // ticks received, bytes read
	gaps, missed       int64 // told by the server
	holes              int64 // not told
	resets, keptBack   int64
	delivery, ack      histogram.Histogram
	back               histogram.Histogram // until welcome, since all were cut
	ends               map[string]int64
	errors             map[string]int64
	stalledGone        int64
	sentFrom, sentTill time.Time
}

const (
	maxOpening  = 512
	openTimeout = 30 * time.Second
	readSize    = 16 << 10
	beat        = time.Millisecond
	waitStep    = 20 * time.Millisecond // how late the end of ctx is noticed
)

var errClosed = errors.New("closed without a bye")

func newCrowd(s settings) (*crowd, error) {
	p := prefix(s.run, s.process)
	script, err := newScript(s.text, p, len(s.latencies) > 0)
	if err != nil {
		return nil, err
	}
	w := &crowd{
		s: s, events: make([]syscall.EpollEvent, 1024), buf: make([]byte, readSize), script: script,
		tally: tally{ends: map[string]int64{}, errors: map[string]int64{}}, swept: time.Now(),
	}
	for _, u := range s.nodes {
		n, bad := newNode(u, s.room)
		if bad != nil {
			return nil, fmt.Errorf("-url %q: %w", u, bad)
		}
		w.nodes = append(w.nodes, n)
	}
	if w.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	w.people(time.Now())
	w.ledger = newLedger(p, len(w.conns))
	return w, nil
}

func newNode(name, room string) (n node, err error) {
	base, err := url.Parse(name)
	if err != nil {
		return n, err
	}
	host := base.Host
	if base.Port() == "" {
		host = net.JoinHostPort(base.Hostname(), "80")
	}
	to, err := resolve(host)
	return node{name, to, upgrade(base.Host, room)}, err
}

// people makes everybody, who arrive one after the other within the ramp.
func (w *crowd) people(now time.Time) {
	add := func(r role, n int) {
		for range n {
			i := len(w.conns)
			w.conns = append(w.conns, &conn{index: i, node: i % len(w.nodes), fd: -1, role: r})
		}
	}
	if w.s.process == 0 {
		add(observe, len(w.nodes))
	}
	add(write, w.s.write)
	add(watch, w.s.watch)
	add(stall, w.s.stall)
	remain := len(w.conns) - w.s.stall
	for i, c := range w.conns {
		if c.role == observe {
			c.report = &observer{Node: w.nodes[c.node].name, remain: -1}
			if w.s.stall > 0 && w.s.processes == 1 {
				c.report.remain = remain
			}
		}
		c.due = now.Add(w.s.ramp * time.Duration(i) / time.Duration(len(w.conns)))
		heap.Push(&w.due, c)
	}
}

// step goes on until something happens, but not longer than wait.
func (w *crowd) step(wait time.Duration) {
	now := time.Now()
	for len(w.due) > 0 && w.opening < maxOpening && !w.due[0].due.After(now) {
		w.begin(heap.Pop(&w.due).(*conn), now)
	}
	if len(w.due) > 0 && w.opening < maxOpening {
		wait = min(wait, w.due[0].due.Sub(now))
	}
	wait = min(wait, w.speak(now))
	// Not woken for each frame: on a machine that is shared with the server that would
	// cost both a change of context. What is late by it is less than a tick's time is exact.
	if rest := beat - time.Since(w.looked); rest > 0 {
		ts := syscall.NsecToTimespec(int64(rest))
		_ = syscall.Nanosleep(&ts, nil)
	}
	// Rounded up: a timer that is not yet due would be asked for in a circle.
	n, err := syscall.EpollWait(w.epoll, w.events, int((max(wait, 0)+time.Millisecond-1)/time.Millisecond))
	w.looked = time.Now()
	if err != nil {
		n = 0
	}
	for _, e := range w.events[:n] {
		if c := w.byFD[e.Fd]; c != nil {
			w.ready(c, e.Events)
		}
	}
	if now = time.Now(); now.Sub(w.swept) > time.Second {
		w.swept = now
		for _, c := range w.conns {
			if c.state > away && c.state < here && now.Sub(c.due) > openTimeout {
				w.end(c, "no welcome", false)
			}
		}
	}
}

// begin connects.
func (w *crowd) begin(c *conn, now time.Time) {
	fd, err := dial(w.nodes[c.node].to, source(w.s.process, c.index), c.role == stall)
	c.due = now
	w.opening++
	c.state = connecting
	if err == nil {
		c.fd = int32(fd)
		for len(w.byFD) <= fd {
			w.byFD = append(w.byFD, nil)
		}
		w.byFD[fd] = c
		err = w.register(c, syscall.EPOLL_CTL_ADD, syscall.EPOLLIN|syscall.EPOLLOUT)
	}
	if err != nil {
		w.end(c, err.Error(), false)
	}
}

// register watches a socket by its edges: everything is read when it comes, and
// there is one call for each connection.
func (w *crowd) register(c *conn, op int, events uint32) error {
	e := syscall.EpollEvent{Events: events | syscall.EPOLLRDHUP | epollEdge, Fd: c.fd}
	return syscall.EpollCtl(w.epoll, op, int(c.fd), &e)
}

const epollEdge = 1 << 31 // EPOLLET, which package syscall has with a sign

// end closes a connection. Who does not leave for good comes back as a page would.
func (w *crowd) end(c *conn, why string, forGood bool) {
	now := time.Now()
	switch {
	case c.state == here:
		w.here--
		if w.s.reconnect == cutByServer && w.cut.IsZero() && w.tally.measuring {
			w.cut = now
		}
	case c.state != away:
		w.opening--
	}
	if c.fd >= 0 {
		w.byFD[c.fd] = nil
		_ = syscall.Close(int(c.fd))
	}
	w.tally.ends[why]++
	pause := c.retry
	if c.bye == "" {
		// A page's habit: up to a second first, up to 30 s in the end.
		pause = rand.N(min(time.Second<<min(c.tries, 5), 30*time.Second)) //nolint:gosec // jitter, not a secret
	}
	*c = conn{
		index: c.index, node: c.node, fd: -1, role: c.role, due: now.Add(pause), open: c.open, out: nil, tries: min(c.tries, 250) + 1,
		seq: c.seq, epoch: c.epoch, token: c.token, report: c.report,
	}
	if forGood || pause < 0 {
		c.state = gone
		return
	}
	heap.Push(&w.due, c)
}

// ready does what a socket is ready for.
func (w *crowd) ready(c *conn, events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		if c.state == connecting {
			if e, _ := syscall.GetsockoptInt(int(c.fd), syscall.SOL_SOCKET, syscall.SO_ERROR); e != 0 {
				w.end(c, "connect: "+syscall.Errno(e).Error(), false)
				return
			}
			c.state = upgrading
			w.send(c, w.nodes[c.node].request)
		} else if len(c.out) > 0 {
			pending := c.out
			c.out = nil
			w.send(c, pending)
		}
	}
	hangup := events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0
	switch {
	case c.fd < 0:
	case c.role == stall && c.state == here:
		if hangup {
			w.tally.stalledGone++
			w.end(c, "stalled", true)
		}
	case hangup || events&syscall.EPOLLIN != 0:
		w.read(c, hangup)
	}
}

// send writes b, and keeps what the socket does not take.
func (w *crowd) send(c *conn, b []byte) {
	if len(c.out) > 0 {
		w.tally.keptBack++
		c.out = append(c.out, b...)
		return
	}
	n, err := send(c.fd, b)
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		return // reading says the same, and what the server said before
	}
	if n < len(b) {
		w.tally.keptBack++
		c.out = append(c.out, b[n:]...)
	}
}

// read takes in all that has come. A short read says that there is no more
// (epoll(7)), unless the other side has hung up: then the end follows.
func (w *crowd) read(c *conn, toTheEnd bool) {
	for c.fd >= 0 {
		var n, size int
		var err error
		discard := c.skip > 0
		if discard {
			// tcp(7): MSG_TRUNC discards what has been received, so nothing is written to buf.
			size = min(c.skip, len(w.buf))
			n, err = recv(c.fd, w.buf[:size], syscall.MSG_TRUNC)
		} else {
			size = len(w.buf)
			n, err = recv(c.fd, w.buf, 0)
		}
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return
		case errors.Is(err, syscall.EINTR):
			continue
		case err == nil && n == 0:
			err = io.EOF
		}
		if err != nil {
			w.lost(c, err)
			return
		}
		w.tally.bytes += int64(n)
		if discard {
			if c.skip -= n; c.skip == 0 {
				w.ticked(c, c.tick, time.Now())
			}
		} else if err = w.parse(c, w.buf[:n]); err != nil {
			w.end(c, err.Error(), false)
			return
		}
		if n < size && !toTheEnd {
			return
		}
	}
}

// lost says how a connection ended that the server closed.
func (w *crowd) lost(c *conn, err error) {
	switch {
	case c.bye != "":
		w.end(c, "bye "+c.bye, false)
	case errors.Is(err, io.EOF):
		w.end(c, errClosed.Error(), false)
	default:
		w.end(c, err.Error(), false)
	}
}

// run goes on until something is true, for at most d, or until ctx ends.
func (w *crowd) run(ctx context.Context, d time.Duration, until func() bool) {
	for end := time.Now().Add(d); ctx.Err() == nil && !until(); {
		left := time.Until(end)
		if left <= 0 {
			return
		}
		w.step(min(waitStep, left))
	}
}

// close hangs up.
func (w *crowd) close() {
	for _, c := range w.conns {
		if c.fd >= 0 {
			_ = syscall.Close(int(c.fd))
		}
	}
	_ = syscall.Close(w.epoll)
}
