package guard

import (
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Options wire a Conn.
type Options struct {
	Codecs  Codecs
	Buffers *Buffers         // shared with other connections; nil = not
	Now     func() time.Time // nil = time.Now
	Dropped func(Drop)       // called for each message left out, by the goroutine that reads; nil = not
	// Await is called before each read of a publisher's connection with how many bytes
	// are missing, at least, of the messages that have begun; 0 between two. nil = not.
	Await func(missing int)
	// Media is called inside Read with each audio, video and metadata message of
	// one that publishes: of kind KindAudio, KindVideo or KindData, never empty.
	// The payload of metadata begins with the name onMetaData. The payload is the
	// guard's when Media returns; an error ends the connection. nil = not
	Media func(kind Kind, timestamp uint32, payload []byte) error
}

// Sizes of the buffer that the network is read into. At 4 Mb/s, a frame of 17 KB, a
// larger one saves no processor time that can be measured.
const (
	minRead = 4 << 10
	maxRead = 16 << 10
)

// minWindow bounds how often a client can ask to be acknowledged.
const minWindow = 32 << 10

// Conn is what the engine reads from and writes to instead of the client. Read is
// called by one goroutine, Write by one at a time; both do their work in the
// call, so whoever is slow is waited for. Deadlines are the inner connection's.
type Conn struct {
	inner     io.ReadWriteCloser
	await     func(missing int) // nil = nobody wants to know
	now       func() time.Time
	buf       []byte // what the network is read into
	data      []byte // what of it is not used up
	handshake int    // bytes of the client's handshake still to pass on
	reader    *Reader
	in        *inbound
	received  uint32 // bytes, modulo 2^32 as the protocol counts
	acked     uint32
	owing     bool // the queue got something from this side
	err       error

	mu   sync.Mutex
	out  *outbound
	ping ping
	rtt  atomic.Int64 // nanoseconds
}

// ping is the last one sent.
type ping struct {
	token uint32
	at    time.Time // zero when answered
}

// New guards inner.
func New(inner io.ReadWriteCloser, opts Options) *Conn {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Dropped == nil {
		opts.Dropped = func(Drop) {}
	}
	if opts.Media == nil {
		opts.Media = func(Kind, uint32, []byte) error { return nil }
	}
	reader := NewReader(opts.Dropped)
	if opts.Buffers != nil {
		reader.buffers = opts.Buffers
	}
	return &Conn{
		inner: inner, now: opts.Now, await: opts.Await, handshake: handshakeSize, reader: reader,
		in: newInbound(opts), out: newOutbound(opts.Codecs),
	}
}

// Err is why the guard ended the connection: a fault of the client's or the error
// of Media; nil if it did not. The goroutine that reads may ask.
func (c *Conn) Err() error { return c.err }

// RTT is how long the client took to answer a ping. The first ping goes with the
// answer to connect: the client is reading then. false before the answer.
func (c *Conn) RTT() (time.Duration, bool) {
	d := c.rtt.Load()
	return time.Duration(d), d > 0
}

// Answered reports whether the client has answered the last ping: it reads, so
// that it may be sent another. OBS answers the first and throws away the rest.
func (c *Conn) Answered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ping.token > 0 && c.ping.at.IsZero()
}

// Ping asks a client for an answer that RTT tells. Only for one that reads: an
// encoder that closes with a ping unread loses the end of what it sent.
func (c *Conn) Ping() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appendPing()
	return c.flush()
}

func (c *Conn) appendPing() {
	c.ping.token++
	c.ping.at = c.now()
	c.out.queue = appendUserControl(c.out.queue, eventPing, c.ping.token)
}

// Read gives the engine the handshake as it is, and then canonical commands. It
// hands on media while it waits for one: the engine reads again only when it has
// dealt with what it read, so media comes after the commands that precede it, and
// it holds no lock meanwhile, so Media may write through it.
func (c *Conn) Read(p []byte) (int, error) {
	if c.handshake > 0 {
		return c.readHandshake(p)
	}
	for !c.in.pending() {
		if err := c.step(); err != nil {
			return 0, err
		}
	}
	if c.owing {
		if err := c.send(); err != nil {
			return 0, err
		}
	}
	return c.in.read(p), nil
}

