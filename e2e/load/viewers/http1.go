//go:build load && linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

var (
	errAnswer  = errors.New("not an HTTP/1.1 answer with a Content-Length")
	errTimeout = errors.New("no answer")
)

// http1 is a minimal HTTP/1.1 client on one epoll: keep-alive, one request at a time
// on each connection, and bodies that nobody wants never leave the kernel.
type http1 struct {
	host   string
	to     syscall.SockaddrInet4
	tail   string // of every request, behind its path
	keep   bool   // bodies of media too
	epoll  int
	conns  []*conn // by viewer and slot
	byFD   map[int32]*conn
	events []syscall.EpollEvent
	heads  []byte // to read into
	hole   []byte // what is thrown away; nothing is written here
	batch  []arrival
	failed []arrival // while sending
	swept  time.Time
}

// conn is one connection. It is closed when fd is -1.
type conn struct {
	fd        int
	viewer    int
	connected bool
	used      bool // it has carried an answer
	busy      bool
	again     bool // a second attempt, after a connection that had grown stale
	order     order
	queue     []order
	out       []byte // of the request, unsent
	head      []byte // of the answer, so far
	status    int
	left      int64 // of the body
	size      int64
	body      []byte
	inBody    bool
	last      bool // the server closes after this answer
}

func newHTTP1(base *url.URL, keep bool) (*http1, error) {
	addr, err := net.ResolveTCPAddr("tcp4", net.JoinHostPort(base.Hostname(), portOf(base)))
	if err != nil {
		return nil, err
	}
	t := &http1{
		host: addr.IP.String(), to: syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())}, keep: keep,
		tail: " HTTP/1.1\r\nHost: " + base.Host + "\r\nUser-Agent: " + userAgent + "\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n",
		byFD: map[int32]*conn{}, events: make([]syscall.EpollEvent, 512),
		heads: make([]byte, 64<<10), hole: make([]byte, 1<<20), swept: time.Now(),
	}
	t.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return t, err
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return "80"
}

func (t *http1) send(o order) {
	i := o.viewer*slots + o.slot
	for len(t.conns) <= i {
		t.conns = append(t.conns, &conn{fd: -1, viewer: len(t.conns) / slots})
	}
	c := t.conns[i]
	if c.busy {
		c.queue = append(c.queue, o)
		return
	}
	t.begin(c, o)
}

// begin writes a request, on a new connection when there is none.
func (t *http1) begin(c *conn, o order) {
	c.busy, c.order, c.again = true, o, false
	t.attempt(c)
}

func (t *http1) attempt(c *conn) {
	c.out = append(append(append(c.out[:0], "GET "...), c.order.path...), t.tail...)
	c.head, c.inBody, c.body, c.size, c.last, c.status = c.head[:0], false, c.body[:0], 0, false, 0
	if c.fd < 0 {
		if err := t.connect(c); err != nil {
			t.fail(c, err)
		}
		return
	}
	t.flush(c)
}

// connect begins a connection; epoll says when it is there.
func (t *http1) connect(c *conn) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c.fd, c.connected, c.used = fd, false, false
	t.byFD[int32(fd)] = c
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if ip := source(t.host, c.viewer); ip != nil {
		const bindAddressNoPort = 24 // ip(7): the port is chosen when the peer is known, so addresses do not run out of them
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, bindAddressNoPort, 1)
		if err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte(ip.To4())}); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
	}
	if err = syscall.Connect(fd, &t.to); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	return t.watch(c, syscall.EPOLL_CTL_ADD, true)
}

func (t *http1) watch(c *conn, op int, out bool) error {
	e := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP, Fd: int32(c.fd)}
	if out {
		e.Events |= syscall.EPOLLOUT
	}
	return syscall.EpollCtl(t.epoll, op, c.fd, &e)
}

func (t *http1) flush(c *conn) {
	n, err := syscall.Write(c.fd, c.out)
	c.out = c.out[:copy(c.out, c.out[max(n, 0):])]
	switch {
	case errors.Is(err, syscall.EAGAIN), err == nil && len(c.out) > 0:
		if err = t.watch(c, syscall.EPOLL_CTL_MOD, true); err != nil {
			t.fail(c, err)
		}
	case err != nil:
		t.broken(c, err)
	}
}

// hangUp closes a connection. What it was busy with is the caller's.
func (t *http1) hangUp(c *conn) {
	if c.fd >= 0 {
		delete(t.byFD, int32(c.fd))
		_ = syscall.Close(c.fd)
		c.fd = -1
	}
}

// broken tries once more when a connection had been kept alive for too long, as
// every client does.
func (t *http1) broken(c *conn, err error) {
	stale := c.used && len(c.head) == 0 && !c.inBody && !c.again
	if !c.busy || !stale {
		t.fail(c, err)
		return
	}
	t.hangUp(c)
	c.again = true
	t.attempt(c)
}

func (t *http1) fail(c *conn, err error) {
	t.hangUp(c)
	if c.busy {
		t.failed = append(t.failed, arrival{order: c.order, done: time.Now(), status: c.status, size: c.size, err: err})
		t.next(c)
	}
}

