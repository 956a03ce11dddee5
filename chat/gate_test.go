package chat_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"barrage/chat"
	"barrage/internal/safehttp"
)

// TestStorm has a whole audience come back in one moment, each doing what it is told.
func TestStorm(t *testing.T) {
	const crowd, perSecond = 600, 50
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{pipes: true, config: func(c *chat.Config) {
			c.MaxNewConnsPerSecond, c.MaxConnsPerAddr = perSecond, 2*crowd
		}})
		begin := time.Now()
		var mu sync.Mutex
		var all sync.WaitGroup
		tries, perTick := 0, make(map[int]int)
		for range crowd {
			all.Go(func() {
				for {
					mu.Lock()
					tries++
					mu.Unlock()
					wait := n.knock(t)
					if wait == 0 {
						break
					}
					time.Sleep(wait) //nolint:forbidigo // fake time
				}
				mu.Lock()
				perTick[int(time.Since(begin).Seconds())]++
				mu.Unlock()
			})
		}
		all.Wait()
		if took := time.Since(begin); took > 2*crowd/perSecond*time.Second {
			t.Errorf("all are in after %v, want about %d s", took, crowd/perSecond)
		}
		for second, came := range perTick {
			if came > perSecond*3/2 {
				t.Errorf("%d in second %d, want about %d", came, second, perSecond)
			}
		}
		if tries > 4*crowd {
			t.Errorf("%d tries for %d people", tries, crowd)
		}
		t.Logf("%d people, %d tries, %v", crowd, tries, time.Since(begin))
	})
}

// knock joins and stays, or returns what it is told to wait.
func (n *node) knock(t *testing.T) time.Duration {
	t.Helper()
	conn, _, err := n.connect(t, "live", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	p := watch(t, conn)
	_ = conn.WriteJSON(map[string]any{"op": "hello"}) // fails when it was said goodbye
	select {
	case <-p.done:
	case <-p.heard("welcome"):
		return 0
	}
	bye, code := p.end()
	if code != 4009 || bye.Reason != "busy" || bye.RetryMS <= 0 || bye.RetryMS > 32_000 {
		t.Errorf("closed with %d, bye = %+v", code, bye)
	}
	return time.Duration(bye.RetryMS) * time.Millisecond
}

// heard is closed when the page has been told op.
func (p *page) heard(op string) <-chan struct{} {
	found := make(chan struct{})
	go func() {
		for {
			p.mu.Lock()
			news := p.news
			for _, m := range p.got {
				if m.Op == op {
					p.mu.Unlock()
					close(found)
					return
				}
			}
			p.mu.Unlock()
			select {
			case <-news:
			case <-p.done:
				return
			}
		}
	}()
	return found
}

// TestNoTurnsLeft: nobody is asked to wait for longer than half a minute.
func TestNoTurnsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{pipes: true, config: func(c *chat.Config) { c.MaxNewConnsPerSecond = 1 }})
		byes, refused := 0, 0
		for range 40 {
			switch conn, status, err := n.connect(t, "live", nil); {
			case err == nil:
				byes++
				_ = conn.Close()
			case status == http.StatusServiceUnavailable:
				refused++
			default:
				t.Errorf("%d, %v", status, err)
			}
		}
		if byes != 31 || refused != 9 {
			t.Errorf("one and %d turns given, %d refused, want 30 turns of a second", byes-1, refused)
		}
	})
}

// TestFull asks the process whether there is place.
func TestFull(t *testing.T) {
	n := start(t, setup{full: func() error { return errors.New("no files left") }})
	w := httptest.NewRecorder()
	n.hub.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/chat/v1/rooms/live/ws", nil))
	if after, err := strconv.Atoi(w.Header().Get("Retry-After")); w.Code != http.StatusServiceUnavailable || err != nil || after < 1 || after > 30 || w.Header().Get("Connection") != "close" {
		t.Errorf("answer = %d %v %s", w.Code, w.Header(), w.Body)
	}
}

// TestForwardedAddress bounds the connections of an address that only a trusted
// proxy can name.
func TestForwardedAddress(t *testing.T) {
	for _, c := range []struct {
		what, trusted string
		forwarded     func(i int) string
		want          int // of 4 connections
	}{
		{"a stranger names himself anew each time", "10.0.0.0/8", func(i int) string { return "198.51.100." + strconv.Itoa(i) }, 2},
		{"four people behind a proxy", "127.0.0.1", func(i int) string { return "198.51.100." + strconv.Itoa(i) }, 4},
		{"one person behind a proxy", "127.0.0.1", func(int) string { return "198.51.100.7" }, 2},
		{"who lies to the proxy", "127.0.0.1", func(i int) string { return "8.8.8." + strconv.Itoa(i) + ", 198.51.100.7" }, 2},
		{"one household of IPv6", "127.0.0.1", func(i int) string { return "2001:db8:0:1::" + strconv.Itoa(i+1) }, 2},
		{"four households", "127.0.0.1", func(i int) string { return "2001:db8:0:" + strconv.Itoa(i+1) + "::1" }, 4},
	} {
		t.Run(c.what, func(t *testing.T) {
			trusted, err := safehttp.ParsePrefixes([]string{c.trusted})
			if err != nil {
				t.Fatal(err)
			}
			n := start(t, setup{addr: safehttp.NewClients(trusted).Addr, config: func(c *chat.Config) { c.MaxConnsPerAddr = 2 }})
			in := 0
			for i := range 4 {
				conn, status, err := n.connect(t, "live", http.Header{"X-Forwarded-For": {c.forwarded(i)}})
				if err == nil {
					in++
					watch(t, conn)
				} else if status != http.StatusTooManyRequests {
					t.Errorf("%d, %v", status, err)
				}
			}
			if in != c.want {
				t.Errorf("%d of 4 are in, want %d", in, c.want)
			}
		})
	}
}
