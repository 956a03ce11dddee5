//go:build load

package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"barrage/e2e/load/encoder"
	"barrage/ingest"
	"barrage/packager/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// show is half a second of picture and sound at 20 units a second each.
const show = "../encoder/testdata/show.flv"

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
	script, err := encoder.ReadScript(show, 4096)
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
	s := settings{server: server.Addr().String(), flv: show, n: 1, chunk: 4096, dur: time.Second, window: time.Second, silent: true}
	if clean, err := run(t.Context(), s); err != nil || !clean {
		t.Errorf("run = %v, %v, want clean", clean, err)
	}
	if _, err := encoder.Publish(t.Context(), s.server, "NO SUCH ROOM", 3, 4096); !errors.Is(err, encoder.ErrRefused) {
		t.Errorf("publish with a bad key = %v, want ErrRefused", err)
	}
	if _, err := run(t.Context(), settings{flv: show + "x", n: 1}); err == nil {
		t.Error("no file, no error")
	}
	state := t.TempDir()
	if keys, err := streamKeys(state, 2); err != nil || len(keys) != 2 || keys[0] == keys[1] {
		t.Errorf("stream keys %q, %v", keys, err)
	}
}
