package chat

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"barrage/chat/internal/wire"

	"github.com/gorilla/websocket"
)

const (
	readLimit    = 4096
	helloTimeout = 5 * time.Second
	writeTimeout = 5 * time.Second
	byeTimeout   = 2 * time.Second
	closeTimeout = time.Second // for the other side's part of the closing
	pingInterval = 25 * time.Second
	idleTimeout  = 60 * time.Second
	idleStep     = time.Second // the deadline is put off at most so often: it costs a timer

	maxDiscard   = 1 << 20
	maxPrivate   = 128                   // frames for one subscriber alone that may wait
	maxAcks      = 1 << 20               // bytes of acks, too
	messageEvery = 50 * time.Millisecond // frames of one socket in the long run; more where chat.rate asks for it
	messageBurst = 60
	likeEvery    = 20 * time.Millisecond
	likeBurst    = 100
)

// subscriber is one WebSocket. Its reader (serve) and its writer (write) are
// its only goroutines once it was welcomed; what it costs in memory does not grow with what it has
// not read.
type subscriber struct {
	hub  *Hub
	room *room
	conn *websocket.Conn // for reading, and for control frames
	line *line           // for messages
	addr netip.Addr      // the client's
	me   person          // the reader's; after greet only its nick changes
	done chan struct{}
	wake chan struct{} // rung when private has something

	messages, likes gcra   // the reader's
	resumes         uint64 // the writer's: entries up to this position were missed, not slept through

	extended time.Duration // when the idle deadline was last put off; the reader's

	mu      sync.Mutex
	private [][]byte
	acks    []byte // not yet sent, as wire.AppendAck collects them
	why     *bye   // set before done is closed
}

// pad is what the handling of one message needs for a moment. Those who are
// silent have none.
type pad struct {
	frame        [readLimit + 1]byte
	key, comment []byte
}

func newSubscriber(h *Hub, r *room, conn *websocket.Conn, addr netip.Addr) *subscriber {
	return &subscriber{hub: h, room: r, conn: conn, addr: addr, done: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// welcome is the beginning of a connection: it ends it, or returns what its two
// goroutines go on from. It has a goroutine of its own, because it needs a stack
// that those would keep for ever.
func (s *subscriber) welcome() (cursor *entry, ok bool) {
	s.conn.SetReadLimit(readLimit)
	hello, refused := s.greet()
	if refused == nil {
		var frames [][]byte
		if cursor, frames, refused = s.room.join(s, hello.Resume); refused == nil {
			s.begin(frames)
			if taken := s.room.rename(s, hello.Nick); taken != "" {
				s.tell(wire.AppendError(nil, taken, 0), wire.AppendYou(nil, s.me.you()))
			}
			s.resumes = s.room.tape.newest.Load() // who resumes is behind at first
			if err := s.deliver(); err != nil {   // the welcome comes before everything else
				s.fail(err)
			}
			return cursor, true
		}
	}
	s.close(*refused)
	s.farewell()
	s.linger()
	s.end()
	return nil, false
}

// serve is the rest of a connection; it closes it.
func (s *subscriber) serve(cursor *entry) {
	var writer sync.WaitGroup
	writer.Go(func() { s.write(cursor) })
	s.read()
	writer.Wait()
	s.room.depart(s)
	s.end()
}

func (s *subscriber) end() {
	s.hangUp()
	s.hub.metrics.closes.WithLabelValues(s.why.label).Inc()
}

// greet reads hello and finds out who it is, or returns why not.
func (s *subscriber) greet() (wire.Client, *bye) {
	s.readWithin(helloTimeout)
	refuse := func(b bye) (wire.Client, *bye) { return wire.Client{}, &b }
	select {
	case <-s.done: // close has set another deadline, which ours has replaced
		return wire.Client{}, s.why
	default:
	}
	m, broken := s.message(s.conn.NextReader())
	select {
	case <-s.done:
		return wire.Client{}, s.why
	default:
	}
	switch {
	case broken != nil && broken.code == codeIdle:
		return refuse(byeHello("hello_missing"))
	case broken != nil:
		return refuse(*broken)
	case m.Op != "hello":
		return refuse(byeHello("hello_bad"))
	}
	me, why := s.hub.identify(m, s.room.name)
	if why != "" {
		return refuse(byeToken(why))
	}
	me.addr = s.addr
	s.me = me
	select {
	case <-s.room.ready:
	case <-time.After(openTimeout):
	case <-s.done:
		return wire.Client{}, s.why
	}
	return m, nil
}

// message reads what NextReader has begun. The bye is why there is none.
func (s *subscriber) message(kind int, r io.Reader, err error) (wire.Client, *bye) {
	fail := func(b bye) (wire.Client, *bye) { return wire.Client{}, &b }
	p := s.hub.pads.Get().(*pad)
	defer s.hub.pads.Put(p)
	size := 0
	for err == nil && size < len(p.frame) {
		var n int
		n, err = r.Read(p.frame[size:])
		size += n
	}
	var slow net.Error
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		// The library says so by itself, but not of lengths above 2^63; nothing is
		// said twice.
		_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseMessageTooBig, ""), time.Now().Add(byeTimeout))
		return fail(byeGone("too_large"))
	case errors.Is(err, errFlood):
		return fail(byeFlood())
	case errors.As(err, &slow) && slow.Timeout():
		return fail(byeIdle())
	case !errors.Is(err, io.EOF):
		return fail(byeGone("gone"))
	case kind != websocket.TextMessage:
		return fail(byeBinary())
	}
	m, err := wire.ParseClient(p.frame[:size])
	switch {
	case errors.Is(err, wire.ErrNotUTF8):
		return fail(byeNotUTF8())
	case err != nil:
		return wire.Client{}, nil // an op that nobody knows
	}
	return m, nil
}

