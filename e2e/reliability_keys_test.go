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
	denied, closed atomic.Int64
	greedy         atomic.Int64 // of denied, those of the greedy address
	slowest        atomic.Int64 // ns until a denial
}

// How keys are guessed: a denial comes 4 s late, and of one address 20
// connections may wait for one, so that a thousand keys a second that are really
// looked at take more than 200 addresses. One more address tries fifty a second by
// itself. Over 4,000 connections wait then: the server is full.
const (
	guessEvery     = 900 * time.Microsecond
	guessAddresses = 400
	greedyEvery    = 20 // guesses
)

// TestR17Guessing sends a thousand wrong keys a second.
func TestR17Guessing(t *testing.T) {
	const long = 10 * time.Second
	r := newRow(t, "R17", "1,000 wrong stream keys a second from 401 addresses, 50 of them from one, for 10 s")
	s := serve(t)
	key := s.command(t, "key", room)
	var g guesses
	const sent = int64(long / guessEvery)
	guessed := make(chan time.Duration)
	go func() { guessed <- guess(s.addrs.RTMP, sent, &g) }()
	var honest []time.Duration
	every := time.NewTicker(250 * time.Millisecond)
	defer every.Stop()
	took := time.Duration(0)
	for took == 0 {
		c, accepted, err := publisher(t.Context(), s.addrs.RTMP, "", key)
		honest = append(honest, accepted)
		if err != nil {
			t.Errorf("honest publisher %d: after %v: %v", len(honest), accepted, err)
		} else {
			c.Close()
		}
		select {
		case <-every.C:
		case took = <-guessed:
		}
	}
	checked := s.metric(t, `barrage_ingest_publishes_total{result="denied"}`)
	r.measured("%.0f keys a second looked at: %d denied (at most %.1f s later), %d connections closed by the bounds",
		checked/took.Seconds(), g.denied.Load(), time.Duration(g.slowest.Load()).Seconds(), g.closed.Load())
	if checked < 1000*took.Seconds() {
		t.Errorf("%.0f keys of %d looked at in %v, want 1,000 a second: is this machine busy?", checked, sent, took)
	}
	// 3 at once, then 20 that wait up to 4 s each.
	if n, most := g.greedy.Load(), int64(3+20*4); n > most {
		t.Errorf("%d guesses of one address answered, want at most %d", n, most)
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

// guess sends n wrong keys, one every guessEvery, and waits for what becomes of
// them. It returns how long the sending took.
func guess(addr string, n int64, g *guesses) time.Duration {
	var all sync.WaitGroup
	defer all.Wait()
	began := time.Now()
	for i := range n {
		// A timer that comes late is made up for by those after it.
		if early := time.Duration(i)*guessEvery - time.Since(began); early > 0 {
			<-time.After(early)
		}
		all.Go(func() {
			from := loopback(5+int(i%guessAddresses)/250, int(i%guessAddresses))
			if i%greedyEvery == 0 {
				from = loopback(7, 0)
			}
			c, took, err := publisher(context.Background(), addr, from, fmt.Sprintf("live.1.0.wrong-guess-%d", i))
			switch {
			case errors.Is(err, errDenied):
				g.denied.Add(1)
				g.slowest.Store(max(g.slowest.Load(), int64(took)))
				if i%greedyEvery == 0 {
					g.greedy.Add(1)
				}
			case err != nil:
				g.closed.Add(1)
			default:
				c.Close()
			}
		})
	}
	return time.Since(began)
}
