package origin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"barrage/packager"
	"barrage/packager/origin"
)

// aborts is the status of a request whose connection or stream the server shall end.
const aborts = -1

// blocked starts a request and returns its answer when it comes.
func (s *site) blocked(ctx context.Context, path string) <-chan *httptest.ResponseRecorder {
	out := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		w := httptest.NewRecorder()
		defer func() {
			if aborted := recover(); aborted != nil {
				if aborted != http.ErrAbortHandler { //nolint:errorlint // a value of recover
					panic(aborted)
				}
				w.Code = aborts
			}
			out <- w
		}()
		s.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody))
	}()
	synctest.Wait()
	return out
}

func TestBlockingReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, origin.Options{})
		playlist := s.blocked(t.Context(), s.base+"v0.m3u8?_HLS_msn=4&_HLS_part=1")
		hinted := s.blocked(t.Context(), s.base+"v0/p14.m4s")
		segment := s.blocked(t.Context(), s.base+"v0.m3u8?_HLS_msn=4")
		s.feed(13)
		synctest.Wait()
		if len(playlist) != 0 || len(hinted) != 0 {
			t.Fatal("answered before the part was complete")
		}
		s.feed(1)
		w := <-playlist
		if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, `URI="v0/p14.m4s"`) || !strings.Contains(body, `TYPE=PART,URI="v0/p15.m4s"`) {
			t.Errorf("the reload = %d\n%s", w.Code, body)
		}
		if c := w.Header().Get("Cache-Control"); c != "public, max-age=12" {
			t.Errorf("Cache-Control %q, want six target durations", c)
		}
		if w := <-hinted; w.Code != 200 || w.Body.Len() == 0 || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("the hinted part = %d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
		}
		synctest.Wait()
		if len(segment) != 0 {
			t.Error("a reload for a whole segment was answered by a part")
		}
		s.feed(31)
		if w := <-segment; w.Code != 200 || !strings.Contains(w.Body.String(), "v0/s4.m4s") {
			t.Errorf("the reload for a segment = %d\n%s", w.Code, w.Body.String())
		}
	})
}

// Nobody publishes: 503 after three target durations. The publisher has gone: the
// playlist as it is, before hls.js gives up on the low-latency mode, and never cached.
func TestBlockedWithoutMedia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, origin.Options{})
		next := s.base + "v0.m3u8?_HLS_msn=4&_HLS_part=1"
		start := time.Now()
		silent := <-s.blocked(t.Context(), next)
		if took := time.Since(start); silent.Code != 503 || took != 6*time.Second || silent.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("a silent publisher: %d after %v %v", silent.Code, took, silent.Header())
		}
		start = time.Now()
		if w := <-s.blocked(t.Context(), s.base+"v0/p14.m4s"); w.Code != 503 || time.Since(start) != 6*time.Second {
			t.Errorf("the hinted part of a silent publisher: %d after %v", w.Code, time.Since(start))
		}
		s.stream.Detach(false)
		start = time.Now()
		w := <-s.blocked(t.Context(), s.base+"v0.m3u8?_HLS_msn=4&_HLS_part=2")
		if took := time.Since(start); w.Code != 200 || took != 1200*time.Millisecond || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("an absent publisher: %d after %v %v, want the playlist after 1.2 s", w.Code, took, w.Header())
		}
	})
}

