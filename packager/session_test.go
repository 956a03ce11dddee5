package packager_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"barrage/packager"
	"barrage/packager/media"
)

// play publishes src for d while two low-latency viewers follow both renditions.
func play(t *testing.T, r *room, src *source, d time.Duration, names ...string) map[string]*viewer {
	t.Helper()
	until := time.Now().Add(d)
	for r.stream.Status().Phase != packager.PhaseLive {
		src.run(r, 100*time.Millisecond)
		if time.Now().After(until) {
			t.Fatal("nothing could be played")
		}
	}
	var wg sync.WaitGroup
	viewers := map[string]*viewer{}
	for _, name := range names {
		v := watch(t, r, name)
		viewers[name] = v
		wg.Go(func() { v.follow(until) })
	}
	src.run(r, time.Until(until))
	wg.Wait()
	return viewers
}

// Ordinary encoders, over minutes: RTMP's milliseconds in, exact parts out.
func TestSessions(t *testing.T) {
	for name, c := range map[string]struct {
		src        source
		partTarget float64
		target     int
		wait       time.Duration // longest reload
	}{
		"30 fps, two-second GOPs": {source{fps: 30, gop: 60, audio: true}, 0.530, 2, 540 * time.Millisecond},
		"with B-frames":           {source{fps: 30, gop: 60, audio: true, reorder: 3}, 0.530, 2, 540 * time.Millisecond},
		"29.97 fps":               {source{fps: 30000. / 1001, gop: 60, audio: true}, 0.531, 2, 560 * time.Millisecond},
		"25 fps":                  {source{fps: 25, gop: 50, audio: true}, 0.552, 2, 560 * time.Millisecond},
		"60 fps, one-second GOPs": {source{fps: 60, gop: 60, audio: true}, 0.530, 2, 540 * time.Millisecond},
		"OBS by default: 8.3 s":   {source{fps: 30, gop: 250, audio: true}, 0.530, 9, 540 * time.Millisecond},
		"starts at 2^24 ms":       {source{fps: 30, gop: 60, audio: true, offset: 1 << 24}, 0.530, 2, 540 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, packager.DefaultConfig(), func(r *room) {
				r.tracks(videoTrack(t), audioTrack(t))
				viewers := play(t, r, &c.src, 75*time.Second, "v0", "a0")
				together(t, viewers["v0"].now, viewers["a0"].now)
				for _, v := range viewers {
					if v.now.partTarget != c.partTarget || v.now.target != c.target {
						t.Errorf("%s: part target %v target %d, want %v and %d", v.name, v.now.partTarget, v.now.target, c.partTarget, c.target)
					}
					if v.blockedBy > c.wait || v.reloads < 120 {
						t.Errorf("%s: %d reloads, the longest %v, want at most %v", v.name, v.reloads, v.blockedBy, c.wait)
					}
					if v.now.first < 1 || len(v.now.reports) != 1 {
						t.Errorf("%s: first segment %d, reports %q", v.name, v.now.first, v.now.reports)
					}
				}
			})
		})
	}
}

// together asserts that segments of one number start at the same moment in both
// renditions, to half an access unit and the rounding of two dates.
func together(t *testing.T, video, audio list) {
	t.Helper()
	for _, v := range video.segments {
		for _, a := range audio.segments {
			off := a.pdt.Sub(v.pdt).Abs()
			if v.msn == a.msn && v.msn > 1 && off > 13*time.Millisecond || v.msn == a.msn && off > 23*time.Millisecond {
				t.Errorf("segment %d: video from %v, audio from %v", v.msn, v.pdt, a.pdt)
			}
		}
	}
}

