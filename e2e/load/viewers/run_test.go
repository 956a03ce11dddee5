//go:build load && linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"barrage/ingest"
	"barrage/packager"
	"barrage/packager/origin"
)

// serve runs barrage from RTMP to HLS.
func serve(t *testing.T) (rtmp, index string) {
	t.Helper()
	cfg := packager.DefaultConfig()
	cfg.SegmentDuration, cfg.PartDuration = time.Second, 200*time.Millisecond
	rooms, err := packager.New(cfg, packager.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := ingest.DefaultConfig()
	in.RTMPAddr, in.Auth.Mode = "127.0.0.1:0", ingest.AuthOpen
	s, err := ingest.New(in, ingest.Options{Attach: func(room string) (ingest.Sink, error) { return rooms.Attach(room) }})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := origin.New(rooms, origin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return s.Addr().String(), server.URL + "/hls/live/index.m3u8"
}

// TestAgainstBarrage: every mode against the real server, while mode latency publishes.
func TestAgainstBarrage(t *testing.T) {
	rtmp, index := serve(t)
	common := settings{
		url: index, http: "1.1", n: 4, dur: 3 * time.Second, ramp: 200 * time.Millisecond, settle: 4 * time.Second,
		pid: strconv.Itoa(os.Getpid()), publish: publication{rtmp, "../encoder/testdata/show.flv", "live"},
	}
	latency := make(chan error, 1)
	go func() {
		s := common
		s.mode, s.n, s.dur = modeLatency, 1, 12*time.Second
		r, err := run(t.Context(), s)
		if err == nil {
			named(t, r, "video part arrived, after its youngest frame was sent")
		}
		latency <- err
	}()
	for _, c := range []struct {
		mode, http string
		kind       kind
		least      int64 // of 4 viewers in 3 s
	}{{modeLow, "1.1", kindPart, 50}, {modePlain, "2", kindSegment, 4}, {modeBlocked, "1.1", kindBlocked, 4}} {
		t.Run(c.mode, func(t *testing.T) {
			s := common
			s.mode, s.http = c.mode, c.http
			if c.mode != modeLow {
				s.settle = time.Second
			}
			r, err := run(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if r.Watching != 4 || r.Requests[c.kind.String()] < c.least || r.Bytes == 0 || len(r.Errors) > 0 || r.Server.RSS == 0 {
				t.Errorf("%+v, before: %d", r, r.StallsBefore)
			}
			if c.mode == modeBlocked {
				if b := r.Blocked; b.Rounds == 0 || len(b.LastMillis) != b.Rounds || b.free < 0 || b.free.Seconds() > r.Server.CPUSeconds {
					t.Errorf("blocked: %+v", b)
				}
				named(t, r, "released, after the first")
			}
		})
	}
	if err := <-latency; err != nil {
		t.Error(err)
	}
}

func named(t *testing.T, r *report, name string) {
	t.Helper()
	for _, timing := range r.Times {
		if timing.Name == name && timing.Count > 0 && timing.P99 < 2000 {
			return
		}
	}
	t.Errorf("no %q in %+v", name, r.Times)
}

func TestReport(t *testing.T) {
	var seen tally
	seen.clear()
	seen.count(&arrival{order: order{kind: kindPart, asked: time.Now()}, done: time.Now().Add(time.Second), status: 200, size: 5e8})
	seen.count(&arrival{order: order{kind: kindBlocked}, status: 503})
	seen.stall(7, 2*time.Second)
	seen.stall(7, time.Second)
	r := &report{Mode: modeLow, HTTP: "2", Viewers: 9, Watching: 8}
	r.sum(&seen)
	m, err := begin(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	m.at = m.at.Add(-time.Minute)
	if err = m.end(r); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	r.print(&text)
	for _, want := range []string{"8 of 9 viewers for 60.0 s: 1 stalled 2 times for 3.0 s", "p50   1000.0", "error: blocked: 503, 1 times", "server    0.0"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if b, err := json.Marshal(r); err != nil || !bytes.Contains(b, []byte(`"requests":{"blocked":1,"part":1},"bytes":500000000`)) {
		t.Errorf("%s, %v", b, err)
	}
	if r.clean() || !(&report{}).clean() {
		t.Error("clean is said of the wrong one")
	}
}

func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(file, []byte("42\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"": 0, "17": 17, file: 42} {
		if got, err := parsePID(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	good := settings{url: "http://127.0.0.1:1/", http: "1.1", mode: modeLow, n: 1}
	for name, change := range map[string]func(*settings){
		"url": func(s *settings) { s.url = "http://a b/" }, "pid": func(s *settings) { s.pid = "/no/such/file" },
		"mode": func(s *settings) { s.mode = "dvr" }, "http": func(s *settings) { s.http = "0.9" }, "nobody": func(s *settings) { s.n = 0 },
		"files": func(s *settings) { s.n = 5000 }, "flv": func(s *settings) { s.mode = modeLatency },
		"nobody listens": func(s *settings) { s.mode = modeBlocked },
	} {
		s := good
		change(&s)
		if _, err := run(t.Context(), s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestMarks: the last complete mark counts, and only marks.
func TestMarks(t *testing.T) {
	var c clock
	now := time.Now()
	first, second := c.mark(3, now), c.mark(remembered+4, now.Add(time.Second))
	for text, want := range map[string]time.Time{
		string(first) + "x" + string(second): now.Add(time.Second), "moof" + string(first): now,
		"no mark": {}, string(second[:12]): {}, markText + "abcdefgh": {},
	} {
		if got, ok := c.youngest([]byte(text)); ok == want.IsZero() || ok && !got.Equal(want) {
			t.Errorf("%q: %v %v, want %v", text, got, ok, want)
		}
	}
}
