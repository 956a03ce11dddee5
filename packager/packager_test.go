package packager_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"barrage/packager"
	"barrage/packager/media"
)

func TestConfig(t *testing.T) {
	if err := packager.DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	for want, change := range map[string]func(*packager.Config){
		"packager.segment_duration: 20s": func(c *packager.Config) { c.SegmentDuration = 20 * time.Second },
		"packager.part_duration: 50ms":   func(c *packager.Config) { c.PartDuration = 50 * time.Millisecond },
		"packager.part_duration: 1.5s":   func(c *packager.Config) { c.PartDuration = 1500 * time.Millisecond },
		"packager.window: 1s":            func(c *packager.Config) { c.Window = time.Second },
		"packager.window_bytes: 5":       func(c *packager.Config) { c.WindowBytes = 5 },
	} {
		c := packager.DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want+": must be") {
			t.Errorf("Validate = %v, want %q", err, want)
		}
		if _, err := packager.New(c, packager.Options{}); err == nil {
			t.Errorf("New takes a configuration with %q", want)
		}
	}
}

func TestMetricNames(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := packager.New(packager.DefaultConfig(), packager.Options{Registerer: reg}); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if _, err := packager.New(packager.DefaultConfig(), packager.Options{Registerer: reg}); err == nil {
		t.Error("New twice on one registerer: no error")
	}
}

func TestOnePublisher(t *testing.T) {
	reg, err := packager.New(packager.DefaultConfig(), packager.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := reg.Attach("live")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Attach("live"); !errors.Is(err, packager.ErrStreamBusy) || !strings.Contains(err.Error(), "live") {
		t.Errorf("a second publisher: %v, want ErrStreamBusy with the room's name", err)
	}
	if _, err := reg.Attach("../etc"); err == nil {
		t.Error("a room of any name is accepted")
	}
	s.Detach(true)
	s.Detach(true)
	if err := s.WriteSample(media.Sample{Kind: media.Video}); !errors.Is(err, packager.ErrDetached) {
		t.Errorf("WriteSample after Detach = %v, want ErrDetached", err)
	}
	if err := s.SetTrack(audioTrack(t)); !errors.Is(err, packager.ErrDetached) {
		t.Errorf("SetTrack after Detach = %v, want ErrDetached", err)
	}
	if p := s.Status().Phase; p != packager.PhaseOffline {
		t.Errorf("phase %s after a publisher that sent nothing, want offline", p)
	}
	if _, err := reg.Attach("live"); err != nil {
		t.Errorf("the room stays taken: %v", err)
	}
}

func TestBadTracks(t *testing.T) {
	reg, err := packager.New(packager.DefaultConfig(), packager.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := reg.Attach("live")
	if err != nil {
		t.Fatal(err)
	}
	noClock, noConfig, noRate := videoTrack(t), videoTrack(t), audioTrack(t)
	noClock.TimeScale, noConfig.Config, noRate.SampleRate = 0, nil, 0
	for _, tr := range []media.Track{noClock, noConfig, noRate} {
		if err := s.SetTrack(tr); !errors.Is(err, packager.ErrTrack) {
			t.Errorf("SetTrack(%+v) = %v, want ErrTrack", tr, err)
		}
	}
}

// Waiting is a value: whoever holds a Window hears of the next, and holds what it held.
func TestChanged(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 4600*time.Millisecond)
		e, ok := r.stream.Current()
		if !ok {
			r.t.Fatal("nothing can be played")
		}
		v, _ := e.Rendition("v0")
		old := v.Window()
		select {
		case <-old.Changed():
			t.Error("changed before anything came")
		default:
		}
		src.run(r, 500*time.Millisecond)
		<-old.Changed()
		if next := v.Window(); old.Has(3, 1) || !next.Has(3, 1) {
			t.Error("the part is in the old window, or not in the next")
		}
	})
}

