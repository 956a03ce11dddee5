package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"barrage/chat"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// local is the default configuration on ports of its own.
func local(t *testing.T) Config {
	t.Helper()
	cfg := DefaultConfig()
	cfg.StateDir = filepath.Join(t.TempDir(), "state")
	cfg.HTTP.Addr, cfg.Admin.Addr, cfg.Ingest.RTMPAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	return cfg
}

// start runs a server until the test ends.
func start(t *testing.T, cfg Config) *App {
	t.Helper()
	a, err := New(t.Context(), cfg, role{name: "serve", media: true, chat: true}, Build{Logger: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return a
}

// get returns the status and the body at url.
func get(t *testing.T, url, bearer string) (status int, body string) {
	t.Helper()
	return request(t, http.MethodGet, url, bearer, "")
}

func request(t *testing.T, method, url, bearer, content string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestServerAnswers(t *testing.T) {
	cfg := local(t)
	a := start(t, cfg)
	base, admin := "http://"+a.Addrs().HTTP, "http://"+a.Addrs().Admin
	state := []string{"-state-dir", cfg.StateDir}
	host := command1(t, append([]string{"token", "live", "-role", "host"}, state...)...)
	moderator := command1(t, append([]string{"token", "live", "-role", "moderator"}, state...)...)
	other := command1(t, append([]string{"token", "other", "-role", "host"}, state...)...)
	key := command1(t, append([]string{"key", "live"}, state...)...)
	for _, c := range []struct {
		url, bearer string
		status      int
		want        string
	}{
		{base + "/api/v1/rooms", "", 200, `{"rooms":[]}`},
		{base + "/api/v1/rooms/live", "", 200, `"phase":"offline"`},
		{base + "/api/v1/rooms/LIVE", "", 404, "no_such_room"},
		{base + "/api/v1/nothing", "", 404, "not_found"},
		{base + "/api/v1/rooms/live/publish", "", 401, "barrage token live"},
		{base + "/api/v1/rooms/live/publish", "nonsense", 401, "bad_token"},
		{base + "/api/v1/rooms/live/publish", moderator, 403, "forbidden"},
		{base + "/api/v1/rooms/live/publish", other, 403, "forbidden"},
		{base + "/api/v1/rooms/live/publish", host, 200, key},
		{base + "/api/v1/rooms/live/ingest", moderator, 200, `"connected":false`},
		{base + "/chat/v1/rooms", "", 200, `"rooms":[]`},
		{base + "/hls/live/index.m3u8", "", 404, ""},
		{admin + "/healthz", "", 200, "alive"},
		{admin + "/readyz", "", 200, `"ready":true`},
		{admin + "/metrics", "", 200, `barrage_build_info{role="serve",version="test"} 1`},
		{admin + "/debug/pprof/", "", 200, "goroutine"},
	} {
		status, body := get(t, c.url, c.bearer)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("GET %s = %d %s, want %d with %q", c.url, status, body, c.status, c.want)
		}
	}
	problems, err := testutil.GatherAndLint(a.metrics)
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "barrage_") {
			t.Errorf("metric %s: %s", p.Metric, p.Text)
		}
	}
}

func TestNotReadyWithoutStateDir(t *testing.T) {
	cfg := local(t)
	a := start(t, cfg)
	if err := os.RemoveAll(cfg.StateDir); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.adminHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "state_dir") {
		t.Errorf("readyz = %d %s, want 503 that names state_dir", w.Code, w.Body)
	}
	if h := w.Result().Header; !strings.HasPrefix(h.Get("Content-Type"), "application/json") || h.Get("Cache-Control") != "no-store" {
		t.Errorf("readyz: headers %v, want JSON that nobody caches", h)
	}
}

// An alert on a metric that nobody exports never fires.
func TestDocumentedMetricsExist(t *testing.T) {
	cfg := local(t)
	cfg.Ingest.RTMPSAddr, cfg.Ingest.TLS = "127.0.0.1:0", selfSigned(t, "live.example.org")
	a := start(t, cfg)
	families, err := a.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, f := range families {
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			known[f.GetName()+suffix] = true
		}
	}
	const root = "../../../"
	for _, path := range []string{"README.md", "deploy/alerts.yml"} {
		text, err := os.ReadFile(root + path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`barrage_[a-z_]*[a-z]_[a-z_]*[a-z]\b`).FindAllString(string(text), -1) {
			if !known[name] {
				t.Errorf("%s names %s, which is not exported", path, name)
			}
		}
	}
}

func TestProfilesAreForLoopback(t *testing.T) {
	reached := false
	h := loopbackOnly(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	for addr, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "192.0.2.1:1": false, "": false} {
		reached = false
		w := newRecorder()
		h.ServeHTTP(w, &http.Request{RemoteAddr: addr})
		if reached != want {
			t.Errorf("from %q reached = %v, want %v", addr, reached, want)
		}
	}
}

func TestTakenPortSaysWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a local address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for key, set := range map[string]func(*Config){
		"http.addr":        func(c *Config) { c.HTTP.Addr = taken.Addr().String() },
		"admin.addr":       func(c *Config) { c.Admin.Addr = taken.Addr().String() },
		"ingest.rtmp_addr": func(c *Config) { c.Ingest.RTMPAddr = taken.Addr().String() },
		"ingest.rtmps_addr": func(c *Config) {
			c.Ingest.RTMPSAddr, c.Ingest.TLS = taken.Addr().String(), selfSigned(t, "x.example")
		},
		"http.tls_addr": func(c *Config) {
			c.HTTP, c.HTTP.TLSAddr = secured(t, "x.example").HTTP, taken.Addr().String()
		},
	} {
		cfg := local(t)
		set(&cfg)
		_, err := New(t.Context(), cfg, role{name: "serve", media: true, chat: true}, Build{Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "is taken by another program") || !strings.Contains(err.Error(), envName(key)) {
			t.Errorf("%s: %v, want advice that names %s", key, err, envName(key))
		}
		if exitCode(err) != exitRuntime {
			t.Errorf("%s: exit code %d, want %d", key, exitCode(err), exitRuntime)
		}
	}
}

// Two servers on one state directory would give the same numbers to different media.
func TestStateDirIsForOne(t *testing.T) {
	cfg := local(t)
	both, chatting := role{name: "serve", media: true, chat: true}, role{name: "chat", chat: true}
	build := Build{Logger: slog.New(slog.DiscardHandler)}
	first, err := New(t.Context(), cfg, both, build)
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(t.Context(), cfg, both, build)
	if err == nil || !strings.Contains(err.Error(), cfg.StateDir+" is in use by another server") || !strings.Contains(err.Error(), "BARRAGE_STATE_DIR") {
		t.Errorf("the second server: %v, want advice", err)
	}
	if exitCode(err) != exitCantCreate {
		t.Errorf("exit code %d, want %d: the other may be stopping", exitCode(err), exitCantCreate)
	}
	// The other half of a server may share the directory: it has no sessions, and its
	// comments are in Redis, whether that answers or not.
	half := cfg
	half.Chat.Broker, half.Chat.Redis.URL = chat.BrokerRedis, "redis://127.0.0.1:1"
	beside, err := New(t.Context(), half, chatting, build)
	if err != nil {
		t.Fatal(err)
	}
	third, err := New(t.Context(), half, chatting, build)
	if err != nil {
		t.Fatal(err)
	}
	for _, spool := range []string{"1", "2"} {
		if _, err = os.Stat(filepath.Join(cfg.StateDir, "chat", "spool", spool, ".lock")); err != nil {
			t.Errorf("a chat node has no spool of its own: %v", err)
		}
	}
	err = errors.Join(third.lifecycle.stop(t.Context()), beside.lifecycle.stop(t.Context()), first.lifecycle.stop(t.Context()))
	last, bad := New(t.Context(), cfg, both, build)
	if err = errors.Join(err, bad); err != nil {
		t.Fatalf("after the first has stopped: %v", err)
	}
	if err := last.lifecycle.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBannerIsEnoughToGoLive(t *testing.T) {
	cfg := local(t)
	a := start(t, cfg)
	var out bytes.Buffer
	if err := a.banner(&out); err != nil {
		t.Fatal(err)
	}
	key := command1(t, "key", "live", "-state-dir", cfg.StateDir)
	for _, want := range []string{"rtmp://" + a.Addrs().RTMP + "/live", key, "/r/live", "/studio/live#token="} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("banner lacks %q:\n%s", want, out.String())
		}
	}
}

func TestAddrsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "addrs")
	want := Addrs{HTTP: "127.0.0.1:1", Admin: "127.0.0.1:2"}
	if err := writeAddrs(path, want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	var got Addrs
	if err = errors.Join(err, json.Unmarshal(text, &got)); err != nil || got != want {
		t.Errorf("got %s %v, want %+v", text, err, want)
	}
	if err = writeAddrs(filepath.Join(path, "x"), want); err == nil {
		t.Error("a file below a file: no error")
	}
}

func TestReloadKeepsWhatABadFileHad(t *testing.T) {
	a := &App{logger: slog.New(slog.DiscardHandler)}
	var level slog.LevelVar
	a.reload(&level, func() (Config, error) { return Config{}, errBroken })
	if level.Level() != slog.LevelInfo {
		t.Errorf("level after a bad file = %v", level.Level())
	}
	a.reload(&level, func() (Config, error) { return Config{Log: LogConfig{Level: "debug"}}, nil })
	if level.Level() != slog.LevelDebug {
		t.Errorf("level after a good file = %v, want debug", level.Level())
	}
}
