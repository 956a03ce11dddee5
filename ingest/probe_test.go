package ingest_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"barrage/ingest"
	"barrage/packager/media"
)

// Message types that the publisher of the other tests does not send.
const (
	typeAbort         = 2
	typeAck           = 3
	typeUserControl   = 4
	typeWindowAckSize = 5
	typePeerBandwidth = 6
	typeDataAMF3      = 15
	typeCommandAMF3   = 17
	typeAggregate     = 22
)

// stage is how far a probe's connection has got when its case begins.
type stage int

const (
	raw       stage = iota // TCP only
	shaken                 // after the handshake
	connected              // after connect and createStream
	live                   // publishing
)

// probe is one hostile or odd client. Those of which something is expected must
// be served: a frame sent afterwards arrives. The others must be closed.
type probe struct {
	name   string
	from   stage
	to     stage // how far do gets by itself; from, if that is further
	do     func(c *client, key string)
	closed bool
	// check looks at the samples that came before that frame.
	check func(samples []media.Sample) bool
}

// target is what a probe is run against.
type target interface {
	Addr() net.Addr
	streamKey() string
	// forget drops the samples so far.
	forget()
	// served sends the frame mark, waits for its sample and returns those before
	// it, as far as the target can tell.
	served(c *client, mark string) []media.Sample
}

func (r *rig) streamKey() string { return r.key }

func (p *probe) run(t *testing.T, r target) {
	t.Helper()
	var c *client
	if p.from == raw {
		c = dialRaw(t, r.Addr())
	} else {
		c = dial(t, r.Addr())
	}
	if p.from >= connected {
		c.connect("live", "")
	}
	if p.from == live {
		c.mustPublish(r.streamKey())
	}
	r.forget()
	p.do(c, r.streamKey())
	if p.closed {
		c.rest()
		return
	}
	switch max(p.from, p.to) {
	case raw:
		c.t.Fatal("no handshake")
	case shaken:
		c.connect("live", "")
		c.mustPublish(r.streamKey())
	case connected:
		c.mustPublish(r.streamKey())
	case live:
	}
	samples := r.served(c, aacFrame+p.name)
	if p.check != nil && !p.check(samples) {
		t.Errorf("the samples before are %+v", samples)
	}
	c.leave()
}

func (r *rig) served(c *client, mark string) []media.Sample {
	c.t.Helper()
	c.audio(1<<24-2, aacHeader)
	c.audio(1<<24-2, mark)
	return r.until(mark[2:])
}

func (r *rig) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = nil
}

// until waits for the sample with that data and returns those before it.
func (r *rig) until(data string) []media.Sample {
	r.t.Helper()
	for {
		r.mu.Lock()
		for i, s := range r.samples {
			if string(s.Data) == data {
				samples := slices.Clone(r.samples[:i])
				r.mu.Unlock()
				return samples
			}
		}
		r.mu.Unlock()
		r.event()
	}
}

// TestProbe is every way in which a client is known to be hostile or odd. L1 to
// L30 are the rows of the table in package guard.
func TestProbe(t *testing.T) {
	r := start(t, nil)
	cases := slices.Concat(hostile(), oddMessages(), oddCommands(), oddChunks())
	if len(cases) < 37 {
		t.Fatalf("%d cases, want at least 37", len(cases))
	}
	for _, p := range cases {
		t.Run(p.name, func(t *testing.T) { r.of(t, func() { p.run(t, r) }) })
	}
	r.stop()
	if got := r.metric("connections", ""); got != 0 {
		t.Errorf("%v connections open after the probe, want 0", got)
	}
}

// of lends the rig to a subtest.
func (r *rig) of(t *testing.T, f func()) {
	t.Helper()
	outer := r.t
	defer func() { r.t = outer }()
	r.t = t
	f()
}

// L10: nobody stays who does not get on, whether silent, slow, or deaf.
func TestL10Timeouts(t *testing.T) {
	const short = 150 * time.Millisecond
	r := start(t, func(c *ingest.Config, _ *rig) {
		c.Timeouts.Handshake, c.Timeouts.Publish, c.Timeouts.Media = short, short, short
	})
	for name, c := range map[string]struct {
		from stage
		send string
	}{
		"silent":                     {raw, ""},
		"half a handshake":           {raw, "\x03" + strings.Repeat("x", 700)},
		"no connect":                 {shaken, ""},
		"no publish":                 {connected, ""},
		"publishing, no media":       {live, ""},
		"half a chunk":               {live, "\x06\x00\x00\x00"},
		"only what nobody asked for": {live, strings.Repeat("\x02\x00\x00\x00\x00\x00\x04\x03\x00\x00\x00\x00\x00\x00\x00\x01", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			r.of(t, func() { (&probe{from: c.from, do: sendRaw(c.send), closed: true}).run(t, r) })
		})
	}
}

// L10: a client that makes the server write and never reads.
func TestL10NeverReads(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.Timeouts.Write = 150 * time.Millisecond })
	c := r.publisher(r.key)
	c.audio(0, aacHeader)
	pings := bytes.Repeat([]byte("\x02\x00\x00\x00\x00\x00\x06\x04\x00\x00\x00\x00\x00\x06\x00\x00\x00\x01"), 10_000)
	for {
		if _, err := c.conn.Write(pings); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the server does not close it")
		} else if err != nil {
			break
		}
	}
	r.next("attach live", "track audio", "detach live clean=false")
	if got := r.metric("connections_ended_total", "network"); got != 1 {
		t.Errorf("%v connections ended by the network, want 1; log:\n%s", got, r.logs)
	}
}

// L30: go-rtmp asks for a logger and a system package with known holes.
func TestL30Dependencies(t *testing.T) {
	b, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"github.com/sirupsen/logrus v1.9.", "golang.org/x/sys v0.4"} {
		if !bytes.Contains(b, []byte("\t"+module)) {
			t.Errorf("go.mod does not ask for %s", module)
		}
	}
}

// grown tells by how much f makes the process's memory grow.
func grown(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.Sys) - int64(before.Sys)
}

// A thousand of each bomb: all closed, nothing kept, the server in good health.
func TestBombs(t *testing.T) {
	r := start(t, nil)
	if got := grown(func() {
		for range 1000 {
			for _, bomb := range []string{listBomb, nestBomb(60_000)} {
				c := dial(t, r.Addr())
				connectWith(bomb)(c, "")
				c.rest()
				c.conn.Close()
			}
		}
	}); got > 20<<20 {
		t.Errorf("memory grew by %d bytes, want at most 20 MiB", got)
	}
	r.publisher(r.key)
	r.next("attach live")
	if got := r.metric("connections_ended_total", "protocol"); got != 2000 {
		t.Errorf("%v connections ended by a fault of the protocol, want 2000", got)
	}
}

// What a client announces costs nothing, what it sends unfinished has a bound:
// 20 clients of one address that do not publish, each with all it may have.
func TestUnfinished(t *testing.T) {
	r := start(t, nil)
	chunk := strings.Repeat("x", 60_000)
	if got := grown(func() {
		for range 20 {
			c := dial(t, r.Addr())
			say(typeSetChunkSize, "\x00\x00\xea\x60")(c, "")
			for id := byte(5); id < 18; id++ { // media: skipped
				c.send([]byte{id, 0, 0, 0, 0xff, 0xff, 0xfe, typeVideo, 0, 0, 0, 0})
				c.send([]byte(chunk))
			}
		}
	}); got > 24<<20 { // 20 times what go-rtmp needs, and the client's own buffers
		t.Errorf("memory grew by %d bytes, want at most 24 MiB", got)
	}
}