// "First playable at most one GOP and 300 ms after the first sync sample", also while
// a second track is waited for.
func TestFirstPlayable(t *testing.T) {
	for name, c := range map[string]struct {
		src source
		gop time.Duration
	}{
		"two-second GOPs": {source{fps: 30, gop: 60, audio: true}, 2 * time.Second},
		"one-second GOPs": {source{fps: 30, gop: 30, audio: true}, time.Second},
		"video only":      {source{fps: 30, gop: 60}, 2 * time.Second},
		"B-frames":        {source{fps: 30, gop: 60, audio: true, reorder: 3}, 2 * time.Second},
		"OBS by default":  {source{fps: 30, gop: 250, audio: true}, 8334 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, packager.DefaultConfig(), func(r *room) {
				r.tracks(videoTrack(t))
				if c.src.audio {
					r.tracks(audioTrack(t))
				}
				start := time.Now()
				for r.get("/hls/live/index.m3u8").status != 200 {
					c.src.run(r, 20*time.Millisecond)
					if time.Since(start) > 15*time.Second {
						r.t.Fatal("never playable")
					}
				}
				if took := time.Since(start); took > c.gop+300*time.Millisecond {
					t.Errorf("playable after %v, want at most %v", took, c.gop+300*time.Millisecond)
				}
			})
		})
	}
}

func TestVideoOnlyAndAudioOnly(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t))
		v := play(t, r, &source{fps: 30, gop: 60}, 20*time.Second, "v0")["v0"]
		if index := r.body("/hls/live/index.m3u8"); strings.Contains(index, "AUDIO") || len(v.now.reports) != 0 {
			t.Errorf("video only announces audio:\n%s", index)
		}
	})
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(audioTrack(t))
		v := play(t, r, &source{audio: true}, 20*time.Second, "a0")["a0"]
		index := r.body("/hls/live/index.m3u8")
		if strings.Contains(index, "EXT-X-MEDIA:") || !strings.Contains(index, "/a0.m3u8\n") || !strings.Contains(index, `CODECS="mp4a.40.2"`) {
			t.Errorf("audio only: the audio is not the variant:\n%s", index)
		}
		for _, s := range v.now.segments[:3] {
			if s.dur < 1.9 || s.dur > 2.1 {
				t.Errorf("segment of %.3f s, want the target duration", s.dur)
			}
		}
	})
}

// A track that onMetaData promised is waited for 5 s, one nobody spoke of 1 s.
func TestLateTrack(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.stream.Expect(2) // audio
		r.tracks(videoTrack(t))
		src := &source{fps: 30, gop: 60}
		src.run(r, 4*time.Second)
		if p := r.stream.Status().Phase; p != packager.PhaseStarting {
			t.Errorf("after 4 s: phase %s, want starting", p)
		}
		r.tracks(audioTrack(t))
		src.audio, src.units = true, 4*48000/1024
		src.run(r, time.Second)
		if n := len(r.stream.Status().Tracks); n != 2 {
			t.Errorf("%d tracks, want 2", n)
		}
	})
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t))
		src := &source{fps: 30, gop: 60}
		src.run(r, 5*time.Second)
		first := r.stream.Status()
		r.tracks(audioTrack(t)) // later than the layout: another epoch of the same session
		src.audio, src.units = true, 5*48000/1024
		src.run(r, time.Second)
		if got := r.get("/hls/live/index.m3u8").status; got != http.StatusNotFound {
			t.Errorf("while the next epoch is measured the index answers %d, want 404 and not the ended epoch", got)
		}
		src.run(r, 5*time.Second)
		second := r.stream.Status()
		if first.Epoch == "" || second.Epoch == first.Epoch || second.Session != first.Session || len(second.Tracks) != 2 {
			t.Errorf("a late track: %+v then %+v, want another epoch of the session with two tracks", first, second)
		}
		if old := r.body("/hls/live/" + first.Epoch + "/v0.m3u8"); !strings.Contains(old, "#EXT-X-ENDLIST") {
			t.Errorf("the epoch before has not ended:\n%s", old)
		}
	})
}