// next begins what has waited for the connection.
func (t *http1) next(c *conn) {
	c.busy = false
	if len(c.queue) > 0 {
		o := c.queue[0]
		c.queue = c.queue[:copy(c.queue, c.queue[1:])]
		o.asked = time.Now()
		t.begin(c, o)
	}
}

func (t *http1) wait(d time.Duration) []arrival {
	t.batch = append(t.batch[:0], t.failed...)
	t.failed = t.failed[:0]
	if len(t.batch) > 0 {
		d = 0
	}
	// Rounded up: a timer that is not yet due would be asked for in a circle.
	n, err := syscall.EpollWait(t.epoll, t.events, int((d+time.Millisecond-1)/time.Millisecond))
	if err != nil {
		n = 0
	}
	for _, e := range t.events[:n] {
		if c := t.byFD[e.Fd]; c != nil {
			t.ready(c, e.Events)
		}
	}
	if now := time.Now(); now.Sub(t.swept) > time.Second {
		t.swept = now
		t.sweep(now)
	}
	return t.batch
}

// sweep gives up what has taken too long.
func (t *http1) sweep(now time.Time) {
	for _, c := range t.conns {
		if c.busy && now.Sub(c.order.asked) > answerTimeout {
			t.fail(c, errTimeout)
		}
	}
}

func (t *http1) ready(c *conn, events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		if !c.connected {
			c.connected = true
			if e, _ := syscall.GetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_ERROR); e != 0 {
				t.fail(c, fmt.Errorf("connect: %w", syscall.Errno(e)))
				return
			}
		}
		if err := t.watch(c, syscall.EPOLL_CTL_MOD, false); err != nil {
			t.fail(c, err)
			return
		}
		if len(c.out) > 0 {
			t.flush(c)
		}
	}
	if c.fd >= 0 && events&^syscall.EPOLLOUT != 0 {
		t.read(c)
	}
}

// read takes in what one read brings; epoll comes again for the rest.
func (t *http1) read(c *conn) {
	var n int
	var err error
	switch {
	case !c.inBody || t.keep || c.order.kind.isPlaylist():
		room := t.heads
		if !c.inBody && !t.keep && !c.order.kind.isPlaylist() {
			room = room[:1<<10] // a head; the body need not be copied
		}
		n, _, err = syscall.Recvfrom(c.fd, room, 0)
	default:
		// tcp(7): MSG_TRUNC discards what has been received.
		n, _, err = syscall.Recvfrom(c.fd, t.hole[:min(int64(len(t.hole)), c.left)], syscall.MSG_TRUNC)
	}
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return
	case err == nil && n == 0:
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		t.broken(c, err)
		return
	}
	if !c.busy {
		t.fail(c, errAnswer)
		return
	}
	t.got(c, t.heads[:min(n, len(t.heads))], int64(n))
}

// got takes n bytes in; b holds them when they were not discarded.
func (t *http1) got(c *conn, b []byte, n int64) {
	if !c.inBody {
		c.head = append(c.head, b...)
		end := bytes.Index(c.head, []byte("\r\n\r\n"))
		if end < 0 {
			if len(c.head) > 16<<10 {
				t.fail(c, errAnswer)
			}
			return
		}
		if err := c.parse(c.head[:end+2]); err != nil {
			t.fail(c, err)
			return
		}
		c.inBody = true
		b, n = c.head[end+4:], int64(len(c.head)-end-4)
	}
	if n > c.left {
		t.fail(c, errAnswer)
		return
	}
	if t.keep || c.order.kind.isPlaylist() {
		c.body = append(c.body, b...)
	}
	c.left -= n
	c.size += n
	if c.left == 0 {
		t.complete(c)
	}
}

func (t *http1) complete(c *conn) {
	a := arrival{order: c.order, done: time.Now(), status: c.status, size: c.size, body: c.body}
	c.used = true
	if len(c.queue) > 0 {
		c.body = nil // the next request writes over it
	}
	if c.last {
		t.hangUp(c)
	}
	t.batch = append(t.batch, a)
	t.next(c)
}

// parse reads an answer's head, whose lines all end with CRLF.
func (c *conn) parse(head []byte) error {
	c.left = -1
	first := true
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if first {
			first = false
			version, rest, _ := bytes.Cut(line, []byte(" "))
			code, _, _ := bytes.Cut(rest, []byte(" "))
			status, err := strconv.Atoi(string(code))
			if err != nil || !bytes.HasPrefix(version, []byte("HTTP/1.")) {
				return fmt.Errorf("%w: %.80q", errAnswer, line)
			}
			c.status = status
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.ParseInt(string(value), 10, 63)
			if err != nil {
				return fmt.Errorf("%w: %.80q", errAnswer, line)
			}
			c.left = n
		case len(name) == 10 && bytes.EqualFold(name, []byte("Connection")):
			c.last = bytes.EqualFold(value, []byte("close"))
		}
	}
	if c.left < 0 {
		return errAnswer
	}
	return nil
}

func (t *http1) close() {
	for _, c := range t.conns {
		t.hangUp(c)
	}
	_ = syscall.Close(t.epoll)
}
