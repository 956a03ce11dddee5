//go:build players

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// change is something that happens to a broadcast that people watch.
type change struct {
	name    string
	after   film          // what is published afterwards
	away    time.Duration // how long nobody publishes
	server  bool          // the server is killed and started again
	reloads string        // which engine may load its source again; the page stays
	slack   float64       // a picture may stand still for the outage and so many seconds
}

// settle is how long players play before something happens, and how long they must
// go on afterwards, in seconds.
const settle = 6

// TestPlayersGoOn: hls.js and Shaka play on when the publisher was away for a moment
// or comes back with another size; nobody loads anything again.
func TestPlayersGoOn(t *testing.T) {
	t.Parallel()
	for _, c := range []change{
		{name: "away 3 s", away: 3 * time.Second, slack: 2},
		{name: "another resolution", after: film{size: "480x270"}, slack: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// run lets both players watch while it happens, and prints a row for each.
func (c change) run(t *testing.T) {
	t.Helper()
	before, after := film{seconds: 60}, c.after
	after.seconds = 60
	first, second := before.make(t), after.make(t)
	s := serve(t)
	f := newFront(t, s)
	publisher := send(t, s, first)
	s.waitPhase(t, "live", 15*time.Second)
	b := startBrowser(t)
	pages := map[string]page{}
	for _, engine := range engines() {
		pages[engine] = f.watch(t, b, engine, engine)
	}
	start := map[string]watched{}
	for engine, p := range pages {
		start[engine] = p.until(t, settle, 40*time.Second)
	}

	gone := time.Now()
	if c.server {
		s.kill()
		s = startServer(t, "serve", s.state)
		f.sendTo(s)
	}
	publisher.kill()
	pause(t, c.away)
	send(t, s, second)
	eventually(t, 20*time.Second, "the broadcast goes on", func() error { return f.broken(t.Context()) })
	outage := f.outage(t, gone)

	for _, engine := range engines() {
		w := pages[engine].until(t, settle, c.away+40*time.Second)
		eventually(t, 20*time.Second, engine+" shows what is sent now", func() (err error) {
			if w, err = pages[engine].watched(t.Context()); err == nil && w.Size != after.frame() {
				err = fmt.Errorf("it is %s, want %s", w.Size, after.frame())
			}
			return err
		})
		stall := longest(slices.Concat(w.Stalls[len(start[engine].Stalls):], w.Slow[len(start[engine].Slow):]))
		t.Logf("| %s | %s | %.1f s | %.1f s | %s | %.1f → %.1f s |", c.name, engine, outage.Seconds(), stall, tally(w.Errors[len(start[engine].Errors):]), start[engine].latency(), w.latency())
		if stall > outage.Seconds()+c.slack {
			t.Errorf("%s stood still for %.1f s, the publisher was away for %.1f", engine, stall, outage.Seconds())
		}
		if w.Loads > 1 && engine != c.reloads || w.Ended || w.Frozen > 1 {
			t.Errorf("%s: loaded %d times, ended %v, the page did not run for %.1f s", engine, w.Loads, w.Ended, w.Frozen)
		}
	}
	if err := f.broken(t.Context()); err != nil {
		t.Error(err)
	}
}

func (f film) frame() string {
	if f.size == "" {
		return "640x360"
	}
	return f.size
}

// pause lets time pass: that nobody publishes is what the test is about.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// broken returns nil when every media playlist has exactly one discontinuity.
func (f *front) broken(ctx context.Context) error {
	all, err := f.media(ctx)
	if err != nil {
		return err
	}
	for uri, l := range all {
		if l.discontinuities != 1 {
			return fmt.Errorf("%s has %d discontinuities, want one", uri, l.discontinuities)
		}
	}
	return nil
}

// outage is how long nothing was broadcast, by the dates in the playlists. A server
// that was killed lists nothing from before; gone is when it was.
func (f *front) outage(t *testing.T, gone time.Time) (long time.Duration) {
	t.Helper()
	eventually(t, 10*time.Second, "a segment after the discontinuity", func() error {
		all, err := f.media(t.Context())
		if err != nil {
			return err
		}
		long = 0
		for _, l := range all {
			end := gone
			for _, s := range l.segments {
				if s.broken {
					long = max(long, s.date.Sub(end))
				}
				end = s.date.Add(s.dur)
			}
		}
		if long == 0 {
			err = fmt.Errorf("none of %d playlists lists one", len(all))
		}
		return err
	})
	return long
}