// A track that stops does not take the other with it: the epoch ends, and the next
// goes without it; when it comes back there is another.
func TestTrackStops(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 6*time.Second)
		both := r.stream.Status()
		src.audio = false
		src.run(r, 20*time.Second)
		alone := r.stream.Status()
		if len(both.Tracks) != 2 || len(alone.Tracks) != 1 || alone.Epoch == both.Epoch || alone.Session != both.Session {
			t.Errorf("the audio has stopped: %+v then %+v", both, alone)
		}
		src.audio, src.units = true, src.frames*48000/1024/30
		src.run(r, 6*time.Second)
		if again := r.stream.Status(); len(again.Tracks) != 2 || again.Epoch == alone.Epoch {
			t.Errorf("the audio is back: %+v", again)
		}
	})
}

// A GOP of 20 s: segments of at most the longest target duration, not all of which
// start with a sync sample, and none of their parts says so.
func TestVeryLongGOP(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		v := play(t, r, &source{fps: 30, gop: 600, audio: true}, 75*time.Second, "v0", "a0")["v0"]
		if v.now.target != 10 || metric(t, r, "barrage_packager_forced_cuts_total") < 3 {
			t.Errorf("target %d, %v forced cuts", v.now.target, metric(t, r, "barrage_packager_forced_cuts_total"))
		}
	})
}

// Timestamps jump by an hour, and back: one discontinuity each, in both renditions.
// An encoder whose clock stands still fills no memory: what is collected before the
// first segment is bounded in number, what is collected of a segment in bytes.
func TestFrozenClock(t *testing.T) {
	t.Run("sound", func(t *testing.T) {
		live(t, packager.DefaultConfig(), func(r *room) {
			r.tracks(audioTrack(t))
			<-time.After(2 * time.Second)
			for range 9_000 {
				if err := r.stream.WriteSample(media.Sample{Kind: media.Audio, DTS: 5, Data: make([]byte, 2)}); err != nil {
					t.Fatal(err)
				}
			}
			if n := metric(t, r, "barrage_packager_dropped_samples_total"); n < 8_000 {
				t.Errorf("%v units of one moment were dropped, want almost all", n)
			}
		})
	})
	t.Run("pictures", func(t *testing.T) {
		cfg := packager.DefaultConfig()
		cfg.WindowBytes = 16 << 20
		live(t, cfg, func(r *room) {
			r.tracks(videoTrack(t))
			src := &source{fps: 30, gop: 60, weight: 100_000}
			src.run(r, 7*time.Second)
			picture := src.video().Data // all are the same: it is only read
			var err error
			n := 0
			for ; n < 5_000 && err == nil; n++ {
				err = r.stream.WriteSample(media.Sample{Kind: media.Video, DTS: 7000, Data: picture})
			}
			if !errors.Is(err, packager.ErrClock) || n > 1_400 {
				t.Errorf("after %d pictures of one moment, 100 kB each: %v, want ErrClock before there are 140 MB", n, err)
			}
		})
	})
}

func TestJump(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 6*time.Second)
		v, a := watch(t, r, "v0"), watch(t, r, "a0")
		until := time.Now().Add(24 * time.Second)
		var wg sync.WaitGroup
		wg.Go(func() { v.follow(until) })
		wg.Go(func() { a.follow(until) })
		src.offset = 3_600_000
		src.run(r, 8500*time.Millisecond)
		src.offset = -10_000
		src.run(r, 15500*time.Millisecond)
		wg.Wait()
		for _, v := range []*viewer{v, a} {
			cuts := 0
			for _, s := range v.now.segments {
				if s.discontinuity {
					cuts++
				}
			}
			if cuts != 2 || len(v.now.maps) != 1 {
				t.Errorf("%s: %d discontinuities and init sections %q, want 2 and 1", v.name, cuts, v.now.maps)
			}
		}
		if n := metric(t, r, "barrage_packager_discontinuities_total"); n != 2 {
			t.Errorf("%v discontinuities counted, want 2", n)
		}
	})
}