func TestWindow(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		(&source{fps: 30, gop: 60, audio: true}).run(r, 5600*time.Millisecond)
		e, _ := r.stream.Current()
		v, _ := e.Rendition("v0")
		w := v.Window() // segments 1 and 2 of four parts, three parts of segment 3
		for _, c := range []struct {
			msn         uint64
			part        int
			has, tooFar bool
		}{
			{0, -1, true, false},
			{1, 0, true, false},
			{1, 99, true, false},
			{2, -1, true, false},
			{2, 3, true, false},
			{2, 4, true, false}, // the first of segment 3
			{3, -1, false, false},
			{3, 2, true, false},
			{3, 3, false, false},
			{3, 8, false, false},
			{3, 9, false, true}, // beyond the advance part limit of six
			{4, 0, false, false},
			{5, -1, false, false},
			{5, 6, false, false},
			{5, 7, false, true},
			{6, -1, false, true},
		} {
			if got := w.Has(c.msn, c.part); got != c.has {
				t.Errorf("Has(%d, %d) = %v, want %v", c.msn, c.part, got, c.has)
			}
			if got := w.TooFar(c.msn, c.part); got != c.tooFar {
				t.Errorf("TooFar(%d, %d) = %v, want %v", c.msn, c.part, got, c.tooFar)
			}
		}
		for n := range uint64(14) {
			if _, ok := w.Part(n); ok != (n >= 1 && n <= 11) {
				t.Errorf("Part(%d) = %v", n, ok)
			}
			if w.Hinted(n) != (n == 12) {
				t.Errorf("Hinted(%d) = %v", n, w.Hinted(n))
			}
		}
		for n, first := range map[uint64]uint64{1: 1, 2: 5} { // a segment is its four parts, one behind the other
			var parts []byte
			for i := range uint64(4) {
				data, _ := w.Part(first + i)
				parts = append(parts, data...)
			}
			if data, ok := w.Segment(n); !ok || !bytes.Equal(data, parts) || cap(data) != len(data) {
				t.Errorf("Segment(%d) has %d bytes of %d, want the %d of its parts", n, len(data), cap(data), len(parts))
			}
		}
		for _, n := range []uint64{0, 3, 1 << 60} {
			if _, ok := w.Segment(n); ok {
				t.Errorf("Segment(%d) is there", n)
			}
		}
		if d := w.Duration(); d != 4*time.Second {
			t.Errorf("Duration = %v, want 4s", d)
		}
	})
}

// Identifiers are new although the wall clock is the same again.
func TestEpochsAreNew(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		live(t, packager.DefaultConfig(), func(r *room) {
			r.tracks(videoTrack(t), audioTrack(t))
			(&source{fps: 30, gop: 60, audio: true}).run(r, 3*time.Second)
			st := r.stream.Status()
			if seen[st.Epoch] || st.Epoch != strings.ToLower(st.Epoch) || strings.Trim(st.Epoch, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
				t.Errorf("epoch %q", st.Epoch)
			}
			seen[st.Epoch] = true
			if st.Latency < 1590*time.Millisecond || st.Latency > 2200*time.Millisecond {
				t.Errorf("Latency = %v, want three part targets and a part", st.Latency)
			}
			if lag := time.Since(st.PDT); lag < -100*time.Millisecond || lag > 100*time.Millisecond {
				t.Errorf("the newest sample is %v old", lag)
			}
		})
	}
}

// The media of a publisher that is gone is complete segments: regular players get
// all of it, and no part is short without being the last of its segment.
func TestAwayEndsTheSegment(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 5*time.Second+700*time.Millisecond)
		r.stream.Detach(false)
		for _, name := range []string{"v0", "a0"} {
			body := r.body(r.folder() + name + ".m3u8")
			_, tail, _ := strings.Cut(body, name+"/s3.m4s\n")
			if !strings.Contains(body, name+"/s3.m4s\n") || strings.Contains(tail, "#EXT-X-PART:") || strings.Contains(tail, "ENDLIST") {
				t.Errorf("%s: the third segment is not complete, or the playlist has ended:\n%s", name, body)
			}
		}
		<-time.After(time.Second)
		r.attach()
		r.tracks(videoTrack(t), audioTrack(t))
		src.run(r, 3*time.Second)
		for _, name := range []string{"v0", "a0"} {
			body := r.body(r.folder() + name + ".m3u8")
			if strings.Count(body, "#EXT-X-DISCONTINUITY\n") != 1 || !strings.Contains(body, name+"/s4.m4s\n") {
				t.Errorf("%s: want one discontinuity and a fourth segment:\n%s", name, body)
			}
		}
	})
}

// Parts stand in three segments at most, the one that the hint opens included:
// strict decoders count it when they look for parts that should be gone (6.2.2).
func TestPartsLeaveThePlaylist(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 5*time.Second)
		for round := range 60 {
			if round == 20 { // leaves a short segment
				r.stream.Detach(false)
				r.attach()
				r.tracks(videoTrack(t), audioTrack(t))
			}
			src.run(r, 100*time.Millisecond)
			for _, name := range []string{"v0", "a0"} {
				body := r.body(r.folder() + name + ".m3u8")
				parents := 1 // the last
				for segment := range strings.SplitSeq(body[:strings.LastIndex(body, ".m4s\n")], ".m4s\n") {
					if strings.Contains(segment, "#EXT-X-PART:") {
						parents++
					}
				}
				if parents > 3 {
					t.Fatalf("%s: parts in %d segments:\n%s", name, parents, body)
				}
			}
		}
	})
}
