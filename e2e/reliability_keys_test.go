//go:build reliability

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestR16Keys tries stream keys and addresses that are paths.
func TestR16Keys(t *testing.T) {
	r := newRow(t, "R16", "paths as stream keys and rooms")
	s := serve(t)
	before := listing(t, s.state)
	keys := []string{
		"../../../../etc/passwd", "..", ".", "/etc/passwd", "live/../../keys.json", "keys.json", "%2e%2e%2fkeys.json", "..\\..\\keys.json",
		"live\x00.json", "mp4:../../keys.json", "../live?key=../x", "live?key=..%2f..%2fetc%2fpasswd", strings.Repeat("../", 300) + "etc/passwd", "～/..", "",
	}
	for i, key := range keys {
		c, _, err := publisher(t.Context(), s.addrs.RTMP, loopback(4, i), key)
		if !errors.Is(err, errDenied) {
			t.Errorf("key %.40q: %v, want denied", key, err)
		}
		if err == nil {
			c.Close()
		}
	}
	paths := []string{
		"/hls/../keys.json", "/hls/%2e%2e/keys.json", "/hls/live/../../keys.json", "/hls/live/%2e%2e%2f%2e%2e%2fkeys.json", "/hls/..%5ckeys.json/index.m3u8",
		"/api/v1/rooms/..%2f..%2fkeys.json", "/api/v1/rooms/%00", "/r/..%2f..%2fkeys.json", "/assets/..%2f..%2fkeys.json", "/..%2f..%2fetc%2fpasswd",
	}
	for _, path := range paths {
		// curl does not tidy the path up before it sends it, and goes where it is sent.
		out, err := tool(t.Context(), "curl", "-s", "-L", "-o", os.DevNull, "-w", "%{http_code}", "--path-as-is", s.url(path))
		if err != nil || !slices.Contains([]string{"400", "404"}, out) {
			t.Errorf("GET %s: %s %v, want 400 or 404", path, out, err)
		}
	}
	if after := listing(t, s.state); !slices.Equal(before, after) {
		t.Errorf("the state directory holds %q, and %q before", after, before)
	}
	r.measured("%d keys denied, %d addresses answered 400 or 404, no file made", len(keys), len(paths))
}

func listing(t *testing.T, dir string) (names []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

// guesses is what became of wrong keys.
type guesses struct {
	sent, denied, closed atomic.Int64
	slowest              atomic.Int64 // ns until a denial
}

// TestR17Guessing sends a thousand wrong keys a second.
func TestR17Guessing(t *testing.T) {
	const long, addresses = 10 * time.Second, 50
	r := newRow(t, "R17", "1,000 wrong stream keys a second from 50 addresses, for 10 s")
	s := serve(t)
	key := s.command(t, "key", room)
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	var g guesses
	guessed := make(chan struct{})
	go func() {
		defer close(guessed)
		guess(ctx, s.addrs.RTMP, addresses, &g)
	}()
	var honest []time.Duration
	every := time.NewTicker(250 * time.Millisecond)
	defer every.Stop()
	for ctx.Err() == nil {
		c, took, err := publisher(t.Context(), s.addrs.RTMP, "", key)
		honest = append(honest, took)
		if err != nil {
			t.Errorf("honest publisher %d: after %v: %v", len(honest), took, err)
		} else {
			c.Close()
		}
		select {
		case <-every.C:
		case <-ctx.Done():
		}
	}
	<-guessed
	r.measured("%d guesses a second: %d denied (at most %.1f s later), %d closed at once by the bound of an address",
		g.sent.Load()/int64(long.Seconds()), g.denied.Load(), time.Duration(g.slowest.Load()).Seconds(), g.closed.Load())
	if g.sent.Load() < 500*int64(long.Seconds()) {
		t.Errorf("%d guesses sent, want at least 500 a second: is this machine busy?", g.sent.Load())
	}
	// 3 at once, then 20 that wait up to 4 s each.
	if most := int64(addresses * (3 + 20*4)); g.denied.Load() > most {
		t.Errorf("%d guesses answered, want at most %d", g.denied.Load(), most)
	}
	worst := slices.Max(honest)
	r.measured("%d honest publishers meanwhile, the slowest accepted in %v", len(honest), worst.Round(time.Millisecond))
	if worst > honestLimit {
		t.Errorf("want under %v", honestLimit)
	}
	if strings.Contains(s.log.String(), "wrong-guess") {
		t.Error("a key is in the log")
	}
}

// guess starts a guess every millisecond until ctx ends, and waits for all.
func guess(ctx context.Context, addr string, addresses int, g *guesses) {
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		all.Go(func() {
			g.sent.Add(1)
			c, took, err := publisher(context.WithoutCancel(ctx), addr, loopback(5, i%addresses), fmt.Sprintf("live.1.0.wrong-guess-%d", i))
			switch {
			case errors.Is(err, errDenied):
				g.denied.Add(1)
				g.slowest.Store(max(g.slowest.Load(), int64(took)))
			case err != nil:
				g.closed.Add(1)
			default:
				c.Close()
			}
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