// A hint never leads across a discontinuity: that part belongs behind another init
// section, which players know only from the playlist. Who waits is told at once that
// nothing comes of the hint, and its address stays without media for good.
func TestHintBeforeBreak(t *testing.T) {
	back := func(s *site) { s.publish(); s.feed(150) }
	jump := func(s *site) { s.frames, s.skew = 240, 60_000; s.feed(1) }
	goOn := func(s *site) { s.feed(30) }
	for _, c := range []struct {
		name   string
		frames int64 // behind the part that is there
		hint   int
		status int // of the part that was hinted
		breaks func(*site)
		goesOn func(*site)
	}{
		{"the publisher leaves in a part", 0, 14, 200, away, back},
		{"the publisher leaves between parts", 14, 15, 404, away, back},
		{"times jump in a part", 43, 16, 200, jump, goOn},
		{"times jump between parts", 44, 17, 404, jump, goOn},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, origin.Options{})
				s.feed(c.frames)
				part := func(n int) string { return fmt.Sprintf("v0/p%d.m4s", n) }
				if body := s.get(s.base + "v0.m3u8").body; !strings.Contains(body, `TYPE=PART,URI="`+part(c.hint)) {
					t.Fatalf("want the hint %s:\n%s", part(c.hint), body)
				}
				waits, before := s.blocked(t.Context(), s.base+part(c.hint)), time.Now()
				c.breaks(s)
				if w := <-waits; w.Code != c.status || time.Since(before) != 0 {
					t.Errorf("%s = %d after %v, want %d at once", part(c.hint), w.Code, time.Since(before), c.status)
				}
				if body := s.get(s.base + "v0.m3u8").body; strings.Contains(body, "PRELOAD-HINT") {
					t.Errorf("a hint before a discontinuity:\n%s", body)
				}
				for n := c.hint + 1; n < c.hint+4; n++ {
					if res := s.get(s.base + part(n)); res.status != 404 || time.Since(before) != 0 {
						t.Errorf("%s = %d before it is announced, want 404 at once", part(n), res.status)
					}
				}
				c.goesOn(s)
				body := s.get(s.base + "v0.m3u8").body
				_, behind, _ := strings.Cut(body, "#EXT-X-DISCONTINUITY\n")
				_, first, _ := strings.Cut(behind, `,URI="`)
				if !strings.HasPrefix(first, part(c.hint+1)) || !strings.Contains(first, "PRELOAD-HINT") {
					t.Errorf("want %s first behind the discontinuity, and a hint:\n%s", part(c.hint+1), body)
				}
				if res := s.get(s.base + part(c.hint)); res.status != c.status {
					t.Errorf("%s = %d later, want %d", part(c.hint), res.status, c.status)
				}
			})
		})
	}
}

func TestClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, origin.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		out := s.blocked(ctx, s.base+"v0.m3u8?_HLS_msn=4&_HLS_part=1")
		part := s.blocked(ctx, s.base+"v0/p14.m4s")
		cancel()
		// net/http sends an empty 200 for a handler that only returns: to a client that has closed
		// but one side, and to one whose time was up.
		if a, b := <-out, <-part; a.Code != aborts || b.Code != aborts || a.Body.Len()+b.Body.Len() != 0 {
			t.Errorf("a client that has left gets %d and %d, %d bytes", a.Code, b.Code, a.Body.Len()+b.Body.Len())
		}
		if n := waiting(t, s); n != 0 {
			t.Errorf("%v requests are said to wait", n)
		}
	})
}

func waiting(tb testing.TB, s *site) float64 {
	tb.Helper()
	all, err := s.prom.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == "barrage_origin_waiting_requests" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

// fromHeader lets a test say where a request comes from.
func fromHeader(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddr(r.Header.Get("X-From"))
	return addr
}

// A thousand players wait for one part; more than the bound are sent away.
func TestManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, origin.Options{MaxWaiting: 1000, ClientAddr: fromHeader})
		next := s.base + "v0.m3u8?_HLS_msn=4&_HLS_part=1"
		var wg sync.WaitGroup
		var woken atomic.Int64
		for n := range 1000 {
			wg.Go(func() {
				res := s.get(next, "X-From", fmt.Sprintf("192.0.2.%d", n/200))
				if res.status == 200 && strings.Contains(res.body, "v0/p14.m4s") {
					woken.Add(1)
				}
			})
		}
		synctest.Wait()
		sentAway(t, s.get(next, "X-From", "192.0.2.99"))
		before := time.Now()
		s.feed(14)
		wg.Wait()
		if woken.Load() != 1000 || time.Since(before) != 0 {
			t.Errorf("%d woken, want 1000 and at once", woken.Load())
		}
	})
}

