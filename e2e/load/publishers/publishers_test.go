//go:build load

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"barrage/ingest"
	"barrage/packager/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tag is one FLV tag.
func tag(kind byte, ms int, body string) []byte {
	n := len(body)
	b := []byte{kind, byte(n >> 16), byte(n >> 8), byte(n), byte(ms >> 16), byte(ms >> 8), byte(ms), byte(ms >> 24), 0, 0, 0}
	return append(append(b, body...), 0, 0, 0, 0)
}

// show is half a second of picture and sound at 20 units a second each.
func show() []byte {
	b := []byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00")
	b = append(b, tag(typeScript, 0, "\x02\x00\x0aonMetaData\x03\x00\x00\x09")...)
	b = append(b, tag(typeVideo, 0, "\x17\x00\x00\x00\x00\x01\x4d\x40\x1e\xff\xe1\x00\x18\x67\x4d\x40\x1e\xec\xa0\x50\x17\xfc\xb8\x08\x80\x00\x00"+
		"\x03\x00\x80\x00\x00\x1e\x07\x8b\x16\xcb\x01\x00\x04\x68\xce\x0f\xc8")...)
	b = append(b, tag(typeAudio, 0, "\xaf\x00\x11\x90")...)
	for i := range 10 {
		picture := "\x27\x01\x00\x00\x00\x00\x00\x01\x2c\x41"
		if i == 0 {
			picture = "\x17\x01\x00\x00\x00\x00\x00\x01\x2c\x65"
		}
		b = append(b, tag(typeVideo, i*50, picture+string(make([]byte, 299)))...)
		b = append(b, tag(typeAudio, i*50, "\xaf\x01sound")...)
	}
	b = append(b, tag(typeVideo, 500, "\x17\x02\x00\x00\x00")...)
	return append(b, 9, 0, 0, 99) // cut short
}

func TestScript(t *testing.T) {
	s, err := parseScript(show(), 128)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.intro) != 3 || len(s.loop) != 20 || s.loop[2].at != 50*time.Millisecond {
		t.Errorf("%d messages once, %d again and again, the third at %v", len(s.intro), len(s.loop), s.loop[2].at)
	}
	if d := s.dur; d < 450*time.Millisecond || d > 500*time.Millisecond {
		t.Errorf("lasts %v, want between the last message and 500ms", d)
	}
	wire := s.loop[0].wire
	if len(wire) != 12+309+2 || wire[12+128] != 0xc5 || wire[12+129+128] != 0xc5 || wire[0] != 5 {
		t.Errorf("309 bytes in chunks of 128 on stream 5: %d bytes, %x", len(wire), wire[:16])
	}
	stamp(wire, 0x123456*time.Millisecond)
	if !bytes.Equal(wire[1:4], []byte{0x12, 0x34, 0x56}) {
		t.Errorf("timestamp %x, want 123456", wire[1:4])
	}
	for name, b := range map[string][]byte{"empty": nil, "other": []byte("RIFF it is not an FLV"), "no media": show()[:40]} {
		if _, err = parseScript(b, 128); !errors.Is(err, errNotFLV) {
			t.Errorf("%s: %v, want errNotFLV", name, err)
		}
	}
}

