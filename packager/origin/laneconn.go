package origin

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// headSize is the longest head that is read here; those of players have 200 to 700 bytes.
const headSize = 2 << 10

// onePiece is up to where a body is copied behind its head; longer ones are written beside it.
const onePiece = 8 << 10

// laneConn is one connection of the lane: one goroutine reads, waits and writes.
type laneConn struct {
	*net.TCPConn
	lane   *Lane
	peer   http.Request // as much of one as tells whose it is
	addr   netip.Addr
	armed  time.Time // when its deadlines were set
	passed bool      // to the server

	buf    [headSize]byte
	filled int
}

func newLaneConn(l *Lane, conn *net.TCPConn) *laneConn {
	c := &laneConn{TCPConn: conn, lane: l, peer: http.Request{RemoteAddr: conn.RemoteAddr().String(), Header: http.Header{}}}
	c.addr = l.handler.addr(&c.peer)
	// What a deadline cannot be set on fails at the next read.
	_ = c.SetReadDeadline(after(time.Now(), l.server.ReadHeaderTimeout))
	return c
}

// serve answers until the connection ends or is for the server.
func (c *laneConn) serve() {
	defer c.end()
	for {
		text, err := c.next()
		if err != nil {
			return
		}
		h, ok := parseHead(text)
		if !ok {
			c.passed = c.armed.IsZero() || !isPreface(text)
			return
		}
		if !c.answer(&h) || c.lane.stopping() {
			return
		}
		c.filled = copy(c.buf[:], c.buf[len(text):c.filled])
	}
}

// end closes the connection, or gives it to the server.
func (c *laneConn) end() {
	if err := recover(); err != nil { // as in net/http: one request must not end all others
		c.passed = false
		c.lane.handler.log.Error("answer failed", "err", err, "reason", string(debug.Stack()))
	}
	c.lane.leave(c)
	if !c.passed {
		_ = c.Close()
		return
	}
	c.lane.handOver(&passedConn{TCPConn: c.TCPConn, begun: bytes.Clone(c.buf[:c.filled])})
}

// next returns the head of the next request, or as much as came of it: a head that comes
// in pieces, or is longer than most, is for the server.
func (c *laneConn) next() (string, error) {
	if c.filled == 0 {
		n, err := c.Read(c.buf[:])
		if c.filled = n; n == 0 {
			return "", err
		}
	}
	text := c.buf[:c.filled]
	if i := bytes.Index(text, []byte("\r\n\r\n")); i >= 0 {
		text = text[:i+4]
	}
	return string(text), nil
}

// isPreface tells the beginning of HTTP/2, or a piece of it. A client sends it "as the first
// application data octets of a connection" (RFC 9113, 3.4). To the server it would be the
// first, and what comes through a proxy must not change how answers are framed.
func isPreface(text string) bool {
	const method = "PRI "
	return strings.HasPrefix(method, text[:min(len(text), len(method))])
}

// arm moves the deadlines when a quarter of them has passed: each move changes a timer of
// the runtime, and players ask several times a second.
func (c *laneConn) arm() {
	s, now := c.lane.server, time.Now()
	if now.Sub(c.armed) < min(s.IdleTimeout, s.WriteTimeout)/4 {
		return
	}
	c.armed = now
	_ = c.SetReadDeadline(after(now, s.IdleTimeout))
	_ = c.SetWriteDeadline(after(now, s.WriteTimeout))
}

// after is a deadline; none when the time is 0.
func after(now time.Time, d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return now.Add(d)
}

// answer answers one request, and says whether there may be another.
func (c *laneConn) answer(h *head) bool {
	r := request{
		method: h.method, path: h.path, query: h.query, accepts: h.accepts, ranges: h.ranges, session: h.session, agent: h.agent,
		addr: c.addr, left: c.left,
	}
	if h.forwarded != nil {
		c.peer.Header["X-Forwarded-For"] = h.forwarded
		r.addr = c.lane.handler.addr(&c.peer)
	}
	a := c.lane.handler.answer(&r)
	if a.status == statusGone {
		c.lane.handler.metrics.answered(a.kind, a.status, 0)
		return false
	}
	body := a.body
	if h.method == http.MethodHead {
		body = nil
	}
	c.arm() // not before: what was waited for is nobody's fault
	sent, err := c.write(&a, body)
	c.lane.handler.metrics.answered(a.kind, a.status, sent)
	return err == nil
}

// write sends an answer and returns how many bytes of the body went out.
func (c *laneConn) write(a *reply, body []byte) (sent int, err error) {
	held := c.lane.heads.Get().(*[]byte) //nolint:forcetypeassert // nothing else is in there
	defer c.lane.heads.Put(held)
	text := a.appendHead((*held)[:0], c.lane.date.at(time.Now()), c.lane.stopping())
	head := len(text)
	if len(body) > onePiece {
		*held = text
		both := net.Buffers{text, body}
		all, failed := both.WriteTo(c.TCPConn)
		return max(int(all)-head, 0), failed
	}
	text = append(text, body...)
	*held = text
	all, failed := c.Write(text)
	return max(all-head, 0), failed
}

// appendHead writes the head of an answer as net/http does.
func (a *reply) appendHead(b []byte, date string, last bool) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(a.status)...)
	b = append(b, "\r\n"...)
	field := func(name, value string) {
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, value...)
		b = append(b, "\r\n"...)
	}
	a.fields(field)
	field("Date", date)
	if last {
		field("Connection", "close")
	}
	return append(b, "\r\n"...)
}

// date writes the Date of answers, once a second.
type date struct{ last atomic.Pointer[second] }

type second struct {
	unix int64
	text string
}

func (d *date) at(now time.Time) string {
	s := d.last.Load()
	if s == nil || s.unix != now.Unix() {
		s = &second{now.Unix(), now.UTC().Format(http.TimeFormat)}
		d.last.Store(s)
	}
	return s.text
}

// passedConn is a connection that the server gets, with what was read of it.
type passedConn struct {
	*net.TCPConn
	begun []byte
}

func (c *passedConn) Read(p []byte) (int, error) {
	if len(c.begun) == 0 {
		return c.TCPConn.Read(p)
	}
	n := copy(p, c.begun)
	c.begun = c.begun[n:]
	return n, nil
}
