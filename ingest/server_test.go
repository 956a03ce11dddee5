package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"barrage/ingest"
	"barrage/ingest/auth"
	"barrage/packager/media"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a running server, what it said and what came out of it.
type rig struct {
	*ingest.Server
	t      testing.TB
	keys   *auth.Keys
	key    string // of room live
	logs   *logBuffer
	reg    *prometheus.Registry
	events chan string // everything the sinks were told, in order
	stop   func()

	session atomic.Value // string: the broadcast that goes on

	mu       sync.Mutex
	clock    time.Time // the server's: moves when told to
	samples  []media.Sample
	tracks   []media.Track
	onAttach func(room string) error
	onSample func(media.Sample) error
	onDetach func()
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = r.clock.Add(d)
}

// start runs a server until the test ends.
func start(tb testing.TB, change func(*ingest.Config, *rig)) *rig {
	tb.Helper()
	r := &rig{t: tb, logs: &logBuffer{}, reg: prometheus.NewRegistry(), events: make(chan string, 4096), clock: time.Now()}
	var err error
	if r.keys, err = auth.Open(filepath.Join(tb.TempDir(), "keys.json")); err != nil {
		tb.Fatal(err)
	}
	if r.key, err = r.keys.Mint("live", 0); err != nil {
		tb.Fatal(err)
	}
	cfg := ingest.DefaultConfig()
	cfg.RTMPAddr = "127.0.0.1:0"
	if change != nil {
		change(&cfg, r)
	}
	r.Server, err = ingest.New(cfg, ingest.Options{
		Logger: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), Registerer: r.reg, Now: r.now,
		Keys: r.keys, Attach: r.attach, Session: func(string) string { s, _ := r.session.Load().(string); return s },
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Run = %v, want nil", err)
		}
	})
	tb.Cleanup(func() {
		r.stop()
		if mac := r.key[strings.LastIndexByte(r.key, '.')+1:]; strings.Contains(r.logs.String(), mac) {
			tb.Error("a stream key is in the log")
		}
	})
	return r
}

func (r *rig) attach(room string) (ingest.Sink, error) {
	if r.onAttach != nil {
		if err := r.onAttach(room); err != nil {
			return nil, err
		}
	}
	r.events <- "attach " + room
	return &sink{rig: r, room: room}, nil
}

// sink records what a publisher sends.
type sink struct {
	rig  *rig
	room string
}

func (s *sink) Expect(k media.Kind) { s.rig.events <- "expect " + k.String() }

func (s *sink) SetTrack(t media.Track) error {
	s.rig.mu.Lock()
	s.rig.tracks = append(s.rig.tracks, t)
	s.rig.mu.Unlock()
	s.rig.events <- "track " + t.Kind.String()
	return nil
}

func (s *sink) WriteSample(m media.Sample) error {
	if s.rig.onSample != nil {
		if err := s.rig.onSample(m); err != nil {
			return err
		}
	}
	s.rig.mu.Lock()
	s.rig.samples = append(s.rig.samples, m)
	s.rig.mu.Unlock()
	s.rig.events <- "sample " + m.Kind.String()
	return nil
}

func (s *sink) Detach(clean bool) {
	if s.rig.onDetach != nil {
		s.rig.onDetach()
	}
	s.rig.events <- fmt.Sprintf("detach %s clean=%v", s.room, clean)
}

// next waits for the sinks to be told exactly these things.
func (r *rig) next(want ...string) {
	r.t.Helper()
	for i, w := range want {
		select {
		case got := <-r.events:
			if got != w {
				r.t.Fatalf("event %d of %q: got %q", i, want, got)
			}
		case <-time.After(clientTimeout):
			r.t.Fatalf("event %d of %q: nothing came; log:\n%s", i, want, r.logs)
		}
	}
}

// event waits for the next thing that the sinks are told, whatever it is.
func (r *rig) event() {
	r.t.Helper()
	select {
	case <-r.events:
	case <-time.After(clientTimeout):
		r.t.Fatalf("nothing came; log:\n%s", r.logs)
	}
}

