//go:build load && linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a transport without a network: a live stream of parts of 200 ms and
// segments of 2 s whose answers come when a server would give them. Time is the
// bubble's.
type stage struct {
	begun  time.Time
	muxed  bool
	took   time.Duration                            // by every answer
	spoil  func(o order) (status int, extra string) // 0: answer as always
	due    []arrival
	orders []order
}

const (
	stagePart = 200 * time.Millisecond
	partsEach = 10
	stageHead = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,PART-HOLD-BACK=0.6\n#EXT-X-PART-INF:PART-TARGET=0.2\n"
)

// parts is how many parts there are at now; there are twenty seconds of them already
// when the stage begins.
func (s *stage) parts(now time.Time) int { return 100 + int(now.Sub(s.begun)/stagePart) }

// text is the playlist at a count of parts.
func (s *stage) text(parts int) string {
	var b strings.Builder
	first := max(parts/partsEach-6, 0)
	fmt.Fprintf(&b, "%s#EXT-X-MEDIA-SEQUENCE:%d\n#EXT-X-MAP:URI=\"i.mp4\"\n", stageHead, first)
	for msn := first; msn <= parts/partsEach; msn++ {
		at := s.begun.Add(time.Duration(msn*partsEach-100) * stagePart)
		fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:%s\n", at.UTC().Format(time.RFC3339Nano))
		for i := 0; i < partsEach && msn*partsEach+i < parts; i++ {
			if msn >= parts/partsEach-3 {
				fmt.Fprintf(&b, "#EXT-X-PART:DURATION=0.2,URI=\"p%d.m4s\"%s\n", msn*partsEach+i, map[bool]string{true: ",INDEPENDENT=YES"}[i == 0])
			}
		}
		if (msn+1)*partsEach <= parts {
			fmt.Fprintf(&b, "#EXTINF:2,\ns%d.m4s\n", msn)
		}
	}
	return b.String()
}

func (s *stage) send(o order) {
	s.orders = append(s.orders, o)
	a := arrival{order: o, done: o.asked.Add(s.took), status: http.StatusOK, size: 1000}
	if o.kind == kindIndex {
		a.body = []byte("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a0.m3u8\"\n#EXT-X-STREAM-INF:A=1\nv0.m3u8\n")
		if s.muxed {
			a.body = []byte("#EXTM3U\n#EXT-X-STREAM-INF:A=1\nv0.m3u8\n")
		}
	}
	if o.kind == kindBlocked {
		u, _ := url.Parse(o.path)
		var msn, part int
		_, _ = fmt.Sscan(u.Query().Get("_HLS_msn"), &msn)
		_, _ = fmt.Sscan(u.Query().Get("_HLS_part"), &part)
		a.done = later(a.done, s.begun.Add(time.Duration(msn*partsEach+part+1-100)*stagePart+s.took))
	}
	if o.kind == kindPlaylist || o.kind == kindBlocked {
		a.body = []byte(s.text(s.parts(a.done)))
	}
	if s.spoil != nil {
		if status, extra := s.spoil(o); status != 0 {
			a.status, a.done, a.body = status, o.asked.Add(s.took), append(a.body, extra...)
		}
	}
	s.due = append(s.due, a)
}

func (s *stage) wait(d time.Duration) (came []arrival) {
	end := time.Now().Add(d)
	at := end
	for _, a := range s.due {
		if a.done.Before(at) {
			at = a.done
		}
	}
	pause := time.NewTimer(time.Until(at))
	defer pause.Stop()
	<-pause.C
	kept := s.due[:0]
	for _, a := range s.due {
		if !a.done.After(time.Now()) {
			came = append(came, a)
		} else {
			kept = append(kept, a)
		}
	}
	s.due = kept
	return came
}

func (s *stage) close() {}

// show lets a crowd watch a stage for d in a bubble.
func show(t *testing.T, s *stage, cfg settings, d time.Duration) *crowd {
	t.Helper()
	s.begun = time.Now()
	c := newCrowd(cfg, parseURL(t, "http://host/index.m3u8"), s)
	c.run(t.Context(), d)
	c.finish()
	return c
}

