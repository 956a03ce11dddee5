//go:build reliability

package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	endian "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Opcodes of RFC 6455, 5.2, with FIN.
const (
	wsText   = 0x81
	wsBinary = 0x82
	wsClose  = 0x88
	wsPing   = 0x89
	wsPong   = 0x8a
	wsMask   = 0x80
)

var errSocket = errors.New("websocket")

// socket is a WebSocket that costs little and may break every rule.
type socket struct {
	net.Conn
	in *bufio.Reader
}

// knock upgrades a connection from a loopback address. receive is the window it
// offers, 0 = the usual one. The status is that of a refusal.
func knock(ctx context.Context, s *server, from string, receive int, header ...string) (*socket, int, error) {
	small := func(_, _ string, raw syscall.RawConn) (err error) {
		if receive > 0 {
			failed := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive) })
			err = errors.Join(failed, err)
		}
		return err
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Control: small, Timeout: clientPatience}
	conn, err := d.DialContext(ctx, "tcp", s.addrs.HTTP)
	if err != nil {
		return nil, 0, err
	}
	_ = conn.SetDeadline(time.Now().Add(clientPatience))
	request := "GET /chat/v1/rooms/" + room + "/ws HTTP/1.1\r\nHost: " + s.addrs.HTTP + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: barrage.v1\r\n"
	request += strings.Join(append(header, "", ""), "\r\n")
	c := &socket{Conn: conn, in: bufio.NewReaderSize(conn, 1024)}
	var resp *http.Response
	if _, err = io.WriteString(conn, request); err == nil {
		resp, err = http.ReadResponse(c.in, nil) //nolint:bodyclose // of an upgrade or a refusal; its connection is closed
	}
	if err != nil {
		conn.Close()
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		conn.Close()
		return nil, resp.StatusCode, fmt.Errorf("%w: %s", errSocket, resp.Status)
	}
	return c, resp.StatusCode, conn.SetDeadline(time.Time{})
}

// enter is knock and hello, up to the welcome. Who is given a turn comes back then.
func enter(ctx context.Context, s *server, from string, receive int) (*socket, error) {
	for {
		c, _, err := knock(ctx, s, from, receive)
		if err != nil {
			return nil, err
		}
		var first []byte
		if err = c.say(wsText, `{"op":"hello"}`); err == nil {
			_, first, err = c.next()
		}
		if err == nil && bytes.HasPrefix(first, []byte(`{"op":"welcome"`)) {
			return c, nil
		}
		c.Close()
		var bye struct {
			Code  int   `json:"code"`
			Retry int64 `json:"retry_ms"`
		}
		if err == nil {
			err = json.Unmarshal(first, &bye)
		}
		if err != nil || bye.Code != 4009 || bye.Retry <= 0 {
			return nil, fmt.Errorf("%w: %.200s: %w", errSocket, first, err)
		}
		select {
		case <-time.After(time.Duration(bye.Retry) * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// say sends one frame. Its mask is zero.
func (c *socket) say(first byte, payload string) error {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, wsMask|byte(n))
	case n < 1<<16:
		b = endian.BigEndian.AppendUint16(append(b, wsMask|126), uint16(n))
	default:
		b = endian.BigEndian.AppendUint64(append(b, wsMask|127), uint64(n))
	}
	_, err := c.Write(append(append(b, 0, 0, 0, 0), payload...))
	return err
}

// next returns a frame, of which the payload is good until the next call.
func (c *socket) next() (first byte, payload []byte, err error) {
	head, err := c.in.Peek(2)
	if err != nil {
		return 0, nil, err
	}
	first = head[0]
	size, skip := int(head[1]), 2
	if size == 126 {
		if head, err = c.in.Peek(4); err != nil {
			return 0, nil, err
		}
		size, skip = int(endian.BigEndian.Uint16(head[2:])), 4
	}
	if size > 1<<16 {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes", errSocket, size)
	}
	_, _ = c.in.Discard(skip) // it was there
	payload = make([]byte, size)
	_, err = io.ReadFull(c.in, payload)
	return first, payload, err
}

// stay answers pings until the connection ends, gives every message to heard (if
// there is one) and returns the close code, 0 when none came.
func (c *socket) stay(heard func([]byte)) int {
	for {
		first, payload, err := c.next()
		switch {
		case err != nil:
			return 0
		case first == wsPing:
			_ = c.say(wsPong, string(payload)) // the next read says what went wrong
		case first == wsClose:
			_ = c.say(wsClose, string(payload[:min(2, len(payload))]))
			if len(payload) < 2 {
				return 1005
			}
			return int(endian.BigEndian.Uint16(payload))
		case first == wsText && heard != nil:
			heard(payload)
		}
	}
}
