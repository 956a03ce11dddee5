package ingest_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// client is an RTMP publisher that shares no code with the server: it writes
// the bytes of the specification and keeps what comes back.
type client struct {
	t       testing.TB
	conn    net.Conn
	r       *bufio.Reader
	chunk   int                // the server's chunk size
	streams map[byte]*incoming // by chunk stream
}

type incoming struct {
	length int
	kind   byte
	body   []byte
}

// Message types.
const (
	typeSetChunkSize = 1
	typeAudio        = 8
	typeVideo        = 9
	typeData         = 18
	typeCommand      = 20
)

const clientTimeout = 10 * time.Second

// dial connects and shakes hands.
func dial(tb testing.TB, addr net.Addr) *client {
	tb.Helper()
	c := dialRaw(tb, addr)
	c.handshake()
	return c
}

func (c *client) handshake() {
	c.t.Helper()
	c.send(append([]byte{3}, make([]byte, 1536)...))
	answer := make([]byte, 1+1536+1536)
	if _, err := io.ReadFull(c.r, answer); err != nil {
		c.t.Fatalf("handshake of %v: %v", c.conn.LocalAddr(), err)
	}
	c.send(answer[1 : 1+1536])
}

func dialRaw(tb testing.TB, addr net.Addr) *client {
	tb.Helper()
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", addr.String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	if err = conn.SetDeadline(time.Now().Add(clientTimeout)); err != nil {
		tb.Fatal(err)
	}
	return &client{t: tb, conn: conn, r: bufio.NewReader(conn), chunk: 128, streams: map[byte]*incoming{}}
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// message writes one message in chunks of 128 bytes.
func (c *client) message(kind byte, stream, timestamp uint32, body []byte) error {
	b := []byte{4, byte(timestamp >> 16), byte(timestamp >> 8), byte(timestamp), byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body)), kind}
	b = binary.LittleEndian.AppendUint32(b, stream)
	for i := 0; i < len(body); i += 128 {
		if i > 0 {
			b = append(b, 0xc4)
		}
		b = append(b, body[i:min(i+128, len(body))]...)
	}
	_, err := c.conn.Write(b)
	return err
}

func (c *client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func amfText(s string) string {
	return "\x02" + string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

func amfNumber(v float64) string {
	return "\x00" + string(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
}

func amfField(name, value string) string { return amfText(name)[1:] + value }

const (
	amfNull = "\x05"
	amfEnd  = "\x00\x00\x09"
)

func (c *client) command(stream uint32, parts ...string) {
	c.t.Helper()
	c.must(c.message(typeCommand, stream, 0, []byte(strings.Join(parts, ""))))
}

// connect sends connect and createStream and returns when both were answered.
func (c *client) connect(app, tcURL string) *client {
	c.t.Helper()
	c.command(0, amfText("connect"), amfNumber(1), "\x03",
		amfField("app", amfText(app)), amfField("tcUrl", amfText(tcURL)), amfField("flashVer", amfText("test/1.0")), amfEnd)
	c.expect("_result")
	c.command(0, amfText("createStream"), amfNumber(2), amfNull)
	c.expect("_result")
	return c
}

// publish sends publish and returns the first status.
func (c *client) publish(name string) (code, description string) {
	c.t.Helper()
	c.command(1, amfText("publish"), amfNumber(3), amfNull, amfText(name), amfText("live"))
	body := c.expect("onStatus")
	return property(body, "code"), property(body, "description")
}

func (c *client) mustPublish(name string) {
	c.t.Helper()
	if code, text := c.publish(name); code != "NetStream.Publish.Start" {
		c.t.Fatalf("publish: %s %q, want NetStream.Publish.Start", code, text)
	}
}

// goodbye does what ffmpeg and OBS do to stop.
func (c *client) goodbye(name string) {
	c.t.Helper()
	c.command(0, amfText("FCUnpublish"), amfNumber(4), amfNull, amfText(name))
	c.command(0, amfText("deleteStream"), amfNumber(5), amfNull, amfNumber(1))
}

// leave closes without a word and waits until the server has closed too.
func (c *client) leave() {
	c.t.Helper()
	_ = c.conn.(*net.TCPConn).CloseWrite() // fails when the server was first
	if _, err := io.Copy(io.Discard, c.r); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("the server did not close the connection")
	}
	c.conn.Close()
}

// property finds a string property in AMF0 bytes.
func property(body []byte, name string) string {
	_, rest, ok := bytes.Cut(body, []byte(amfField(name, "\x02")))
	if !ok || len(rest) < 2 {
		return ""
	}
	n := int(binary.BigEndian.Uint16(rest))
	return string(rest[2:min(2+n, len(rest))])
}

// expect reads until a command of that name.
func (c *client) expect(name string) []byte {
	c.t.Helper()
	for {
		kind, body, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", name, err)
		}
		if kind == typeCommand && bytes.HasPrefix(body, []byte(amfText(name))) {
			return body
		}
	}
}

// expectPing reads until a PingRequest and returns its token.
func (c *client) expectPing() (token []byte) {
	c.t.Helper()
	for {
		kind, body, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for a ping: %v", err)
		}
		if kind == typeUserControl && len(body) == 6 && body[1] == 6 {
			return body[2:]
		}
	}
}

// rest returns the codes of all statuses until the server closes.
func (c *client) rest() (codes []string) {
	c.t.Helper()
	for {
		kind, body, err := c.read()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			c.t.Fatal("the server did not close the connection")
		}
		if err != nil {
			return codes
		}
		if kind == typeCommand {
			codes = append(codes, property(body, "code"))
		}
	}
}

// read returns the next message.
func (c *client) read() (kind byte, body []byte, err error) {
	for {
		m, err := c.readHeader()
		if err != nil {
			return 0, nil, err
		}
		part := make([]byte, min(c.chunk, m.length-len(m.body)))
		if _, err = io.ReadFull(c.r, part); err != nil {
			return 0, nil, err
		}
		if m.body = append(m.body, part...); len(m.body) < m.length {
			continue
		}
		kind, body, m.body = m.kind, m.body, nil
		if kind == typeSetChunkSize {
			c.chunk = int(binary.BigEndian.Uint32(body))
		}
		return kind, body, nil
	}
}

func (c *client) readHeader() (*incoming, error) {
	first, err := c.r.ReadByte()
	if err != nil {
		return nil, err
	}
	m := c.streams[first&0x3f]
	if m == nil {
		m = &incoming{}
		c.streams[first&0x3f] = m
	}
	head := make([]byte, [...]int{11, 7, 3, 0}[first>>6])
	if _, err = io.ReadFull(c.r, head); err != nil {
		return nil, err
	}
	if len(head) >= 7 {
		m.length, m.kind = int(head[3])<<16|int(head[4])<<8|int(head[5]), head[6]
	}
	return m, nil
}
