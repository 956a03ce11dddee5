package origin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"barrage/internal/safehttp"
	"barrage/packager"
	"barrage/packager/origin"
)

// street is a site whose server has a lane.
type street struct {
	*site
	server *http.Server
	lane   *origin.Lane
	passed atomic.Int64 // connections that the server got
	ended  chan error
}

// build opens a site with a lane; change may alter the server before it starts.
func build(t *testing.T, opts origin.Options, change func(*http.Server)) *street {
	t.Helper()
	cfg := packager.DefaultConfig()
	cfg.SegmentDuration, cfg.PartDuration = time.Second, 200*time.Millisecond // a look after the client every 600 ms
	s := &street{site: openAs(t, opts, cfg, 2000), ended: make(chan error, 1)}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/hls/", s.handler)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, "%s of %s", r.URL.Path, r.Proto) })
	s.server = safehttp.Server(mux)
	if change != nil {
		change(s.server)
	}
	s.server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.passed.Add(1)
		}
	}
	s.lane = s.handler.NewLane(listener, s.server)
	go func() { s.ended <- s.server.Serve(s.lane) }()
	t.Cleanup(func() {
		if err := errors.Join(s.server.Shutdown(context.Background()), s.lane.Shutdown(context.Background())); err != nil {
			t.Error(err)
		}
		if err := <-s.ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return s
}

// client is one connection.
type client struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func (s *street) dial(t *testing.T) *client {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.lane.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{conn, t, bufio.NewReader(conn)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read(method string) answer {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// ends says that the server closes the connection without another byte.
func (c *client) ends() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.in); n != 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		c.t.Errorf("%d bytes and %v, want the end", n, err)
	}
}

func get(path string, fields ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")
}

// Whoever answers, the answer is the same.
func TestLaneAnswersAlike(t *testing.T) {
	s := build(t, origin.Options{}, nil)
	lane := s.dial(t)
	for _, want := range [][]string{
		{"/hls/live/index.m3u8"},
		{"/hls/live/index.m3u8", "Accept-Encoding: gzip"},
		{"/hls/none/index.m3u8"},
		{"/hls/"},
		{s.base + "v0.m3u8"},
		{s.base + "v0.m3u8?_HLS_msn=4&_HLS_part=0", "Accept-Encoding: br, gzip;q=0.5"},
		{s.base + "v0.m3u8?_HLS_skip=YES"},
		{s.base + "v0.m3u8?_HLS_msn=500"},
		{s.base + "v0.m3u8?_HLS_part=%31"},
		{s.base + "v0.m3u9"},
		{s.base + "v0/init-1.mp4"},
		{s.base + "v0/s1.m4s"},
		{s.base + "a0/p3.m4s"},
		{s.base + "v0/p900.m4s"},
		{s.base + "v0/s1.m4s", "Range: bytes=5-9"},
		{s.base + "v0/s1.m4s", "Range: bytes=-20000"},
		{s.base + "v0/s1.m4s", "Range: bytes=900000000-"},
		{s.base + "v0/s1.m4s", "Range: bytes=1-2,4-5", "Accept: */*", "Origin: https://elsewhere.example", "CMCD-Session: sid=\"1\""},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			head := strings.Replace(get(want[0], want[1:]...), "GET", method, 1)
			lane.send(head)
			ours := lane.read(method)
			other := s.dial(t)
			other.send(strings.Replace(head, "HTTP/1.1\r\n", "HTTP/1.1\r\nExpect: \r\n", 1))
			theirs := other.read(method)
			for _, h := range []http.Header{ours.header, theirs.header} {
				if _, err := http.ParseTime(h.Get("Date")); err != nil {
					t.Error(method, want, err)
				}
				h.Del("Date")
			}
			if ours.status != theirs.status || ours.body != theirs.body || !maps.EqualFunc(ours.header, theirs.header, slices.Equal) {
				t.Errorf("%s %s:\nlane     %d %v, %d bytes\nnet/http %d %v, %d bytes",
					method, want, ours.status, ours.header, len(ours.body), theirs.status, theirs.header, len(theirs.body))
			}
		}
	}
	if n := s.passed.Load(); n != 36 {
		t.Errorf("the server got %d connections, want one for each comparison", n)
	}
}