// After a restart there is nothing to list yet: players are told to ask again, and no
// cache keeps that.
func TestNoPlaylistAfterRestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := restarted(t, dir)
		for _, path := range []string{"v0.m3u8", "a0.m3u8", "v0.m3u8?_HLS_msn=4&_HLS_part=30", "v0.m3u8?_HLS_msn=6"} {
			begun := time.Now()
			w := <-s.blocked(t.Context(), s.base+path)
			h := w.Header()
			if took := time.Since(begun); w.Code != 503 || took != 1200*time.Millisecond || h.Get("Retry-After") != "1" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d after %v, %v", path, w.Code, took, h)
			}
		}
		for path, want := range map[string]int{"v0.m3u8?_HLS_msn=7": 400, "v0/s1.m4s": 404, "v0/p13.m4s": 404, "v0/init-1.mp4": 404, "/hls/live/index.m3u8": 200, "ts.m3u8": 503} {
			if !strings.HasPrefix(path, "/") {
				path = s.base + path
			}
			if res := s.get(path); res.status != want {
				t.Errorf("%s = %d, want %d", path, res.status, want)
			}
		}
		// Without directives a held request gets the playlist of the moment, not a state of it.
		held := s.blocked(t.Context(), s.base+"v0.m3u8")
		s.publish()
		s.feed(2*30 + 16)
		if w := <-held; w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=1" || !strings.Contains(w.Body.String(), "#EXT-X-DISCONTINUITY\n") {
			t.Errorf("held: %d %v\n%s", w.Code, w.Header(), w.Body.String())
		}
	})
}

// restarted is a site whose server was stopped once.
func restarted(t *testing.T, dir string) *site {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	before := &site{t: t, size: 200}
	before.boot(origin.Options{}, packager.DefaultConfig(), root)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- before.reg.Run(ctx) }()
	before.publish()
	before.feed(6*30 + 16)
	synctest.Wait()
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, size: 200, base: "/hls/live/" + before.stream.Status().Epoch + "/"}
	s.boot(origin.Options{}, packager.DefaultConfig(), root)
	return s
}

// One household gets a quarter of the places, and leaves the rest to others.
func TestOneHouseholdWaits(t *testing.T) {
	for name, addr := range map[string]func(int) string{
		"IPv4": func(int) string { return "192.0.2.1" },
		"IPv6": func(n int) string { return fmt.Sprintf("2001:db8::%x", n) },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, origin.Options{MaxWaiting: 400, ClientAddr: fromHeader})
			next := s.base + "v0.m3u8?_HLS_msn=4&_HLS_part=1"
			var wg sync.WaitGroup
			for n := range 100 {
				wg.Go(func() {
					if res := s.get(next, "X-From", addr(n)); res.status != 200 {
						t.Errorf("%s: waiter %d = %d", name, n, res.status)
					}
				})
			}
			synctest.Wait()
			sentAway(t, s.get(next, "X-From", addr(100)))
			sentAway(t, s.get(s.base+"v0/p14.m4s", "X-From", addr(101)))
			other := make(chan answer, 1)
			go func() { other <- s.get(next, "X-From", "198.51.100.1") }()
			synctest.Wait()
			if len(other) != 0 {
				t.Errorf("%s: a neighbour was answered %d", name, (<-other).status)
			}
			s.feed(14)
			wg.Wait()
			if res := <-other; res.status != 200 {
				t.Errorf("%s: a neighbour = %d", name, res.status)
			}
			go func() { other <- s.get(s.base+"v0/p15.m4s", "X-From", addr(1)) }()
			synctest.Wait()
			if n := waiting(t, s); n != 1 {
				t.Errorf("%s: %v wait, want the one that came when there was room again", name, n)
			}
			s.feed(15)
			<-other
		})
	}
}

func sentAway(t *testing.T, res answer) {
	t.Helper()
	if res.status != 503 || res.header.Get("Cache-Control") != "no-store" || res.header.Get("Retry-After") != "1" || !strings.Contains(res.body, "too_many_waiting") {
		t.Errorf("one more = %d %v %s, want 503 with Retry-After", res.status, res.header, res.body)
	}
}