// quiet fails if the sinks were told anything.
func (r *rig) quiet() {
	r.t.Helper()
	select {
	case got := <-r.events:
		r.t.Fatalf("unexpected event %q", got)
	default:
	}
}

func (r *rig) publisher(key string) *client {
	r.t.Helper()
	c := dial(r.t, r.Addr()).connect("live", "rtmp://127.0.0.1/live")
	c.mustPublish(key)
	return c
}

// metric reads one of the server's own counters or gauges.
func (r *rig) metric(name, label string) float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "barrage_ingest_"+name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	r.t.Fatalf("no metric %s{%s}", name, label)
	return 0
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestStopsWithPublishersOn(t *testing.T) {
	r := start(t, nil)
	c := r.publisher(r.key)
	dial(t, r.Addr()) // one that has only shaken hands
	dialRaw(t, r.Addr())
	r.next("attach live")
	r.stop()
	r.next("detach live clean=false")
	if codes := c.rest(); len(codes) != 0 {
		t.Errorf("statuses after the stop: %v, want none", codes)
	}
	if got := r.metric("connections", ""); got != 0 {
		t.Errorf("%v connections open after Run returned, want 0", got)
	}
	if !strings.Contains(r.logs.String(), `msg="publisher disconnected"`) || !strings.Contains(r.logs.String(), "reason=shutdown") {
		t.Errorf("log does not say why the publisher left:\n%s", r.logs)
	}
}

func TestConnectAndDisconnect(t *testing.T) {
	r := start(t, nil)
	for i := range 200 {
		var c *client
		switch i % 4 {
		case 0: // a port scanner
			c = dialRaw(t, r.Addr())
		case 1: // half a handshake
			c = dialRaw(t, r.Addr())
			c.send([]byte{3, 0, 0})
		case 2:
			c = dial(t, r.Addr())
		case 3:
			c = r.publisher(r.key)
			r.next("attach live")
		}
		c.leave()
		if i%4 == 3 {
			r.next("detach live clean=false")
		}
	}
	r.stop()
	if got := r.metric("connections", ""); got != 0 {
		t.Errorf("%v connections counted after all have gone, want 0", got)
	}
	if got := r.metric("publishes_total", "accepted"); got != 50 {
		t.Errorf("%v publishes accepted, want 50", got)
	}
}

func TestTimeouts(t *testing.T) {
	const short = 500 * time.Millisecond
	r := start(t, func(c *ingest.Config, _ *rig) {
		c.Timeouts.Handshake, c.Timeouts.Publish, c.Timeouts.Media = short, short, short
	})
	for reason, c := range map[string]*client{
		"handshake_timeout": dialRaw(t, r.Addr()),
		"publish_timeout":   dial(t, r.Addr()).connect("live", ""),
		"media_timeout":     r.publisher(r.key),
	} {
		began := time.Now()
		c.rest()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: closed after %v", reason, took)
		}
	}
	r.stop()
	for _, reason := range []string{"handshake_timeout", "publish_timeout", "media_timeout"} {
		if got := r.metric("connections_ended_total", reason); got != 1 {
			t.Errorf("%v connections ended by %s, want 1", got, reason)
		}
	}
	r.next("attach live", "detach live clean=false")
}

// A slow loris moves no deadline by sending a byte now and then.
func TestHandshakeDeadlineIsAbsolute(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.Timeouts.Handshake = 200 * time.Millisecond })
	c := dialRaw(t, r.Addr())
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, c.r)
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for b := byte(3); ; b = 0 {
		_, _ = c.conn.Write([]byte{b}) // fails when it was closed
		select {
		case <-closed:
			return
		case <-tick.C:
		}
	}
}