func near(got, want, within time.Duration) bool { return got >= want-within && got <= want+within }

// TestLowLatency: one playlist and one part of each rendition for each part, at once,
// shown the hold back and the way behind the clock.
func TestLowLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{took: 10 * time.Millisecond}
		c := show(t, s, settings{n: 3, mode: modeLow, skip: true}, 20*time.Second)
		if c.watching() != 3 || c.tally.stalls != 0 || len(c.tally.errors) != 0 {
			t.Errorf("%d watch, %d stalls, %v", c.watching(), c.tally.stalls, c.tally.errors)
		}
		if got := c.tally.requests[kindBlocked]; got < 3*2*98 || got > 3*2*100 {
			t.Errorf("%d blocked reloads in 20 s, want some 600", got)
		}
		if got := c.tally.requests[kindPart]; got < 3*2*98 || got > 3*2*115 || c.tally.requests[kindSegment] != 0 {
			t.Errorf("%d parts, %d segments, want some 600 and none", got, c.tally.requests[kindSegment])
		}
		if over, late := c.tally.overshoot.Percentile(1), c.tally.late.Percentile(0.9); over > 10*time.Millisecond || !near(late, 10*time.Millisecond, time.Millisecond) {
			t.Errorf("playlists %v after the first, parts %v after they were listed, want 10ms", over, late)
		}
		if age := c.tally.age.Percentile(0.5); !near(age, stagePart+20*time.Millisecond, 5*time.Millisecond) {
			t.Errorf("a part is %v old, want 220ms since it began", age)
		}
		if got := c.tally.latency.Percentile(0.5); !near(got, 800*time.Millisecond, 200*time.Millisecond) {
			t.Errorf("shown %v behind, want 600ms to 1s", got)
		}
		last := s.orders[len(s.orders)-1]
		if !strings.Contains(last.path, "_HLS_") && last.kind != kindPart {
			t.Errorf("the last request: %+v", last)
		}
		for _, o := range s.orders {
			if o.kind == kindBlocked && !strings.HasSuffix(o.path, "&_HLS_skip=YES") {
				t.Fatalf("%s asks for no delta update", o.path)
			}
		}
	})
}

// TestPlain: a playlist each target duration, every segment once, three targets behind.
func TestPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{took: 10 * time.Millisecond, muxed: true}
		c := show(t, s, settings{n: 2, mode: modePlain}, 60*time.Second)
		if c.watching() != 2 || c.tally.stalls != 0 || c.tally.requests[kindBlocked]+c.tally.requests[kindPart] != 0 {
			t.Errorf("%d watch, %d stalls, %v", c.watching(), c.tally.stalls, c.tally.requests)
		}
		if got := c.tally.requests[kindPlaylist]; got < 2*29 || got > 2*31 {
			t.Errorf("%d playlists in a minute, want some 60", got)
		}
		asked := map[string]int{}
		for _, o := range s.orders {
			if o.kind == kindSegment {
				asked[o.path]++
			}
		}
		if len(asked) < 32 || len(asked) > 34 {
			t.Errorf("%d segments in a minute and 6 s, want 33", len(asked))
		}
		for path, n := range asked {
			if n != 2 {
				t.Errorf("%s is asked for %d times by 2 viewers", path, n)
			}
		}
		if got := c.tally.latency.Percentile(0.5); got < 6*time.Second || got > 9*time.Second {
			t.Errorf("shown %v behind, want three targets and up to one more", got)
		}
	})
}

