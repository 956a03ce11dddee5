package chat

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// sendBuffer bounds what the kernel keeps of a subscriber that does not read
	// (Linux doubles it): two seconds of a busy room, and a megabyte a second to
	// somebody 30 ms away.
	sendBuffer = 16 << 10
	// userTimeout ends a connection whose peer has vanished while bytes are under
	// way; left alone, Linux goes on sending them for a quarter of an hour.
	userTimeout = 10 * time.Second
)

// line is a connection as the WebSocket library has it. It reads the heads of
// the frames along, for what the library does not tell. Messages go out past the
// library, each in one write: its way is too deep for the smallest stack, and a
// subscriber would keep a larger one for ever.
type line struct {
	net.Conn
	closed atomic.Bool // our close frame has gone out

	head    [14]byte // of the frame that comes now
	got     int      // bytes of it
	payload uint64   // still to come of the frame whose head is complete

	closing   bool   // the head of the close frame has come
	closeSize uint64 // bytes of its payload
}

// Read implements net.Conn.
func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.follow(p[:n])
	return n, err
}

// Write implements net.Conn for the library, which sends nothing through it but
// its answer to the handshake and whole control frames.
func (l *line) Write(p []byte) (int, error) {
	if p[0] == fin|websocket.CloseMessage {
		l.closed.Store(true)
	}
	return l.Conn.Write(p)
}

// ping writes a ping; the pong puts off the idle deadline.
func (l *line) ping() error { return l.send([]byte{fin | websocket.PingMessage, 0}, writeTimeout) }

// send writes whole frames within d. RFC 6455, 5.5.1: "The application MUST NOT
// send any more data frames after sending a Close frame."
func (l *line) send(frames []byte, d time.Duration) error {
	if l.closed.Load() {
		return websocket.ErrCloseSent
	}
	if err := l.SetWriteDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	_, err := l.Conn.Write(frames)
	return err
}

// fin is the bit of a frame that is the last of its message.
const fin = 0x80

// appendFrame appends a text frame (RFC 6455, 5.2; a server masks nothing).
func appendFrame(dst, text []byte) []byte {
	dst = append(dst, fin|websocket.TextMessage)
	switch n := len(text); {
	case n < 126:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, text...)
}

// follow takes what came apart into heads and payloads, up to the close frame.
func (l *line) follow(b []byte) {
	for len(b) > 0 && !l.closing {
		if l.payload > 0 {
			n := min(l.payload, uint64(len(b)))
			l.payload -= n
			b = b[n:]
			continue
		}
		l.head[l.got] = b[0]
		l.got++
		b = b[1:]
		if size, payload := l.measure(); l.got == size {
			l.got, l.payload = 0, payload
			if l.head[0]&0x0f == websocket.CloseMessage {
				l.closing, l.closeSize = true, payload
			}
		}
	}
}

// measure returns the sizes of head and payload (RFC 6455, 5.2), as far as is
// known: a head has at least two bytes.
func (l *line) measure() (head int, payload uint64) {
	if l.got < 2 {
		return 2, 0
	}
	head, payload = 2, uint64(l.head[1]&0x7f)
	switch payload {
	case 126:
		head, payload = 4, uint64(binary.BigEndian.Uint16(l.head[2:]))
	case 127:
		head, payload = 10, binary.BigEndian.Uint64(l.head[2:])
	}
	if l.head[1]&0x80 != 0 {
		head += 4
	}
	return head, payload
}

// answerClose replaces the library's answer to a close frame, which takes a
// payload of one byte for none. RFC 6455, 5.5.1: "If there is a body, the first
// two bytes of the body MUST be a 2-byte unsigned integer".
func (l *line) answerClose(conn *websocket.Conn) func(int, string) error {
	return func(code int, _ string) error {
		if l.closeSize == 1 {
			code = websocket.CloseProtocolError
		}
		// Who has gone already needs no answer.
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(closeTimeout))
		return nil
	}
}

// hijacker hands the library a line in place of the connection.
type hijacker struct {
	http.ResponseWriter
	line *line
}

// Hijack implements http.Hijacker.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.line.Conn = conn
	tune(conn)
	return h.line, rw, nil
}

// tune bounds what a connection costs the kernel. A system that cannot do it
// does as it always does; the deadlines stay.
func tune(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	if c, ok := conn.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = c.SetWriteBuffer(sendBuffer)
	}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { setUserTimeout(fd, userTimeout) })
		}
	}
}
