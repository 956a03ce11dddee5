//go:build reliability

package e2e_test

import (
	"bytes"
	"context"
	bytesof "encoding/binary" // binary is the server here
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"time"
)

// Message types of RTMP.
const (
	rtmpChunkSize = 1
	rtmpAudio     = 8
	rtmpVideo     = 9
	rtmpCommand   = 20
)

// clientChunk is the chunk size that our clients announce.
const clientChunk = 60_000

// clientPatience bounds every wait for the server.
const clientPatience = 20 * time.Second

// The bombs: 17 bytes that ask a decoder for 34 GB, and objects in objects.
const listBomb = "\x0a\x80\x00\x00\x00"

func nestBomb(n int) string { return strings.Repeat("\x03\x00\x01a", n/4) }

var (
	errDenied = errors.New("publish was denied")
	errBusy   = errors.New("publish was refused, the room is busy")
)

// rtmpClient speaks RTMP as bytes, from whichever loopback address is asked for.
type rtmpClient struct {
	net.Conn
	heard []byte // not looked at yet
}

// dialFrom connects; from is the source address, "" for any.
func dialFrom(ctx context.Context, addr, from string) (*rtmpClient, error) {
	d := net.Dialer{Timeout: clientPatience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &rtmpClient{Conn: conn}, conn.SetDeadline(time.Now().Add(clientPatience))
}

// shake does the handshake and announces the chunk size.
func (c *rtmpClient) shake() error {
	if _, err := c.Write(append([]byte{3}, make([]byte, 1536)...)); err != nil {
		return err
	}
	answer := make([]byte, 1+1536+1536)
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	c2 := answer[1 : 1+1536]
	size := bytesof.BigEndian.AppendUint32([]byte{2, 0, 0, 0, 0, 0, 4, rtmpChunkSize, 0, 0, 0, 0}, clientChunk)
	_, err := c.Write(append(c2, size...))
	return err
}

// publish connects and publishes; the error says what the server answered.
func (c *rtmpClient) publish(key string) error {
	hello := rtmpMessage(rtmpCommand, 0, 0, amfText("connect")+amfNumber(1)+"\x03"+amfText("app")[1:]+amfText("live")+"\x00\x00\x09")
	hello = append(hello, rtmpMessage(rtmpCommand, 0, 0, amfText("createStream")+amfNumber(2)+"\x05")...)
	hello = append(hello, rtmpMessage(rtmpCommand, 1, 0, amfText("publish")+amfNumber(3)+"\x05"+amfText(key)+amfText("live"))...)
	if _, err := c.Write(hello); err != nil {
		return err
	}
	answers := map[string]error{
		"NetStream.Publish.Start": nil, "NetStream.Publish.Denied": errDenied, "NetStream.Publish.BadName": errBusy,
	}
	buffer := make([]byte, 4096)
	for {
		for code, err := range answers {
			if bytes.Contains(c.heard, []byte(code)) {
				c.heard = nil
				return err
			}
		}
		n, err := c.Read(buffer)
		c.heard = append(c.heard, buffer[:n]...)
		if err != nil {
			return err
		}
	}
}

// closed waits until the server has closed.
func (c *rtmpClient) closed() error {
	_, err := io.Copy(io.Discard, c.Conn)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("still open: %w", err)
	}
	return nil // however it was closed
}

// publisher is a connection that publishes in an instant, and how long that took.
func publisher(ctx context.Context, addr, from, key string) (*rtmpClient, time.Duration, error) {
	began := time.Now()
	c, err := dialFrom(ctx, addr, from)
	if err != nil {
		return nil, 0, err
	}
	if err = c.shake(); err == nil {
		err = c.publish(key)
	}
	if err != nil {
		return nil, time.Since(began), errors.Join(err, c.Close())
	}
	return c, time.Since(began), nil
}

// rtmpMessage is one message in type 0 and type 3 chunks; times that do not fit
// in 24 bits stand in each chunk, as the specification wants.
func rtmpMessage(kind byte, stream, at uint32, body string) []byte {
	const csid = 4
	var extended []byte
	short := at
	if at >= 0xffffff {
		short, extended = 0xffffff, bytesof.BigEndian.AppendUint32(nil, at)
	}
	n := len(body)
	b := []byte{csid, byte(short >> 16), byte(short >> 8), byte(short), byte(n >> 16), byte(n >> 8), byte(n), kind}
	b = bytesof.LittleEndian.AppendUint32(b, stream)
	b = append(b, extended...)
	for i := 0; i < n; i += clientChunk {
		if i > 0 {
			b = append(append(b, 0xc0|csid), extended...)
		}
		b = append(b, body[i:min(i+clientChunk, n)]...)
	}
	return b
}

func amfText(s string) string {
	return "\x02" + string(bytesof.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

func amfNumber(v float64) string {
	return "\x00" + string(bytesof.BigEndian.AppendUint64(nil, math.Float64bits(v)))
}