// The publisher is lost and comes back with times from zero: same session, same
// epoch, one discontinuity in both renditions, a new init section, numbers go on.
func TestReconnect(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		(&source{fps: 30, gop: 60, audio: true}).run(r, 7300*time.Millisecond)
		before := r.stream.Status()
		v, a := watch(t, r, "v0"), watch(t, r, "a0")
		until := time.Now().Add(30 * time.Second)
		var wg sync.WaitGroup
		wg.Go(func() { v.follow(until) })
		wg.Go(func() { a.follow(until) })
		r.stream.Detach(false)
		if p := r.stream.Status().Phase; p != packager.PhaseAway {
			t.Errorf("phase %s, want away", p)
		}
		<-time.After(5 * time.Second)
		r.attach()
		r.tracks(videoTrack(t), audioTrack(t))
		(&source{fps: 30, gop: 60, audio: true}).run(r, 25*time.Second)
		wg.Wait()
		after := r.stream.Status()
		if after.Session != before.Session || after.Epoch != before.Epoch || after.Phase != packager.PhaseLive {
			t.Errorf("before %+v\nafter %+v", before, after)
		}
		for _, v := range []*viewer{v, a} {
			cuts, gap := 0, time.Duration(0)
			for i, s := range v.now.segments {
				if s.discontinuity {
					cuts++
					prev := v.now.segments[i-1]
					gap = s.pdt.Sub(prev.pdt) - time.Duration(prev.dur*float64(time.Second))
				}
			}
			if cuts != 1 || len(v.now.maps) != 2 {
				t.Errorf("%s: %d discontinuities and %d init sections, want 1 and 2", v.name, cuts, len(v.now.maps))
			}
			if gap < 4900*time.Millisecond || gap > 5200*time.Millisecond {
				t.Errorf("%s: the program date time jumps by %v, want the 5 s the publisher was away", v.name, gap)
			}
			if limit := 1300 * time.Millisecond; v.blockedBy > limit {
				t.Errorf("%s: a reload took %v while the publisher was away, want at most %v", v.name, v.blockedBy, limit)
			}
		}
	})
}

func TestGraceEnds(t *testing.T) {
	for _, c := range []struct {
		clean bool
		grace time.Duration
	}{{false, time.Minute}, {true, 10 * time.Second}} {
		live(t, packager.DefaultConfig(), func(r *room) {
			r.tracks(videoTrack(t), audioTrack(t))
			(&source{fps: 30, gop: 60, audio: true}).run(r, 5*time.Second)
			before := r.stream.Status()
			changed := r.reg.Changed()
			r.stream.Detach(c.clean)
			select {
			case <-changed:
			default:
				t.Error("Changed does not tell that the publisher has gone")
			}
			<-time.After(c.grace - time.Millisecond)
			synctest.Wait()
			if p := r.stream.Status().Phase; p != packager.PhaseAway {
				t.Errorf("clean=%v: phase %s before the grace is over, want away", c.clean, p)
			}
			<-time.After(2 * time.Millisecond)
			synctest.Wait()
			if p := r.stream.Status().Phase; p != packager.PhaseEnded {
				t.Errorf("clean=%v: phase %s after the grace, want ended", c.clean, p)
			}
			for _, name := range []string{"v0", "a0"} {
				if l := readList(t, r.body(r.folder()+name+".m3u8")); !l.ended || l.hint != "" {
					t.Errorf("%s has not ended", name)
				}
			}
			folder := r.folder()
			r.attach()
			r.tracks(videoTrack(t), audioTrack(t))
			if code := r.get("/hls/live/index.m3u8").status; code != 404 {
				t.Errorf("the index of a starting session = %d, want 404 and not the one before", code)
			}
			(&source{fps: 30, gop: 60, audio: true}).run(r, 5*time.Second)
			if after := r.stream.Status(); after.Session == before.Session || after.Epoch == before.Epoch {
				t.Errorf("the next broadcast goes on in session %s epoch %s", after.Session, after.Epoch)
			}
			r.body(folder + "v0/s1.m4s")
			r.stream.Detach(true)
			<-time.After(5 * time.Minute)
			synctest.Wait()
			if _, ok := r.reg.Stream("live"); ok || len(r.reg.Statuses()) != 0 {
				t.Error("the room is still there long after its end")
			}
			if n := metric(t, r, "barrage_packager_window_bytes"); n != 0 {
				t.Errorf("%v bytes are still accounted for", n)
			}
		})
	}
}