// Everything else gets its answer from the server, on the same connection.
func TestLaneHandsOver(t *testing.T) {
	s := build(t, origin.Options{}, nil)
	index := "/hls/live/index.m3u8"
	for name, c := range map[string]struct {
		send   string
		status int
	}{
		"the page":           {get("/"), 200},
		"a preflight":        {strings.Replace(get(index), "GET", "OPTIONS", 1), 204},
		"a post":             {"POST " + index + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 405},
		"a body after a get": {get(index, "Content-Length: 2") + "hi", 200},
		"chunks":             {get(index, "Transfer-Encoding: chunked") + "0\r\n\r\n", 200},
		"an escape":          {get("/hls/li%76e/index.m3u8"), 200},
		"a way up":           {get("/hls/x/../live/index.m3u8"), 307},
		"a long head":        {get(index, "Cookie: "+strings.Repeat("x", 5000)), 200},
		"no host":            {"GET " + index + " HTTP/1.1\r\n\r\n", 400},
		"nonsense":           {"hello, this is no request\r\n\r\n", 400},
		"a folded line":      {get(index, "Range: bytes=0-1", " x"), 200},
	} {
		client := s.dial(t)
		client.send(get(index)) // served here
		if first := client.read(http.MethodGet); first.status != 200 {
			t.Errorf("%s: %d before it", name, first.status)
		}
		before := s.passed.Load()
		client.send(c.send)
		if a := client.read(http.MethodGet); a.status != c.status || s.passed.Load() != before+1 {
			t.Errorf("%s = %d and %d handed over, want %d and 1", name, a.status, s.passed.Load()-before, c.status)
		}
	}
	old := s.dial(t)
	old.send("GET " + index + " HTTP/1.0\r\n\r\n")
	if a := old.read(http.MethodGet); a.status != 200 {
		t.Errorf("HTTP/1.0: %d", a.status)
	}
	old.ends()
}

// A head that comes in pieces, and several that come at once.
func TestLanePieces(t *testing.T) {
	s := build(t, origin.Options{}, nil)
	c := s.dial(t)
	c.send(get("/hls/live/index.m3u8") + get(s.base+"v0/init-1.mp4") + get("/first") + get("/second"))
	for _, want := range []string{"#EXTM3U", "\x00\x00\x00", "/first of HTTP/1.1", "/second of HTTP/1.1"} {
		if a := c.read(http.MethodGet); !strings.HasPrefix(a.body, want) {
			t.Errorf("%.40q, want %q", a.body, want)
		}
	}
	slow := s.dial(t)
	slow.send("GET /hls/live/index.m3u8 HT")
	eventually(t, "the rest is awaited by the server", func() bool { return s.passed.Load() == 2 })
	slow.send("TP/1.1\r\nHost: a\r\n\r\n")
	if a := slow.read(http.MethodGet); a.status != 200 {
		t.Errorf("in two pieces: %d", a.status)
	}
}

// HTTP/2 begins with a connection: no proxy that forwards what its client made up gets
// other frames than it has asked for.
func TestLanePreface(t *testing.T) {
	s := build(t, origin.Options{}, nil)
	preface := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	first := s.dial(t)
	first.send(preface)
	settings := make([]byte, 9)
	if _, err := io.ReadFull(first.in, settings); err != nil || settings[3] != 4 {
		t.Errorf("at the beginning: %x %v, want SETTINGS", settings, err)
	}
	for _, text := range []string{preface, "PRI"} {
		later := s.dial(t)
		later.send(get("/hls/live/index.m3u8"))
		later.read(http.MethodGet)
		later.send(text)
		later.ends()
	}
}

// eventually asks again and again.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for begun := time.Now(); !done(); <-again.C {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("never: " + what)
		}
	}
}

// A reload waits without a reader, and still its place is free when the client leaves.
func TestLaneWaits(t *testing.T) {
	s := build(t, origin.Options{}, nil)
	c := s.dial(t)
	number := lastPart(s)
	for range 3 {
		number++
		c.send(get(fmt.Sprintf("%sv0/p%d.m4s", s.base, number)))
		eventually(t, "it waits", func() bool { return waiting(t, s.site) == 1 })
		s.feed(6)
		if a := c.read(http.MethodGet); a.status != 200 || len(a.body) < 6*2000 {
			t.Errorf("part %d: %d, %d bytes", number, a.status, len(a.body))
		}
	}
	c.send(get(fmt.Sprintf("%sv0/p%d.m4s", s.base, number+1)))
	eventually(t, "it waits", func() bool { return waiting(t, s.site) == 1 })
	c.Close()
	eventually(t, "its place is free", func() bool { return waiting(t, s.site) == 0 })
}

// lastPart is the number of the newest part.
func lastPart(s *street) (n int) {
	_, hint, _ := strings.Cut(s.get(s.base+"v0.m3u8").body, `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="v0/p`)
	if _, err := fmt.Sscanf(hint, "%d", &n); err != nil {
		s.t.Fatal(err)
	}
	return n - 1
}

