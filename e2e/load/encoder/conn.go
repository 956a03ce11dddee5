//go:build load

package encoder

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

const dialTimeout = 20 * time.Second

// Conn is one publishing connection. One goroutine sends; Listen runs beside.
type Conn struct {
	conn    *net.TCPConn
	raw     syscall.RawConn
	backlog []byte // written late: what the socket had no room for

	gone atomic.Pointer[error] // why the server closed
}

// dial connects publisher i. Each comes from an address of its own below 127/8
// when the server is on this machine, because servers bound what one address may do.
func dial(ctx context.Context, addr string, i int) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if host, _, err := net.SplitHostPort(addr); err == nil && net.ParseIP(host).IsLoopback() {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1, byte(i/250), byte(i%250+1))}
	}
	conn, err := d.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// Publish speaks RTMP up to NetStream.Publish.Start. It does not wait between
// commands, which no server may mind.
func Publish(ctx context.Context, addr, key string, i, chunk int) (*Conn, error) {
	conn, err := dial(ctx, addr, i)
	if err != nil {
		return nil, err
	}
	if err = hello(conn, key, chunk); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("publisher %d: %w", i, err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &Conn{conn: conn, raw: raw}, nil
}

func hello(conn net.Conn, key string, chunk int) error {
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	// C0, C1 and C2, all at once: RTMP 1.0, 5.2.
	out := append([]byte{3}, make([]byte, 2*1536)...)
	out = append(out, 2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0) // Set Chunk Size
	out = binary.BigEndian.AppendUint32(out, uint32(chunk))
	out = append(out, command(0, amfText("connect")+amfOne+"\x03\x00\x03app"+amfText("live")+
		"\x00\x08flashVer"+amfText("barrage load")+"\x00\x05tcUrl"+amfText("rtmp://"+conn.RemoteAddr().String()+"/live")+"\x00\x00\x09")...)
	out = append(out, command(0, amfText("createStream")+amfOne+"\x05")...)
	out = append(out, command(streamID, amfText("publish")+amfOne+"\x05"+amfText(key)+amfText("live"))...)
	if _, err := conn.Write(out); err != nil {
		return err
	}
	return errors.Join(accepted(conn), conn.SetDeadline(time.Time{}))
}

const amfOne = "\x00\x3f\xf0\x00\x00\x00\x00\x00\x00"

func amfText(s string) string {
	return "\x02" + string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

func command(stream byte, body string) []byte {
	b := []byte{3, 0, 0, 0, 0, byte(len(body) >> 8), byte(len(body)), 20, stream, 0, 0, 0}
	return append(b, body...)
}

// ErrRefused means that the server does not want this publisher.
var ErrRefused = errors.New("publish refused")

// accepted reads until the server has decided.
func accepted(conn net.Conn) error {
	var heard []byte
	for b := make([]byte, 4096); ; {
		n, err := conn.Read(b)
		heard = append(heard, b[:n]...)
		if bytes.Contains(heard, []byte("NetStream.Publish.Start")) {
			return nil
		}
		if _, why, no := bytes.Cut(heard, []byte("NetStream.Publish.")); no {
			return fmt.Errorf("%w: %q", ErrRefused, why[:min(len(why), 120)])
		}
		if err != nil {
			return err
		}
	}
}

// Listen reads what the server says until it closes.
func (p *Conn) Listen() {
	_, err := io.Copy(io.Discard, p.conn)
	if err == nil {
		err = io.EOF
	}
	p.gone.CompareAndSwap(nil, &err)
}

// Send writes b without ever waiting: what the socket does not take is kept, in
// order, for the next call.
func (p *Conn) Send(b []byte) error {
	if len(p.backlog) > 0 {
		p.backlog = append(p.backlog, b...)
		return p.flush()
	}
	n, err := p.write(b)
	if err == nil && n < len(b) {
		p.backlog = append(p.backlog, b[n:]...)
	}
	return err
}

// Late returns how many bytes the socket had no room for yet.
func (p *Conn) Late() int { return len(p.backlog) }

// Gone returns why the server closed the connection, or nil.
func (p *Conn) Gone() error {
	if why := p.gone.Load(); why != nil {
		return *why
	}
	return nil
}

// Leave says the goodbye of an encoder and closes. Who was dropped cannot be said
// goodbye to, and who does not read is not waited for.
func (p *Conn) Leave() {
	if len(p.backlog) == 0 && p.Gone() == nil {
		_, _ = p.write(command(0, amfText("deleteStream")+amfOne+"\x05"+amfOne))
	}
	_ = p.conn.Close()
}

// Close hangs up without a word.
func (p *Conn) Close() error { return p.conn.Close() }

func (p *Conn) flush() error {
	n, err := p.write(p.backlog)
	if p.backlog = p.backlog[:copy(p.backlog, p.backlog[n:])]; len(p.backlog) > maxBacklog {
		err = errors.Join(err, errStalled)
	}
	return err
}

// maxBacklog is far more than a server in health leaves unread.
const maxBacklog = 8 << 20

var errStalled = errors.New("the server reads too slowly")

func (p *Conn) write(b []byte) (n int, err error) {
	// The function returns true always: RawConn then never waits.
	waited := p.raw.Write(func(fd uintptr) bool {
		n, err = syscall.Write(int(fd), b)
		return true
	})
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
		err = nil
	}
	return max(n, 0), errors.Join(waited, err)
}