func TestNotRTMP(t *testing.T) {
	r := start(t, nil)
	c := dialRaw(t, r.Addr())
	c.send([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	c.rest()
	r.stop()
	if got := r.metric("connections_ended_total", "not_rtmp"); got != 1 {
		t.Errorf("%v connections ended by not_rtmp, want 1", got)
	}
}

func TestBoundsOnConnections(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.MaxConnections = 22 })
	first := r.publisher(r.key) // publishing: not in the bound per address
	r.next("attach live")
	var silent []*client
	for range 20 {
		silent = append(silent, dial(t, r.Addr()))
	}
	dialRaw(t, r.Addr()).rest()
	if got := r.metric("connections_rejected_total", "address"); got != 1 {
		t.Errorf("%v connections rejected by address, want the 21st that does not publish", got)
	}
	other, err := r.keys.Mint("other", 0)
	if err != nil {
		t.Fatal(err)
	}
	silent[0].connect("live", "").mustPublish(other)
	r.next("attach other")
	c := first
	c.must(c.message(typeVideo, 1, 0, []byte{0x17, 2, 0, 0, 0}))
}

// Whoever fills the server with connections that do not publish keeps nobody
// out: the oldest of them makes room. Those who publish stay.
func TestRoomInACrowd(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.MaxConnections = 3 })
	r.publisher(r.key)
	r.next("attach live")
	oldest, young := dial(t, r.Addr()), dial(t, r.Addr())
	for _, room := range []string{"second", "third"} {
		key, err := r.keys.Mint(room, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.publisher(key)
		r.next("attach " + room)
		oldest.rest()
		oldest = young
	}
	if got := r.metric("connections_ended_total", "crowded"); got != 2 {
		t.Errorf("%v connections ended to make room, want 2", got)
	}
	dialRaw(t, r.Addr()).rest()
	if got := r.metric("connections_rejected_total", "limit"); got != 1 {
		t.Errorf("%v connections rejected by the limit, want the one that came when all publish", got)
	}
	if got := r.metric("connections", ""); got != 3 {
		t.Errorf("%v connections, want 3", got)
	}
}

func TestNewErrors(t *testing.T) {
	keys := &auth.Keys{}
	attach := func(string) (ingest.Sink, error) { return nil, errors.New("unused") }
	r := start(t, nil)
	good := ingest.DefaultConfig()
	good.RTMPAddr = "127.0.0.1:0"
	taken := good
	taken.RTMPAddr = r.Addr().String()
	for name, c := range map[string]struct {
		config ingest.Config
		opts   ingest.Options
		want   string
	}{
		"bad config": {ingest.Config{}, ingest.Options{Keys: keys, Attach: attach}, "ingest.rtmp_addr"},
		"no keys":    {good, ingest.Options{Attach: attach}, "Keys"},
		"no attach":  {good, ingest.Options{Keys: keys}, "Attach"},
		"port taken": {taken, ingest.Options{Keys: keys, Attach: attach}, "choose a free port"},
		"metrics":    {good, ingest.Options{Keys: keys, Attach: attach, Registerer: r.reg}, "register metrics"},
	} {
		if _, err := ingest.New(c.config, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: New = %v, want an error with %q", name, err, c.want)
		}
	}
	s, err := ingest.New(good, ingest.Options{Keys: keys, Attach: attach})
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Close(); err != nil {
		t.Errorf("Close of a server never run = %v", err)
	}
}

func TestMetricsAreWellNamed(t *testing.T) {
	r := start(t, nil)
	problems, err := testutil.GatherAndLint(r.reg)
	if err != nil || len(problems) != 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(r.reg); err != nil || n < 20 {
		t.Errorf("%d series, %v, want every label value present from the start", n, err)
	}
}

func TestConfig(t *testing.T) {
	if err := ingest.DefaultConfig().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	c := ingest.Config{RTMPAddr: "nonsense", RTMPSAddr: "1936", Auth: ingest.AuthConfig{Mode: "none"}, Grace: -1, MaxBitrate: 5}
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, key := range []string{
		"rtmp_addr", "rtmps_addr", "tls.cert_file", "tls.key_file", "auth.mode", "grace", "max_bitrate", "max_connections",
		"timeouts.handshake", "timeouts.publish", "timeouts.media", "timeouts.takeover", "timeouts.write",
	} {
		if !slices.ContainsFunc(lines, func(l string) bool {
			return strings.HasPrefix(l, "ingest."+key+": ") && strings.Contains(l, "must be")
		}) {
			t.Errorf("no line about %s in:\n%s", key, err)
		}
	}
}
