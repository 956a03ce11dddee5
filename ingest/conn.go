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
	endCrowded     end = "crowded" // made room when the server was full, and did not publish
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
		endCrowded, endShutdown, endRefused, endNotRTMP, endTLS, endMedia, endProtocol, endNetwork,
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

// conn is the connection below the guard: its deadlines, its place in the
// registry, its end. Everything but kick belongs to the goroutine that reads.
type conn struct {
	net.Conn
	conns    *registry
	metrics  *metrics
	timeouts Timeouts
	remote   netip.AddrPort
	crowded  bool // closed to make room; guarded by conns.mu

	phase   phase
	armed   time.Time
	water   lowWater
	lazy    bool  // bytes may lie there that nobody was woken for; never changed
	readErr error // the first error of Read

	writeErr atomic.Pointer[error] // one of Write

	kicked atomic.Pointer[end] // why it was closed from our side
}

// kick closes the connection from any goroutine. The reading goroutine's next
// Read fails, and it cleans up. The first reason stays.
//
// Who gives way to a successor may have sent what nobody was woken for: its reader
// takes that first, and closes then.
func (c *conn) kick(why end) {
	c.kicked.CompareAndSwap(nil, &why)
	if why == endTakeover && c.lazy {
		_ = c.SetDeadline(past())
		return
	}
	_ = abort(c.Conn) // of two who close it, one gets an error
}

// past is a deadline that is over.
func past() time.Time { return time.Unix(1, 0) }

// lastLook is how long the reader of a kicked connection looks for what lies there.
const lastLook = time.Millisecond

// arm sets the deadline of reading, unless the connection was kicked.
func (c *conn) arm(deadline time.Time) {
	_ = c.SetReadDeadline(deadline) // fails when closed, and so does Read
	if c.kicked.Load() != nil {
		_ = c.SetReadDeadline(past())
	}
}

// Close is the last thing that is done with a connection.
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
	c.water.reset()
	c.arm(c.armed.Add(c.timeout()))
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

// touch notes that a publisher sent media. The deadline moves in twentieths of the
// timeout, because setting one costs more than reading a small message.
func (c *conn) touch() {
	now := time.Now()
	if now.Sub(c.armed) <= c.timeouts.Media/20 {
		return
	}
	c.armed = now
	c.water.measure(now)
	wait := c.timeouts.Media
	if c.water.between > 0 {
		wait /= 10 // then look whether something lies there
	}
	c.arm(now.Add(wait))
}

func (c *conn) Read(b []byte) (int, error) {
	if err := c.writeErr.Load(); err != nil {
		return 0, *err // a client that cannot be answered is gone, whatever it still sends
	}
	n, err := c.Conn.Read(b)
	// The deadline may be the short one of touch although every byte is asked for (TLS,
	// systems without low water, a message that lacks one byte).
	if (c.water.patient() || c.water.between > 0) && errors.Is(err, os.ErrDeadlineExceeded) {
		c.water.reset()
		if c.arm(c.armed.Add(c.timeouts.Media)); c.kicked.Load() != nil {
			_ = c.SetReadDeadline(time.Now().Add(lastLook))
		}
		n, err = c.Conn.Read(b)
	}
	c.water.count(n)
	c.metrics.bytes.Add(float64(n))
	if err != nil && c.readErr == nil {
		c.readErr = err
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if c.kicked.Load() != nil {
		return 0, net.ErrClosed
	}
	_ = c.SetWriteDeadline(time.Now().Add(c.timeouts.Write)) // fails when closed, and so does Write
	n, err := c.Conn.Write(b)
	if err != nil {
		c.writeErr.Store(&err)
	}
	return n, err
}

// fault is what the network did wrong, nil if nothing.
func (c *conn) fault() error {
	if err := c.writeErr.Load(); c.readErr == nil && err != nil {
		return *err
	}
	return c.readErr
}

// ended says why reading stopped, as far as the connection knows; the guard or
// go-rtmp may have stopped for a reason of their own, endProtocol.
func (c *conn) ended() end {
	if why := c.kicked.Load(); why != nil {
		return *why
	}
	switch err := c.readErr; {
	case err == nil && c.writeErr.Load() != nil:
		return endNetwork // it does not read what it is sent, or is gone
	case err == nil:
		return endProtocol
	case errors.Is(err, io.EOF):
		return endClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return [...]end{phaseHandshake: endHandshake, phaseConnect: endNoPublish, phaseMedia: endIdle}[c.phase]
	default:
		return endNetwork
	}
}