// read handles messages until the connection ends. Whoever is silent waits here,
// so that this function holds nothing that would enlarge its stack.
func (s *subscriber) read() {
	s.hearControl()
	for s.hear(s.conn.NextReader()) {
	}
	s.linger()
}

// hearControl has control frames counted as messages are.
func (s *subscriber) hearControl() {
	if s.alive() != nil { // for the hello
		s.close(byeFlood())
	}
	s.conn.SetPongHandler(func(string) error { return s.alive() })
	s.conn.SetPingHandler(func(data string) error {
		// Who leaves does not need the pong.
		_ = s.conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout))
		return s.alive()
	})
}

// hear handles the message that NextReader has begun, and reports whether the
// connection goes on.
func (s *subscriber) hear(kind int, r io.Reader, err error) bool {
	m, broken := s.message(kind, r, err)
	switch {
	case broken != nil:
		s.close(*broken)
	case s.me.expires != 0 && s.hub.now().Unix() >= s.me.expires:
		s.close(byeToken("token_expired"))
	default:
		s.handle(m)
		if s.alive() == nil {
			return true
		}
		s.close(byeFlood())
	}
	return false
}

var errFlood = errors.New("too many frames")

// alive puts off the idle deadline, and counts against a flood: every frame,
// a ping too, costs the server more than the sender.
func (s *subscriber) alive() error {
	cfg, now := s.hub.cfg, s.hub.clock()
	every, burst := min(messageEvery, cfg.Rate.interval()/2), max(messageBurst, 2*cfg.Burst)
	if s.messages.take(now, every, burst, 1) > 0 {
		return errFlood
	}
	if s.extended != 0 && now-s.extended < idleStep {
		return nil
	}
	s.extended = now
	return s.conn.SetReadDeadline(time.Now().Add(idleTimeout))
}

// linger reads on until the other side has closed too, for a moment: closing a
// socket with unread input makes TCP throw away what was last written.
func (s *subscriber) linger() {
	s.readWithin(closeTimeout)
	for {
		_, _, err := s.conn.NextReader()
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			return
		}
		if err != nil {
			// The library reads no more after an error, but what it left must go.
			_, _ = io.CopyN(io.Discard, s.conn.NetConn(), maxDiscard)
			return
		}
	}
}

func (s *subscriber) handle(m wire.Client) {
	switch m.Op {
	case "send":
		s.room.say(s, m)
	case "like":
		if m.N < 1 || m.N > 50 {
			s.tell(wire.AppendError(nil, "bad_message", 0))
		} else if s.likes.take(s.hub.clock(), likeEvery, likeBurst, m.N) == 0 {
			s.room.like(m.N)
		}
	case "ping":
		s.tell(wire.AppendPong(nil, s.hub.now().UnixMilli()))
	case "nick":
		if taken := s.room.rename(s, m.Nick); taken != "" {
			s.tell(wire.AppendError(nil, taken, 0))
		}
		s.tell(wire.AppendYou(nil, s.me.you()))
	case "mod":
		s.room.order(s, m)
	case "", "hello":
		s.tell(wire.AppendError(nil, "bad_message", 0))
	default:
		s.tell(wire.AppendError(nil, "unknown_op", 0))
	}
}

// tell sends frames to this subscriber alone. It never blocks: who does not
// read the answers to his own messages is closed.
func (s *subscriber) tell(frames ...[]byte) {
	s.mu.Lock()
	full := len(s.private)+len(frames) > maxPrivate
	if !full && s.why == nil {
		s.private = append(s.private, frames...)
	}
	s.mu.Unlock()
	if full {
		s.close(byeSlow())
	}
	ring(s.wake)
}

// begin puts what comes before everything else, which may be more than maxPrivate.
func (s *subscriber) begin(frames [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.private = append(frames, s.private...)
}

// ack adds an ack to the next frame of acks, and says whether it is the first:
// then somebody has to ring wake.
func (s *subscriber) ack(a wire.Ack) (first bool) {
	s.mu.Lock()
	full := len(s.acks) > maxAcks
	if first = len(s.acks) == 0; s.why == nil && !full {
		if first {
			s.acks = make([]byte, 0, 256)
		}
		s.acks = wire.AppendAck(s.acks, a)
	}
	s.mu.Unlock()
	if full {
		s.close(byeSlow())
	}
	return first
}

// close ends the connection with b, unless it is ending already. It does not wait.
func (s *subscriber) close(b bye) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return
	}
	s.why = &b
	close(s.done)
	ring(s.wake)
	// What the reader and the writer are in the middle of must end. net.Conn
	// allows this from any goroutine.
	_ = s.conn.NetConn().SetReadDeadline(time.Now())
	_ = s.conn.NetConn().SetWriteDeadline(time.Now().Add(byeTimeout))
}

func (s *subscriber) ending() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// The errors of the next two say that the socket is closed already; the read
// or write that follows says it again.

func (s *subscriber) hangUp() { _ = s.conn.Close() }

func (s *subscriber) readWithin(d time.Duration) { _ = s.conn.SetReadDeadline(time.Now().Add(d)) }