// TestStall: parts that are late by more than the hold back stop everybody, once.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *stage
		s = &stage{took: 10 * time.Millisecond, spoil: func(o order) (int, string) {
			since := o.asked.Sub(s.begun)
			if o.kind == kindPart && o.slot == 3 && since > 10*time.Second && since < 12*time.Second {
				return http.StatusServiceUnavailable, ""
			}
			return 0, ""
		}}
		c := show(t, s, settings{n: 4, mode: modeLow}, 20*time.Second)
		if c.tally.stalls != 4 || len(c.tally.victims) != 4 || c.tally.errors["part: 503"] != 4*2 {
			t.Errorf("%d stalls of %d viewers, %v", c.tally.stalls, len(c.tally.victims), c.tally.errors)
		}
		// It asks again each second: 2 s late, less the hold back.
		if each := c.tally.stopped / 4; !near(each, 1500*time.Millisecond, 200*time.Millisecond) {
			t.Errorf("stopped for %v each, want some 1.5s", each)
		}
	})
}

// TestStallThatLasts: what is still stopped at the end is counted.
func TestStallThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *stage
		s = &stage{took: 10 * time.Millisecond, muxed: true, spoil: func(o order) (int, string) {
			if o.asked.Sub(s.begun) > 10*time.Second {
				return http.StatusServiceUnavailable, ""
			}
			return 0, ""
		}}
		c := show(t, s, settings{n: 1, mode: modeLow}, 20*time.Second)
		if c.tally.stalls != 1 || !near(c.tally.stopped, 9300*time.Millisecond, 300*time.Millisecond) {
			t.Errorf("%d stalls for %v, want one for 9.3s", c.tally.stalls, c.tally.stopped)
		}
	})
}

// TestStreamEnds: after EXT-X-ENDLIST nobody asks again, and running out is no stall.
func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *stage
		s = &stage{took: 10 * time.Millisecond, spoil: func(o order) (int, string) {
			if o.asked.Sub(s.begun) > 5*time.Second && o.kind == kindBlocked {
				return http.StatusOK, "#EXT-X-ENDLIST\n"
			}
			return 0, ""
		}}
		c := show(t, s, settings{n: 1, mode: modeLow}, 20*time.Second)
		if last := s.orders[len(s.orders)-1].asked.Sub(s.begun); c.tally.stalls != 0 || last > 6*time.Second {
			t.Errorf("%d stalls, last request after %v", c.tally.stalls, last)
		}
	})
}

// TestAnotherEpoch: a playlist that is gone sends a player back to the index; a
// missing part is left out; nonsense is counted and asked for again.
func TestAnotherEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *stage
		gone := 0
		s = &stage{took: 10 * time.Millisecond, spoil: func(o order) (int, string) {
			since := o.asked.Sub(s.begun)
			switch {
			case o.kind == kindIndex && since == 0:
				return http.StatusNotFound, ""
			case o.kind == kindPlaylist && since < 1500*time.Millisecond:
				return http.StatusBadGateway, ""
			case o.kind == kindPart && o.path == "/p130.m4s":
				return http.StatusNotFound, ""
			case o.kind == kindBlocked && since > 10*time.Second && gone == 0:
				gone++
				return http.StatusNotFound, ""
			}
			return 0, ""
		}}
		c := show(t, s, settings{n: 1, mode: modeLow}, 20*time.Second)
		for what, want := range map[string]int64{"index: 404": 1, "playlist: 502": 2, "part: 404": 2, "blocked: 404": 1} {
			if c.tally.errors[what] != want {
				t.Errorf("%s: %d times, want %d; all: %v", what, c.tally.errors[what], want, c.tally.errors)
			}
		}
		if c.watching() != 1 || c.tally.requests[kindIndex] != 3 {
			t.Errorf("%d watch at the end, %d asked for the index, want 1 and 3", c.watching(), c.tally.requests[kindIndex])
		}
	})
}

// TestRamp: viewers come one after the other, and leave with the context.
func TestRamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{took: time.Millisecond, begun: time.Now()}
		c := newCrowd(settings{n: 10, mode: modeLow, ramp: 10 * time.Second}, parseURL(t, "http://host/index.m3u8"), s)
		ctx, leave := context.WithTimeout(t.Context(), 7*time.Second)
		defer leave()
		c.run(ctx, time.Hour)
		if n := c.tally.requests[kindIndex]; n < 7 || n > 8 {
			t.Errorf("%d have come after 7 of 10 s", n)
		}
	})
}