func TestStat(t *testing.T) {
	u, err := parseStat([]byte("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 17 18 19 20 300 21"), 4096)
	if err != nil || u.cpu != 2*time.Second || u.rss != 300*4096 {
		t.Errorf("usage %+v, %v, want 2 s and 300 pages", u, err)
	}
	for _, bad := range []string{"", "7 (a", "7 (a) S 1", "7 (a) S 1 2 3 4 5 6 7 8 9 10 x 50 13 14 15 16 17 18 19 20 300 21"} {
		if _, err = parseStat([]byte(bad), 1); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	if u, err = usageOf(os.Getpid()); err != nil || u.rss == 0 {
		t.Errorf("own usage %+v, %v", u, err)
	}
}

func TestPercentile(t *testing.T) {
	for _, c := range []struct {
		counts []int64
		want   int
	}{
		{nil, 0},
		{[]int64{1000}, 0},
		{[]int64{900, 99, 0, 1}, 1},
		{[]int64{900, 98, 0, 2}, 3},
	} {
		if got := percentile(c.counts, 0.999); got != c.want {
			t.Errorf("99.9 %% of %v within %d, want %d", c.counts, got, c.want)
		}
	}
	if got := median([]float64{9, 1, 5, 3}); got != 4 {
		t.Errorf("median %v, want 4", got)
	}
}

// counter is a sink that counts samples by room.
type counter struct {
	mu    sync.Mutex
	count map[string]int
	last  map[string]int64
}

type room struct {
	*counter
	name string
}

func (r room) Expect(media.Kind)          {}
func (r room) SetTrack(media.Track) error { return nil }
func (r room) Detach(bool)                {}
func (r room) WriteSample(s media.Sample) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[r.name]++
	r.last[r.name] = max(r.last[r.name], s.DTS)
	return nil
}

// serve runs a real ingest server.
func serve(t *testing.T) (*ingest.Server, *counter) {
	t.Helper()
	cfg := ingest.DefaultConfig()
	cfg.RTMPAddr, cfg.Auth.Mode = "127.0.0.1:0", ingest.AuthOpen
	c := &counter{count: map[string]int{}, last: map[string]int64{}}
	s, err := ingest.New(cfg, ingest.Options{Attach: func(name string) (ingest.Sink, error) { return room{c, name}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s, c
}

func TestPublishersKeepTime(t *testing.T) {
	server, counted := serve(t)
	script, err := parseScript(show(), 4096)
	if err != nil {
		t.Fatal(err)
	}
	const n = 40 // more than one address may have
	keys, err := streamKeys("", n)
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(t.Context(), script, settings{server: server.Addr().String(), n: n, chunk: 4096})
	if err = c.arrive(t.Context(), keys); err != nil || len(c.all) != n {
		t.Fatalf("%d of %d publish: %v %v", len(c.all), n, err, c.refused)
	}
	begun := time.Now()
	pause(t.Context(), 2*time.Second)
	passed := time.Since(begun).Milliseconds()
	counted.mu.Lock()
	for _, key := range keys {
		if got := counted.last[key]; got < passed-1000 || got > passed+3000 {
			t.Errorf("room %s is at %d ms after %d", key, got, passed)
		}
	}
	counted.mu.Unlock()
	if !server.Kick(keys[7]) {
		t.Error("nobody to kick")
	}
	for range 100 {
		if len(c.tally().dropped) > 0 {
			break
		}
		pause(t.Context(), 20*time.Millisecond)
	}
	sum := c.tally()
	if len(sum.dropped) != 1 || sum.messages < n*40 || sum.bytes == 0 {
		t.Errorf("%d dropped, %d messages, want the one that was kicked and some %d", len(sum.dropped), sum.messages, n*80)
	}
	r := &report{}
	if r.conclude(c, n) {
		t.Error("a run that lost a publisher is called clean")
	}
	c.leave()
}

func TestRefusedIsCounted(t *testing.T) {
	server, _ := serve(t)
	path := filepath.Join(t.TempDir(), "show.flv")
	if err := os.WriteFile(path, show(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := settings{server: server.Addr().String(), flv: path, n: 1, chunk: 4096, dur: time.Second, window: time.Second, silent: true}
	if clean, err := run(t.Context(), s); err != nil || !clean {
		t.Errorf("run = %v, %v, want clean", clean, err)
	}
	if _, err := publish(t.Context(), s.server, "NO SUCH ROOM", 3, 4096); !errors.Is(err, errRefused) {
		t.Errorf("publish with a bad key = %v, want errRefused", err)
	}
	if _, err := run(t.Context(), settings{flv: path + "x", n: 1}); err == nil {
		t.Error("no file, no error")
	}
	state := t.TempDir()
	if keys, err := streamKeys(state, 2); err != nil || len(keys) != 2 || keys[0] == keys[1] {
		t.Errorf("stream keys %q, %v", keys, err)
	}
}
