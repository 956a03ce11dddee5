//go:build players

package e2e_test

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// howLong is how long the players play, from the environment: FOR=10m.
func howLong(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("FOR")
	if text == "" {
		return time.Minute
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("FOR: %v", err)
	}
	return long
}

// TestPlayersPlay lets every player show the same broadcast, and prints a row for
// each: what it played, how often the picture stood still, what it complained about.
func TestPlayersPlay(t *testing.T) {
	t.Parallel()
	long := howLong(t)
	file := film{seconds: int(long.Seconds()) + 90}.make(t)
	s := serve(t)
	f := newFront(t, s)
	send(t, s, file)
	s.waitPhase(t, "live", 15*time.Second)
	eventually(t, 20*time.Second, "a playlist of six segments", func() error {
		all, err := f.media(t.Context())
		for uri, l := range all {
			if len(l.segments) < 6 {
				err = fmt.Errorf("%s has %d", uri, len(l.segments))
			}
		}
		return err
	})
	t.Run("players", func(t *testing.T) {
		for _, engine := range engines() {
			t.Run(engine, func(t *testing.T) {
				t.Parallel()
				f.play(t, engine, long)
			})
		}
		for _, c := range screens() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.play(t, f, long)
			})
		}
	})
}

// play lets a browser show the stream for so long and prints its row.
func (f *front) play(t *testing.T, engine string, long time.Duration) {
	t.Helper()
	p := f.watch(t, startBrowser(t), engine, engine)
	eventually(t, 20*time.Second, engine+" shows a picture", func() error {
		w, err := p.watched(t.Context())
		if err == nil && w.FirstFrame == 0 {
			err = fmt.Errorf("errors %q", w.Errors)
		}
		return err
	})
	pause(t, long)
	w := p.mustWatched(t)
	t.Logf("| %s | %.0f s | %d (worst %.1f s) | %s | %d of %d | %.2f s |", engine, w.Playing, len(w.Stalls), longest(w.Stalls), tally(w.Errors), w.Dropped, w.Frames, w.latency())
	t.Logf("%s: %d waiting and %d stalled events, jumps %v, low latency %v; the machine: %d times slow (worst %.1f s), the page did not run for %.1f s",
		engine, w.Waiting, w.Stalled, w.Jumps, w.Low, len(w.Slow), longest(w.Slow), w.Frozen)
	if len(w.Stalls) != 0 || len(w.Errors) != 0 || w.Loads != 1 || w.Playing < long.Seconds()-3 {
		t.Errorf("%s: want %v without a stall or an error; stalls %v", engine, long, w.Stalls)
	}
}
