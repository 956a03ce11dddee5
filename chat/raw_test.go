package chat_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Opcodes of RFC 6455, 5.2.
const (
	opMore   = 0x0
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa
	fin      = 0x80
	masked   = 0x80
)

// rawConn is a WebSocket without a library: it sends any bytes, and reads frames.
type rawConn struct {
	net.Conn
	in *bufio.Reader
}

// raw upgrades a connection of n.
func (n *node) raw(tb testing.TB) *rawConn {
	tb.Helper()
	c, err := n.dial(tb.Context(), "tcp", n.addr)
	if err != nil {
		tb.Fatal(err)
	}
	r := &rawConn{Conn: c, in: bufio.NewReader(c)}
	_, err = io.WriteString(c, "GET /chat/v1/rooms/live/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: barrage.v1\r\n\r\n")
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		tb.Fatalf("upgrade: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	return r
}

// frame is one frame as a client sends it. The mask is zero, so that the fuzzer's
// changes of a payload stay what they are.
func frame(first byte, payload string) []byte { return head(first, uint64(len(payload)), payload) }

// head is frame with a length of its own.
func head(first byte, length uint64, payload string) []byte {
	b := []byte{first}
	switch {
	case length < 126:
		b = append(b, masked|byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, masked|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, masked|127), length)
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// next reads one frame of the server.
func (r *rawConn) next() (opcode byte, payload []byte, err error) {
	var b [10]byte
	if _, err = io.ReadFull(r.in, b[:2]); err != nil {
		return 0, nil, err
	}
	// What a server sends is never masked, and ours never has fragments or extensions.
	if b[0]&0xf0 != fin || b[1]&masked != 0 {
		return 0, nil, fmt.Errorf("%w: head %x", errServer, b[:2])
	}
	length := uint64(b[1])
	switch length {
	case 126:
		_, err = io.ReadFull(r.in, b[2:4])
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		_, err = io.ReadFull(r.in, b[2:10])
		length = binary.BigEndian.Uint64(b[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, min(length, 1<<20))
	_, err = io.ReadFull(r.in, payload)
	return b[0] & 0x0f, payload, err
}

var errServer = errors.New("the server broke the protocol")

// noStatus is the code of a close frame without one (RFC 6455, 7.1.5).
const noStatus = 1005

// heard is what a server said to one case of the probe.
type heard struct {
	pongs []string // control frames
	ops   []string // of messages, in their order
	code  int      // of the close frame; 0 = none came
	rest  error    // how the connection went on after the close frame
}

// listen reads until the server closes, or answers the last of our questions.
func (r *rawConn) listen() (h heard, err error) {
	_ = r.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		opcode, payload, err := r.next()
		if err != nil {
			return h, err
		}
		switch opcode {
		case opPong:
			h.pongs = append(h.pongs, string(payload))
		case opClose:
			h.code = noStatus
			if len(payload) >= 2 {
				h.code = int(binary.BigEndian.Uint16(payload))
			}
			_, _, h.rest = r.next()
			return h, nil
		case opText:
			op := strings.SplitN(string(payload), `"`, 5)[3]
			h.ops = append(h.ops, op)
			if op == "you" {
				return h, nil
			}
		}
	}
}
