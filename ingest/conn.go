package ingest

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// end says why a connection ended.
type end string

// Reasons of an end. They are label values and log texts.
const (
	endUnpublished end = "unpublished" // the encoder said so
	endClosed      end = "closed"      // the other side closed without a word
	endHandshake   end = "handshake_timeout"
	endNoPublish   end = "publish_timeout"
	endIdle        end = "media_timeout"
	endTakeover    end = "takeover"
	endKicked      end = "kicked"
	endShutdown    end = "shutdown"
	endRefused     end = "refused"
	endNotRTMP     end = "not_rtmp"
	endTLS         end = "tls"   // no TLS connection came about
	endMedia       end = "media" // what was sent is not carried
	endProtocol    end = "protocol"
	endNetwork     end = "network"
)

func endReasons() []string {
	var s []string
	for _, e := range []end{
		endUnpublished, endClosed, endHandshake, endNoPublish, endIdle, endTakeover, endKicked,
		endShutdown, endRefused, endNotRTMP, endTLS, endMedia, endProtocol, endNetwork,
	} {
		s = append(s, string(e))
	}
	return s
}

// phase is how far a connection has got.
type phase uint8

const (
	phaseHandshake phase = iota
	phaseConnect         // handshake done, not publishing
	phaseMedia           // publishing
)

// errNotRTMP is the answer to a first byte that no RTMP client sends.
var errNotRTMP = errors.New("first byte is not RTMP version 3")

// conn is what go-rtmp reads from and writes to. Everything but kick belongs to
// the goroutine that reads.
type conn struct {
	net.Conn
	conns    *registry
	metrics  *metrics
	timeouts Timeouts
	remote   netip.AddrPort

	phase   phase
	begun   bool // the first byte was seen
	armed   time.Time
	readErr error // the first error of Read

	kicked atomic.Pointer[end] // why it was closed from our side
}

// kick closes the connection from any goroutine. The reading goroutine's next
// Read fails, and it cleans up. The first reason stays.
func (c *conn) kick(why end) {
	c.kicked.CompareAndSwap(nil, &why)
	_ = abort(c.Conn) // of two who close it, one gets an error
}

// Close is the last thing that go-rtmp does with a connection.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.conns.remove(c)
	if errors.Is(err, net.ErrClosed) {
		return nil // kicked before
	}
	return err
}

// enter starts a phase and its deadline. The handshake's and connect's are
// absolute: no byte sent moves them.
func (c *conn) enter(p phase) {
	c.phase = p
	c.armed = time.Now()
	_ = c.SetReadDeadline(c.armed.Add(c.timeout())) // fails when closed, and so does Read
}

func (c *conn) timeout() time.Duration {
	switch c.phase {
	case phaseHandshake:
		return c.timeouts.Handshake
	case phaseConnect:
		return c.timeouts.Publish
	default:
		return c.timeouts.Media
	}
}

// touch notes that a publisher sent media. The deadline moves in tenths of the
// timeout, because setting one costs more than reading a small message.
func (c *conn) touch() {
	if now := time.Now(); now.Sub(c.armed) > c.timeouts.Media/10 {
		c.armed = now
		_ = c.SetReadDeadline(now.Add(c.timeouts.Media)) // as in enter
	}
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.metrics.bytes.Add(float64(n))
	// "C0 and S0: In C0, this field identifies the RTMP version requested by the
	// client. [...] The version defined by this specification is 3" (RTMP 1.0,
	// 5.2.2). go-rtmp does not look; a browser or a scanner ends here.
	if !c.begun && n > 0 {
		c.begun = true
		if b[0] != 3 {
			n, err = 0, errNotRTMP
		}
	}
	if err != nil && c.readErr == nil {
		c.readErr = err
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(c.timeouts.Write)) // fails when closed, and so does Write
	return c.Conn.Write(b)
}

// ended says why reading stopped, as far as the connection knows; go-rtmp may
// have stopped for a reason of its own, endProtocol.
func (c *conn) ended() end {
	if why := c.kicked.Load(); why != nil {
		return *why
	}
	switch err := c.readErr; {
	case err == nil:
		return endProtocol
	case errors.Is(err, errNotRTMP):
		return endNotRTMP
	case errors.Is(err, io.EOF):
		return endClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return [...]end{phaseHandshake: endHandshake, phaseConnect: endNoPublish, phaseMedia: endIdle}[c.phase]
	default:
		return endNetwork
	}
}