// Who asks for nothing, or takes nothing, is closed when the server would close it.
func TestLaneTimeouts(t *testing.T) {
	t.Run("nothing asked", func(t *testing.T) {
		s := build(t, origin.Options{}, func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond })
		s.dial(t).ends()
	})
	t.Run("nothing more asked", func(t *testing.T) {
		s := build(t, origin.Options{}, func(s *http.Server) { s.IdleTimeout = 50 * time.Millisecond })
		c := s.dial(t)
		c.send(get("/hls/live/index.m3u8"))
		c.read(http.MethodGet)
		c.ends()
	})
	t.Run("what was waited for", func(t *testing.T) { // is no slow client's fault
		s := build(t, origin.Options{}, func(s *http.Server) { s.WriteTimeout, s.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond })
		c := s.dial(t)
		begun := time.Now()
		c.send(get(fmt.Sprintf("%sv0/p%d.m4s", s.base, lastPart(s)+1)))
		eventually(t, "longer than the timeouts", func() bool { return time.Since(begun) > 300*time.Millisecond })
		s.feed(6)
		c.read(http.MethodGet)
		c.send(get("/hls/live/index.m3u8"))
		c.read(http.MethodGet)
	})
	t.Run("nothing taken", func(t *testing.T) {
		s := build(t, origin.Options{}, func(s *http.Server) { s.WriteTimeout = 200 * time.Millisecond })
		c := s.dial(t)
		all := strings.Repeat(get(s.base+"v0/s1.m4s"), 100)
		var err error
		for err == nil { // until the server closes with requests unread
			_, err = io.WriteString(c.Conn, all)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a client that takes nothing stays")
		}
	})
}

// The stop lets answers end, says so in them, and closes who asks for nothing.
func TestLaneStops(t *testing.T) {
	s := build(t, origin.Options{}, nil)
	idle, waits, late := s.dial(t), s.dial(t), s.dial(t)
	idle.send(get("/hls/live/index.m3u8"))
	idle.read(http.MethodGet)
	late.send(get("/hls/live/index.m3u8"))
	late.read(http.MethodGet)
	next := lastPart(s) + 1
	waits.send(get(fmt.Sprintf("%sv0/p%d.m4s", s.base, next)))
	eventually(t, "it waits", func() bool { return waiting(t, s.site) == 1 })
	stopped := make(chan error, 1)
	go func() {
		stopped <- errors.Join(s.server.Shutdown(t.Context()), s.lane.Shutdown(t.Context()))
	}()
	idle.ends()
	late.ends()
	s.feed(6)
	if a, err := io.ReadAll(waits.in); err != nil || !strings.HasPrefix(string(a), "HTTP/1.1 200 OK\r\n") || !strings.Contains(string(a), "\r\nConnection: close\r\n") {
		t.Errorf("%.400q %v", a, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.lane.Addr().String()); err == nil {
		t.Error("still accepting")
	}
}

// Who came a moment before the stop is closed as well, and whoever asks for nothing as
// soon as the server begins to stop, which may have slow answers of its own.
func TestLaneStopsWhoHasJustCome(t *testing.T) {
	for range 10 {
		s := build(t, origin.Options{}, func(s *http.Server) { s.ReadHeaderTimeout = time.Minute })
		slow := s.dial(t)
		slow.send("GET /hls/l")
		eventually(t, "the server has one", func() bool { return s.passed.Load() == 1 })
		clients := make([]*client, 20)
		for i := range clients {
			clients[i] = s.dial(t)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- errors.Join(s.server.Shutdown(ctx), s.lane.Shutdown(ctx)) }()
		for _, c := range clients {
			c.ends()
		}
		cancel()
		if err := <-stopped; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		slow.Close()
	}
}

// Who has not ended when the time is up is closed.
func TestLaneStopIsBounded(t *testing.T) {
	s := build(t, origin.Options{}, nil)
	c := s.dial(t)
	c.send(get(fmt.Sprintf("%sv0/p%d.m4s", s.base, lastPart(s)+1)))
	eventually(t, "it waits", func() bool { return waiting(t, s.site) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := errors.Join(s.server.Shutdown(ctx), s.lane.Shutdown(ctx)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	c.ends()
}

// An answer that fails ends its connection and no other; who asks through a proxy is
// told apart by what the proxy says.
func TestLaneAddresses(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	s := build(t, origin.Options{ClientAddr: func(r *http.Request) netip.Addr {
		mu.Lock()
		defer mu.Unlock()
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		from := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
		seen[host+" "+from] = true
		if from == "192.0.2.66" {
			panic("what a bug does")
		}
		return netip.Addr{}
	}}, nil)
	c := s.dial(t)
	c.send(get("/hls/live/index.m3u8", "X-Forwarded-For: 192.0.2.1, 192.0.2.2", "X-Forwarded-For: 192.0.2.3"))
	c.read(http.MethodGet)
	bad := s.dial(t)
	bad.send(get("/hls/live/index.m3u8", "X-Forwarded-For: 192.0.2.66"))
	bad.ends()
	c.send(get("/hls/live/index.m3u8"))
	c.read(http.MethodGet)
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"127.0.0.1 192.0.2.1, 192.0.2.2,192.0.2.3", "127.0.0.1 192.0.2.66", "127.0.0.1 "} {
		if !seen[want] {
			t.Errorf("never asked for the address behind %q: %v", want, seen)
		}
	}
}