// Another resolution in the middle: a new init section and a discontinuity in both
// renditions; the same configuration again is no change.
func TestNewConfiguration(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 6*time.Second)
		r.tracks(videoTrack(t), audioTrack(t))
		src.run(r, 4*time.Second)
		if l := readList(t, r.body(r.folder()+"v0.m3u8")); len(l.maps) != 1 {
			t.Errorf("the same configuration made init sections %q", l.maps)
		}
		next := videoTrack(t)
		next.Config = config(t, strings.Replace(avc1080, "68ef8fcbfdf8f800", "68ef8fcbfdf8f801", 1))
		r.tracks(next)
		src.run(r, 6*time.Second)
		for name, maps := range map[string]int{"v0": 2, "a0": 1} {
			l := readList(t, r.body(r.folder()+name+".m3u8"))
			cuts := 0
			for _, s := range l.segments {
				if s.discontinuity {
					cuts++
				}
			}
			if cuts != 1 || len(l.maps) != maps {
				t.Errorf("%s: %d discontinuities, init sections %q, want 1 and %d", name, cuts, l.maps, maps)
			}
		}
	})
}

// What OBS sends when the line is too slow: whole stretches of video are missing.
func TestLossyVideo(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true, lossy: func(n int) bool {
			return n > 120 && (n%97 == 5 || n%400 > 340 && n%400 < 375)
		}}
		for _, v := range play(t, r, src, 60*time.Second, "v0", "a0") {
			if v.reloads < 100 {
				t.Errorf("%s: %d reloads", v.name, v.reloads)
			}
		}
	})
}

func TestWindowIsBounded(t *testing.T) {
	cfg := packager.DefaultConfig()
	live(t, cfg, func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 4*time.Minute+100*time.Millisecond)
		l := readList(t, r.body(r.folder()+"v0.m3u8"))
		if n := l.lastMSN - l.first; n < 30 || n > 31 || l.first < 85 {
			t.Errorf("%d segments from %d listed, want a window of 60 s", n, l.first)
		}
		get := func(msn int) int { return r.get(fmt.Sprintf("%sv0/s%d.m4s", r.folder(), msn)).status }
		if a, b := get(l.first-1), get(l.first-29); a != 200 || b != 200 {
			t.Errorf("removed segments answer %d and %d, want 200 for as long as the playlist again", a, b)
		}
		if c := get(l.first - 36); c != 404 {
			t.Errorf("a segment removed long ago answers %d, want 404", c)
		}
		for _, s := range l.segments {
			if s.uri != "" && len(s.parts) > 0 && s.msn < l.lastMSN-3 {
				t.Errorf("segment %d of %d still lists its parts", s.msn, l.lastMSN)
			}
		}
	})
	cfg.WindowBytes = 16 << 20
	live(t, cfg, func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true, weight: 40_000}
		src.run(r, time.Minute)
		l := readList(t, r.body(r.folder()+"v0.m3u8"))
		var listed float64
		for _, s := range l.segments {
			listed += s.dur
		}
		if n := metric(t, r, "barrage_packager_window_bytes"); n > 17<<20 || listed < 6 {
			t.Errorf("%v bytes kept, %v s listed, want under 16 MiB and at least three targets", n, listed)
		}
	})
}

// The server stops: what is there is finished, and nobody is left waiting.
func TestStop(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		(&source{fps: 30, gop: 60, audio: true}).run(r, 4100*time.Millisecond)
		v := watch(t, r, "v0")
		done := make(chan struct{})
		go func() { defer close(done); v.follow(time.Now().Add(time.Hour)) }()
		synctest.Wait()
		r.stop()
		<-done
		if !v.now.ended {
			t.Error("the playlist has not ended")
		}
		if err := r.stream.SetTrack(videoTrack(t)); err == nil {
			t.Error("a stopped stream takes a track")
		}
		if _, err := r.reg.Attach("other"); err == nil {
			t.Error("a stopped registry takes a publisher")
		}
	})
}
