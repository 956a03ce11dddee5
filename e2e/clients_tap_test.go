//go:build clients || players

package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// tap stands between encoders and the server and counts what is sent on the wire:
// the truth about a client that does not tell how much it sent.
type tap struct {
	addr  string
	gate  chan struct{} // connections wait here; nil = they do not
	deaf  bool          // the server never hears that a client is gone, as behind a NAT
	mu    sync.Mutex
	conns []*tapped
}

// tapped is what one connection sent. Its fields belong to the tap's mutex.
type tapped struct {
	began    time.Time // the first picture went by
	pictures []picture
	sounds   []int // times in ms
	err      error
}

// count is how many access units of each kind there are.
type count struct{ video, audio int }

// picture is decoded at one time and shown at another, in ms.
type picture struct{ decoded, shown int }

func startTap(t *testing.T, target string, options ...func(*tap)) *tap {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{addr: l.Addr().String()}
	for _, o := range options {
		o(p)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var tasks sync.WaitGroup
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		tasks.Wait()
	})
	tasks.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			c := &tapped{}
			p.mu.Lock()
			p.conns = append(p.conns, c)
			p.mu.Unlock()
			tasks.Go(func() { p.splice(ctx, c, client, target) })
		}
	})
	return p
}

// seen returns how many connections there were, and what they sent together that
// is to be served: all pictures, and the sound that has one.
func (p *tap) seen() (conns int, sent count, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		sent.video += len(c.pictures)
		sent.audio += c.heard()
		err = errors.Join(err, c.err)
	}
	return len(p.conns), sent, err
}

// heard counts the sound that begins with the first picture or later, and of which
// more than half is heard before the last one has gone.
func (c *tapped) heard() (n int) {
	const frame, unit = 1000. / 30, 1024. / 48
	if len(c.pictures) == 0 {
		return 0
	}
	first, last := c.pictures[0], c.pictures[len(c.pictures)-1]
	until := float64(last.decoded+first.shown-first.decoded) + frame
	for _, at := range c.sounds {
		if at >= first.shown && float64(at)+unit/2 < until {
			n++
		}
	}
	return n
}

// splice carries the bytes of one connection in both directions until ctx ends or
// one side is gone.
func (p *tap) splice(ctx context.Context, c *tapped, client net.Conn, target string) {
	defer client.Close()
	if p.gate != nil {
		select {
		case <-p.gate:
		case <-ctx.Done():
			return
		}
	}
	server, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()

	wire, copied := io.Pipe()
	var tasks sync.WaitGroup
	tasks.Go(func() {
		err := p.read(c, bufio.NewReader(wire))
		p.mu.Lock()
		c.err = err
		p.mu.Unlock()
		_, _ = io.Copy(io.Discard, wire) // whatever it says, the copy below goes on
	})
	tasks.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(io.MultiWriter(server, copied), client)
	_ = copied.Close()
	if p.deaf {
		<-ctx.Done()
	}
	_ = server.Close()
	tasks.Wait()
}

var errLongTime = errors.New("a time of more than 24 bits: no test runs that long")

// header is what the chunks of one chunk stream have in common.
type header struct {
	length    int
	kind      byte
	at, delta int // ms
	extended  bool
	body      []byte
}

// read follows the client's chunk stream (RTMP 1.0, section 5.3) and counts the
// messages that hold media.
func (p *tap) read(c *tapped, r *bufio.Reader) error {
	if _, err := r.Discard(1 + 2*1536); err != nil { // C0, C1, C2
		return ended(err)
	}
	chunk, streams := 128, map[int]*header{}
	for {
		h, err := nextHeader(r, streams)
		if err != nil {
			return ended(err)
		}
		part := make([]byte, min(chunk, h.length-len(h.body)))
		if _, err = io.ReadFull(r, part); err != nil {
			return ended(err)
		}
		if h.body = append(h.body, part...); len(h.body) < h.length {
			continue
		}
		if h.kind == 1 && len(h.body) >= 4 { // Set Chunk Size, 5.4.1
			chunk = int(h.body[0])<<24 | int(h.body[1])<<16 | int(h.body[2])<<8 | int(h.body[3])
		}
		p.mu.Lock()
		c.add(h)
		p.mu.Unlock()
		h.body = h.body[:0]
	}
}

// ended takes the end of a connection, wherever it is, for no error.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// add keeps a message that is an access unit, and no header or end of sequence.
func (c *tapped) add(h *header) {
	const avc, aac = 7, 10
	switch b := h.body; {
	case len(b) < 5:
	case h.kind == 9 && b[0]&0x0F == avc && b[1] == 1:
		if len(c.pictures) == 0 {
			c.began = time.Now()
		}
		later := int(int32(uint32(b[2])<<24|uint32(b[3])<<16|uint32(b[4])<<8) >> 8)
		c.pictures = append(c.pictures, picture{h.at, h.at + later})
	case h.kind == 8 && b[0]>>4 == aac && b[1] == 1:
		c.sounds = append(c.sounds, h.at)
	}
}

// nextHeader reads the basic header and the message header of a chunk.
func nextHeader(r *bufio.Reader, streams map[int]*header) (*header, error) {
	b, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	format, id := b>>6, int(b&0x3F)
	if id < 2 { // one or two more bytes
		more := make([]byte, 1+id)
		if _, err = io.ReadFull(r, more); err != nil {
			return nil, err
		}
		id = 64 + int(more[0])
		if len(more) == 2 {
			id += int(more[1]) << 8
		}
	}
	h := streams[id]
	if h == nil {
		if format != 0 {
			return nil, fmt.Errorf("chunk stream %d begins with a header of type %d", id, format)
		}
		h = &header{}
		streams[id] = h
	}
	fields := make([]byte, [4]int{11, 7, 3, 0}[format])
	if _, err = io.ReadFull(r, fields); err != nil {
		return nil, err
	}
	if format < 3 {
		h.delta = int(fields[0])<<16 | int(fields[1])<<8 | int(fields[2])
		h.extended = h.delta == 0xFFFFFF
	}
	if format == 0 {
		h.at = 0
	}
	if len(h.body) == 0 { // of a new message
		h.at += h.delta
	}
	if format < 2 {
		h.length = int(fields[3])<<16 | int(fields[4])<<8 | int(fields[5])
		h.kind = fields[6]
	}
	if h.extended {
		err = errLongTime
	}
	return h, err
}
