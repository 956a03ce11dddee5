//go:build players

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// loadAverage returns how many processes want the machine, by a mean over the last minute.
// Times of a browser are worth little without it.
func loadAverage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}

// TestPlayersLatency measures how far hls.js is behind after half a minute: on our
// room page, on another page that lets it catch up as ours does, and with nothing but
// its defaults, which keep the distance that it began with.
func TestPlayersLatency(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings []string
		hold     time.Duration // bound of PART-HOLD-BACK
	}{
		{"parts of 500 ms", nil, 1600 * time.Millisecond},
		{"parts of 200 ms", []string{"BARRAGE_PACKAGER_PART_DURATION=200ms"}, 680 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.settings...)
			f := newFront(t, s)
			send(t, s, film{seconds: 90}.make(t))
			s.waitPhase(t, "live", 15*time.Second)
			pause(t, 5*time.Second) // a broadcast that has been running
			b := startBrowser(t)
			pages := map[string]page{
				"room page":              b.open(t, "room page", s.url("/r/"+room)),
				"hls.js, may catch up":   f.watch(t, b, "catching up", "hls.js&rate=1.05"),
				"hls.js with no setting": f.watch(t, b, "by itself", "hls.js"),
			}
			pause(t, 30*time.Second)
			f.holdsBack(t, c.hold)
			for name, p := range pages {
				at := p.latency(t)
				t.Logf("| %s | %s | %.2f s behind after 30 s | load %s |", c.name, name, at, loadAverage(t))
				if name != "hls.js with no setting" && at > 2 {
					t.Errorf("%s, %s: %.2f s behind, want 2 s at most", c.name, name, at)
				}
			}
		})
	}
}

// holdsBack wants low-latency players told to keep such a distance at most.
func (f *front) holdsBack(t *testing.T, most time.Duration) {
	t.Helper()
	all, err := f.media(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for uri, l := range all {
		if l.partHoldBack > most || l.partHoldBack == 0 {
			t.Errorf("%s holds back %v, want at most %v", uri, l.partHoldBack, most)
		}
	}
}

// latency asks hls.js how far it is behind the live edge, in seconds.
func (p page) latency(t *testing.T) (s float64) {
	t.Helper()
	eventually(t, 10*time.Second, p.name+" plays", func() error {
		err := p.eval(t.Context(), `window.barrage ? window.barrage.latency ?? 0 : report().latency ?? 0`, &s)
		if err == nil && s == 0 {
			err = errors.New("no latency yet")
		}
		return err
	})
	return s
}

// noteFirstFrame runs before a page: window.firstFrame is when the first picture of
// its video was shown, in ms after the page was asked for.
const noteFirstFrame = `new MutationObserver((_, seen) => {
	const video = document.querySelector("video");
	if (!video) return;
	seen.disconnect();
	video.requestVideoFrameCallback((now) => { window.firstFrame = now; });
}).observe(document, { childList: true, subtree: true })`

// TestPlayersFirstFrame measures what a viewer waits for. Every page is a new person
// with nothing in a cache; the first also starts processes of the browser and does
// not count.
func TestPlayersFirstFrame(t *testing.T) {
	s := serve(t)
	f := newFront(t, s)
	send(t, s, film{seconds: 120}.make(t))
	s.waitPhase(t, "live", 15*time.Second)
	pause(t, 5*time.Second)
	b := startBrowser(t)
	for name, url := range map[string]string{"room page": s.url("/r/" + room), "hls.js": f.url + "/play/player.html?engine=hls.js"} {
		var all []float64
		for range 8 {
			all = append(all, b.firstFrame(t, url))
		}
		slices.Sort(all[1:])
		median := all[len(all)/2]
		t.Logf("| first frame | %s | %.0f ms, median %.0f ms | load %s |", name, all[1:], median, loadAverage(t))
		if median > 600 {
			t.Errorf("%s: first frame after %.0f ms, want 600 ms at most", name, median)
		}
	}
}

// firstFrame opens a page, waits for its first picture and closes it.
func (b *browser) firstFrame(t *testing.T, url string) (ms float64) {
	t.Helper()
	p := page{b: b, name: url}
	p.must(t, "open", map[string]any{"url": url, "script": noteFirstFrame})
	eventually(t, 20*time.Second, url+" shows a picture", func() error {
		err := p.eval(t.Context(), `window.firstFrame ?? 0`, &ms)
		if err == nil && ms == 0 {
			err = errors.New("none yet")
		}
		return err
	})
	p.must(t, "close", map[string]any{})
	return ms
}

// TestPlayersFirstPlayable measures what an anchor waits for, on the wire: from the
// first picture that the encoder sends until every playlist lists a whole segment.
func TestPlayersFirstPlayable(t *testing.T) {
	for _, frames := range []int{60, 250} {
		t.Run(fmt.Sprintf("%d frames", frames), func(t *testing.T) {
			file := film{gop: frames, seconds: 30}.make(t)
			s := serve(t)
			f := newFront(t, s)
			wire := startTap(t, s.addrs.RTMP)
			through := *s
			through.addrs.RTMP = wire.addr
			send(t, &through, file)
			playable := f.playable(t)
			wire.mu.Lock()
			began := wire.conns[0].began
			wire.mu.Unlock()
			gop := time.Duration(frames) * time.Second / 30
			over := playable.Sub(began) - gop
			t.Logf("| first playable | GOP of %.1f s | %d ms after it | load %s |", gop.Seconds(), over.Milliseconds(), loadAverage(t))
			if over > 100*time.Millisecond {
				t.Errorf("playable %v after the first picture was sent, want one GOP of %v and 100 ms", playable.Sub(began), gop)
			}
		})
	}
}

// playable asks every 10 ms and returns when all playlists listed a segment.
func (f *front) playable(t *testing.T) (at time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		all, err := f.media(ctx)
		at = time.Now()
		complete := err == nil && len(all) > 0
		for _, l := range all {
			complete = complete && len(l.segments) > 0
		}
		if complete {
			return at
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("no playlist within 30 s: %v", err)
		}
	}
}
