//go:build players

package e2e_test

import (
	"fmt"
	"os"
	"slices"
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

// TestPlayersLatency measures hls.js: the first picture of a page, and how far
// behind it is after half a minute, by itself and when it may catch up as it may on
// our room page.
func TestPlayersLatency(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		settings []string
		hold     time.Duration // bound of PART-HOLD-BACK
	}{
		{"parts of 500 ms", nil, 1600 * time.Millisecond},
		{"parts of 200 ms", []string{"BARRAGE_PACKAGER_PART_DURATION=200ms"}, 680 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := film{seconds: 120}.make(t)
			s := serve(t, c.settings...)
			f := newFront(t, s)
			send(t, s, file)
			s.waitPhase(t, "live", 15*time.Second)
			pause(t, 5*time.Second) // a broadcast that has been running
			b := startBrowser(t)
			best := f.firstFrame(t, b)
			byItself, catching := f.watch(t, b, "by itself", "hls.js"), f.watch(t, b, "catching up", "hls.js&rate=1.05")
			byItself.until(t, 0.2, 20*time.Second)
			catching.until(t, 0.2, 20*time.Second)
			pause(t, 30*time.Second)
			all, err := f.media(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for uri, l := range all {
				t.Logf("| %s | %s | PART-HOLD-BACK %v |", c.name, uri, l.partHoldBack)
				if l.partHoldBack > c.hold || l.partHoldBack == 0 {
					t.Errorf("%s holds back %v, want at most %v", uri, l.partHoldBack, c.hold)
				}
			}
			for _, p := range []page{byItself, catching} {
				w := p.mustWatched(t)
				t.Logf("| %s | hls.js, %s | latency %.2f s after 30 s | %d stalls | %s |", c.name, p.name, w.latency(), len(w.Stalls), tally(w.Errors))
			}
			if w := catching.mustWatched(t); !(w.latency() <= 2) || best > 600 {
				t.Errorf("latency %.2f s, first frame after %.0f ms: want 2 s and 600 ms at most", w.latency(), best)
			}
		})
	}
}

// firstFrame opens pages one after the other and returns the least time from asking
// for a page to its first picture, in milliseconds: what the server makes possible.
// The first page starts processes of the browser too.
func (f *front) firstFrame(t *testing.T, b *browser) (best float64) {
	t.Helper()
	var all []float64
	for i := range 6 {
		p := f.watch(t, b, fmt.Sprintf("page %d", i), "hls.js")
		all = append(all, p.until(t, 0.2, 20*time.Second).FirstFrame)
		p.must(t, "close", map[string]any{})
	}
	t.Logf("| first frame | %.0f ms |", all)
	return slices.Min(all)
}

// TestPlayersFirstPlayable measures what an anchor waits for: from the first picture
// to the first playlist that lists media, one GOP and 100 ms at most.
func TestPlayersFirstPlayable(t *testing.T) {
	for _, frames := range []int{60, 250} {
		t.Run(fmt.Sprintf("%d frames", frames), func(t *testing.T) {
			// Without B-frames the date of a picture is that of its arrival.
			file := film{gop: frames, profile: "baseline", seconds: 30}.make(t)
			s := serve(t)
			f := newFront(t, s)
			send(t, s, file)
			playable, first := f.playable(t)
			gop := time.Duration(frames) * time.Second / 30
			over := playable.Sub(first) - gop
			t.Logf("| first playable | GOP of %.1f s | %d ms after it |", gop.Seconds(), over.Milliseconds())
			if over > 100*time.Millisecond {
				t.Errorf("playable %v after the first sync sample, want one GOP of %v and 100 ms", playable.Sub(first), gop)
			}
		})
	}
}

// playable asks every 10 ms and returns when all playlists listed media, and the date
// of the first sample.
func (f *front) playable(t *testing.T) (at, first time.Time) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	limit := time.After(30 * time.Second)
	for {
		all, err := f.media(t.Context())
		at = time.Now()
		complete := err == nil && len(all) > 0
		for _, l := range all {
			complete = complete && len(l.segments)+len(l.parts) > 0
			if len(l.segments) > 0 && (first.IsZero() || l.segments[0].date.Before(first)) {
				first = l.segments[0].date
			}
		}
		if complete {
			return at, first
		}
		select {
		case <-again.C:
		case <-limit:
			t.Fatalf("no playlist within 30 s: %v", err)
		}
	}
}