// readHandshake never gives more than the handshake, whatever came with it.
func (c *Conn) readHandshake(p []byte) (int, error) {
	if len(c.data) == 0 {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	// "In C0, this field identifies the RTMP version requested by the client. [...]
	// The version defined by this specification is 3" (RTMP 1.0, 5.2.2). A browser
	// or a scanner ends here.
	if c.handshake == handshakeSize && c.data[0] != 3 {
		return 0, c.fail(ErrNotRTMP)
	}
	n := copy(p[:min(len(p), c.handshake)], c.data)
	c.data = c.data[n:]
	c.handshake -= n
	return n, nil
}

func (c *Conn) fail(err error) error {
	if c.err == nil {
		c.err = err
	}
	return c.err
}

// step takes in one message, or reads more.
func (c *Conn) step() error {
	rest, m, err := c.reader.Next(c.data)
	c.data = rest
	if err == nil && m != nil {
		err = c.in.message(m)
	}
	if err != nil {
		return c.fail(err)
	}
	if m == nil {
		return c.fill()
	}
	if m.Kind != KindAudio && m.Kind != KindVideo {
		c.settle()
	}
	return nil
}

// settle carries over what a message changed besides what the engine reads.
func (c *Conn) settle() {
	in := c.in
	c.reader.SetPublishing(in.engine != 0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.connect = in.connect
	if in.engine != 0 {
		c.out.engine, c.out.client = in.engine, in.client
	}
	if len(in.answer) > 0 {
		c.out.begin()
		c.out.queue = append(c.out.queue, in.answer...)
		in.answer, c.owing = in.answer[:0], true
	}
	if in.pong != nil {
		if *in.pong == c.ping.token && !c.ping.at.IsZero() {
			c.rtt.Store(max(1, int64(c.now().Sub(c.ping.at))))
			c.ping.at = time.Time{}
		}
		in.pong = nil
	}
}

// fill reads from the network, after everything that is queued has been sent:
// the client may be waiting for it.
func (c *Conn) fill() error {
	if err := c.acknowledge(); err != nil {
		return err
	}
	kept := len(c.data)
	switch size := len(c.buf); {
	case size == 0:
		c.buf = make([]byte, minRead)
	case size < maxRead && kept == cap(c.data) && c.reader.publishing:
		// The last read filled it, so a larger one saves calls.
		buf := make([]byte, 2*size)
		copy(buf, c.data)
		c.buf = buf
	default:
		copy(c.buf, c.data)
	}
	if c.await != nil && c.reader.publishing {
		c.await(c.missing(kept))
	}
	n, err := c.inner.Read(c.buf[kept:])
	c.data = c.buf[:kept+n]
	c.received += uint32(n)
	if n > 0 {
		return nil
	}
	return err
}

// pongWait is how long every byte is welcome after a ping, since any may be the answer.
// OBS answers the first ping only.
const pongWait = time.Second

// missing is Reader.missing, or a byte while the round trip is measured.
func (c *Conn) missing(head int) int {
	c.mu.Lock()
	asked := c.ping.at
	c.mu.Unlock()
	if !asked.IsZero() && c.now().Sub(asked) < pongWait {
		return 1
	}
	return c.reader.missing(head)
}

// acknowledge tells a client that asked for it how much has come, and sends the
// queue. "The receiver MUST send an Acknowledgement [...] after receiving the
// indicated number of bytes" (RTMP 1.0, 5.4.4).
func (c *Conn) acknowledge() error {
	due := c.in.window > 0 && c.received-c.acked >= max(c.in.window, minWindow)
	c.mu.Lock()
	defer c.mu.Unlock()
	if due {
		c.acked = c.received
		c.out.control(Header{Kind: KindAck}, binary.BigEndian.AppendUint32(nil, c.received))
	}
	c.owing = false
	return c.flush()
}

func (c *Conn) send() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owing = false
	return c.flush()
}

// flush sends the queue. The caller holds mu.
func (c *Conn) flush() error {
	if len(c.out.queue) == 0 {
		return nil
	}
	_, err := c.inner.Write(c.out.queue)
	if c.out.queue = c.out.queue[:0]; cap(c.out.queue) > maxOwn {
		c.out.queue = nil
	}
	return err
}

// Write takes in what the engine has for the client. The handshake waits until
// the engine reads, small messages for the command they precede.
func (c *Conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.out.connected
	due, err := c.out.write(b)
	if err != nil {
		return 0, err
	}
	if c.out.connected && !before {
		c.appendPing()
	}
	if due {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// Close sends what is still queued and closes the inner connection.
func (c *Conn) Close() error {
	err := c.send()
	if closeErr := c.inner.Close(); closeErr != nil || err == nil {
		return closeErr
	}
	return nil // that the last words did not arrive is the other side's loss
}
