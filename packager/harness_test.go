package packager_test

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"barrage/packager"
	"barrage/packager/media"
	"barrage/packager/origin"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Configurations of an ordinary encoder: H.264 High 1920x1080 of x264, AAC-LC stereo.
const (
	avc1080 = "01640028ffe1001b67640028acd940780227e5c044000003000400000300f03c60c65801000468ef8fcbfdf8f800"
	aacLC   = "1190"
)

func config(t *testing.T, s string) []byte {
	t.Helper()
	return fromHex(t, s)
}

func fromHex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func videoTrack(t *testing.T) media.Track {
	t.Helper()
	return media.Track{Kind: media.Video, Codec: media.H264, TimeScale: 1000, Config: config(t, avc1080), Width: 1920, Height: 1080}
}

func audioTrack(t *testing.T) media.Track {
	t.Helper()
	return media.Track{Kind: media.Audio, Codec: media.AAC, TimeScale: 1000, Config: config(t, aacLC), SampleRate: 48000, Channels: 2}
}

// room is a server with one publisher, in a synctest bubble.
type room struct {
	t      *testing.T
	reg    *packager.Registry
	origin http.Handler
	prom   *prometheus.Registry
	stream *packager.Stream
	stop   context.CancelFunc
}

// live runs test in a bubble, with a registry that runs and the room "live" attached.
func live(t *testing.T, cfg packager.Config, test func(*room)) {
	t.Helper()
	serve(t, cfg, nil, func(r *room) {
		r.attach()
		test(r)
	})
}

// serve runs test in a bubble, with a registry that runs and has that clock.
func serve(t *testing.T, cfg packager.Config, now func() time.Time, test func(*room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &room{t: t, prom: prometheus.NewRegistry(), stop: cancel}
		var err error
		if r.reg, err = packager.New(cfg, packager.Options{Registerer: r.prom, Now: now}); err != nil {
			t.Fatal(err)
		}
		if r.origin, err = origin.New(r.reg, origin.Options{Registerer: r.prom}); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- r.reg.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		}()
		test(r)
	})
}

func (r *room) attach() {
	r.t.Helper()
	s, err := r.reg.Attach("live")
	if err != nil {
		r.t.Fatal(err)
	}
	r.stream = s
}

func (r *room) tracks(tracks ...media.Track) {
	r.t.Helper()
	for _, tr := range tracks {
		if err := r.stream.SetTrack(tr); err != nil {
			r.t.Fatal(err)
		}
	}
}

// source is a publisher's encoder.
type source struct {
	fps     float64        // 0 = no video
	gop     int            // frames
	audio   bool           // at 48 kHz
	unit    int            // samples in a unit of it; 0: 1024
	offset  int64          // milliseconds all times start with
	reorder int            // B-frames: how many frames pictures are reordered by
	lossy   func(int) bool // frames the network loses
	weight  int            // bytes of a picture; 0: 500
	frames  int
	units   int
}

// run publishes d of media in real time, RTMP-like: milliseconds, truncated.
func (s *source) run(r *room, d time.Duration) {
	r.t.Helper()
	start := time.Now()
	v0, a0 := s.frames, s.units
	for {
		vAt, aAt := time.Duration(1<<62), time.Duration(1<<62)
		if s.fps > 0 {
			vAt = time.Duration(float64(s.frames-v0) / s.fps * float64(time.Second))
		}
		if s.audio {
			aAt = time.Duration((s.units-a0)*s.samples()) * time.Second / 48000
		}
		at := min(vAt, aAt)
		if at >= d {
			<-time.After(time.Until(start.Add(d)))
			return
		}
		<-time.After(time.Until(start.Add(at)))
		var m media.Sample
		if at == vAt {
			m = s.video()
		} else {
			m = s.sound()
		}
		if m.Kind == media.Video && s.lossy != nil && s.lossy(s.frames-1) {
			continue
		}
		if err := r.stream.WriteSample(m); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (s *source) video() media.Sample {
	n := s.frames
	s.frames++
	m := media.Sample{
		Kind: media.Video, Sync: n%s.gop == 0, DTS: s.offset + int64(float64(n)*1000/s.fps), Data: make([]byte, max(s.weight, 500)),
	}
	if s.reorder > 0 { // the pattern P b b: a P is shown after the two b that follow it
		shift := []int{s.reorder, 0, 0}[(n%s.gop)%3]
		if n%s.gop == 0 {
			shift = 1
		}
		m.CTS = int32(int64(float64(n+shift)*1000/s.fps) - int64(float64(n)*1000/s.fps))
	}
	return m
}

func (s *source) sound() media.Sample {
	n := s.units
	s.units++
	return media.Sample{Kind: media.Audio, DTS: s.offset + int64(n*s.samples())*1000/48000, Data: make([]byte, 170)}
}

func (s *source) samples() int { return max(s.unit, 1024) }

// answer is what the origin says.
type answer struct {
	status int
	body   string
}

// get asks the origin.
func (r *room) get(path string) answer {
	w := httptest.NewRecorder()
	r.origin.ServeHTTP(w, httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, path, http.NoBody))
	return answer{w.Code, w.Body.String()}
}

func (r *room) body(path string) string {
	r.t.Helper()
	a := r.get(path)
	if a.status != http.StatusOK {
		r.t.Fatalf("GET %s = %d %s, want 200", path, a.status, a.body)
	}
	return a.body
}

// folder returns where the media playlists of the room are.
func (r *room) folder() string {
	r.t.Helper()
	st := r.stream.Status()
	if st.Epoch == "" {
		r.t.Fatal("the room has no epoch that can be played")
	}
	return "/hls/live/" + st.Epoch + "/"
}

// metric adds up the series of a metric.
func metric(t *testing.T, r *room, name string) float64 {
	t.Helper()
	all, err := r.prom.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, f := range all {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
