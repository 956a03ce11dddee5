package chat_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"barrage/chat"
)

func TestOrigins(t *testing.T) {
	some := start(t, setup{config: func(c *chat.Config) { c.AllowedOrigins = []string{"https://Fans.example"} }})
	all := start(t, setup{config: func(c *chat.Config) { c.AllowedOrigins = []string{"*"} }})
	for _, c := range []struct {
		origin    string
		some, all bool
	}{
		{"", true, true},
		{"http://" + "HOST", true, true},
		{"https://fans.example", true, true},
		{"https://fans.example.evil", false, true},
		{"https://evil.example", false, true},
		{"null", false, true},
	} {
		for n, want := range map[*node]bool{some: c.some, all: c.all} {
			header := http.Header{}
			if c.origin != "" {
				header.Set("Origin", strings.ReplaceAll(c.origin, "HOST", n.addr))
			}
			conn, status, err := n.connect(t, "live", header)
			if (err == nil) != want || err != nil && status != http.StatusForbidden {
				t.Errorf("origin %q: %v, %v, want allowed %v", c.origin, status, err, want)
			}
			if conn != nil {
				_ = conn.Close()
			}
		}
	}
}

func TestHTTP(t *testing.T) {
	n := start(t, setup{config: func(c *chat.Config) { c.AllowedOrigins = []string{"https://fans.example"} }})
	get := func(path, origin string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		n.hub.Handler().ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		path, code string
		status     int
	}{
		{"/chat/v1/rooms/Bad!/ws", "no_such_room", 404},
		{"/chat/v1/rooms/%2e%2e%2fetc/ws", "no_such_room", 404},
		{"/chat/v1/rooms/live/ws", "bad_handshake", 400},
		{"/chat/v1/nothing", "not_found", 404},
	} {
		w := get(c.path, "")
		var body struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != c.status || body.Error.Code != c.code || body.Error.Message == "" {
			t.Errorf("%s: %d %s, %v, want %d %s", c.path, w.Code, w.Body, err, c.status, c.code)
		}
	}
	if w := get("/chat/v1/rooms", ""); w.Code != 200 {
		t.Errorf("rooms: %d %s", w.Code, w.Body)
	}
	n.join(t, "zoo", nil)
	n.join(t, "live", nil)
	n.join(t, "live", nil)
	w := get("/chat/v1/rooms", "https://fans.example")
	if got, want := strings.TrimSpace(w.Body.String()), `{"rooms":[{"room":"live","viewers":2},{"room":"zoo","viewers":1}]}`; got != want {
		t.Errorf("rooms = %s, want %s", got, want)
	}
	if got := w.Header().Get("Access-Control-Allow-Origin"); got != "https://fans.example" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("allowed origin = %q, headers %v", got, w.Header())
	}
	if got := get("/chat/v1/rooms", "https://evil.example").Header().Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("evil origin echoed: %q", got)
	}
	n.stop()
	if w = get("/chat/v1/rooms/live/ws", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("after the stop: %d %s", w.Code, w.Body)
	}
}

func TestMetricNames(t *testing.T) {
	n := start(t, setup{})
	problems, err := testutil.GatherAndLint(n.reg)
	if err != nil || len(problems) != 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if got, err := testutil.GatherAndCount(n.reg, "barrage_chat_comments_rejected_total", "barrage_chat_closes_total"); err != nil || got != 22 {
		t.Errorf("%d labelled series at the start, %v, want 22 that read 0", got, err)
	}
}

func TestConfig(t *testing.T) {
	if err := chat.DefaultConfig().Validate(); err != nil {
		t.Errorf("default: %v", err)
	}
	for want, change := range map[string]func(*chat.Config){
		"chat.broker: nats: must be memory or redis": func(c *chat.Config) { c.Broker = "nats" },
		"chat.redis.url":                func(c *chat.Config) { c.Broker = "redis" },
		"chat.rate: 0/s":                func(c *chat.Config) { c.Rate = 0 },
		"chat.burst: 0":                 func(c *chat.Config) { c.Burst = 0 },
		"chat.tick_min: 2s":             func(c *chat.Config) { c.TickMin = 2 * time.Second },
		"chat.max_shown_per_second":     func(c *chat.Config) { c.MaxShownPerSecond = 0 },
		"chat.max_conns_per_addr":       func(c *chat.Config) { c.MaxConnsPerAddr = 0 },
		"chat.max_new_conns_per_second": func(c *chat.Config) { c.MaxNewConnsPerSecond = 0 },
		"chat.max_rooms":                func(c *chat.Config) { c.MaxRooms = -1 },
		"chat.allowed_origins: evil":    func(c *chat.Config) { c.AllowedOrigins = []string{"*", "http://a:80", "evil"} },
		"https://a/path":                func(c *chat.Config) { c.AllowedOrigins = []string{"https://a/path"} },
	} {
		c := chat.DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to name %q", err, want)
		}
	}
	if _, err := chat.New(chat.DefaultConfig(), chat.Options{}); err == nil {
		t.Error("New without a broker gives no error")
	}
}

func TestRate(t *testing.T) {
	for text, want := range map[string]chat.Rate{"1/s": 1, "30/m": 0.5, "2.5": 2.5, "0.5/s": 0.5} {
		var r chat.Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%q = %v, %v, want %v", text, r, err, want)
		}
		var back chat.Rate
		if b, err := r.MarshalText(); err != nil || back.UnmarshalText(b) != nil || back != r {
			t.Errorf("%q does not come back from %q", text, b)
		}
	}
	for _, text := range []string{"", "x/s", "1/h"} {
		if err := new(chat.Rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
