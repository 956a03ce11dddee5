//go:build load && linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// site answers what a path asks for, and remembers who asked.
type site struct {
	mu      sync.Mutex
	peers   map[string]bool // address and port
	proto   string
	release chan struct{}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.peers[r.RemoteAddr], s.proto = true, r.Proto
	s.mu.Unlock()
	switch r.URL.Path {
	case "/playlist":
		_, _ = io.WriteString(w, "list of "+r.URL.RawQuery+" for "+r.Header.Get("Accept-Encoding"))
	case "/media":
		body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body)
	case "/blocked":
		<-s.release
		w.Header().Set("Content-Length", "0")
	case "/bye":
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Length", "0")
	case "/endless":
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "no length")
	default:
		http.Error(w, "not here", http.StatusNotFound)
	}
}

// each runs a test over every transport.
func each(t *testing.T, test func(*testing.T, *site, transport)) {
	t.Helper()
	for _, name := range []string{"1.1", "2", "2 over TLS"} {
		t.Run(name, func(t *testing.T) {
			s := &site{peers: map[string]bool{}, release: make(chan struct{})}
			server := httptest.NewUnstartedServer(s)
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetHTTP1(name == "1.1")
			server.Config.Protocols.SetHTTP2(name == "2 over TLS")
			server.Config.Protocols.SetUnencryptedHTTP2(name == "2")
			if name == "2 over TLS" {
				server.EnableHTTP2 = true
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			version, _, _ := strings.Cut(name, " ")
			net, err := dialTransport(settings{http: version}, parseURL(t, server.URL))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(net.close)
			test(t, s, net)
		})
	}
}

// collect waits for n arrivals; bodies are copied.
func collect(t *testing.T, net transport, n int) map[string]arrival {
	t.Helper()
	came := map[string]arrival{}
	for end := time.Now().Add(20 * time.Second); n > 0; {
		for _, a := range net.wait(time.Second) {
			a.body = bytes.Clone(a.body)
			came[fmt.Sprintf("%d %d %s", a.viewer, a.slot, a.path)] = a
			n--
		}
		if time.Now().After(end) {
			t.Fatalf("%d answers are missing; came: %v", n, came)
		}
	}
	return came
}

func TestTransports(t *testing.T) {
	each(t, func(t *testing.T, s *site, way transport) {
		t.Helper()
		now := time.Now()
		for viewer := range 3 {
			way.send(order{viewer: viewer, kind: kindPlaylist, path: "/playlist?a=b", asked: now})
			way.send(order{viewer: viewer, slot: 1, kind: kindPart, path: "/media", asked: now})
			way.send(order{viewer: viewer, slot: 1, kind: kindPart, path: "/nothing", asked: now})
		}
		came := collect(t, way, 9)
		for viewer := range 3 {
			list, media, missing := came[fmt.Sprint(viewer, " 0 /playlist?a=b")], came[fmt.Sprint(viewer, " 1 /media")], came[fmt.Sprint(viewer, " 1 /nothing")]
			if list.err != nil || list.status != 200 || string(list.body) != "list of a=b for gzip" || list.size != int64(len(list.body)) {
				t.Errorf("playlist: %d %q %v", list.status, list.body, list.err)
			}
			if media.err != nil || media.size != 1<<20 || len(media.body) > 0 || !media.done.After(now) {
				t.Errorf("media: %d bytes, %d kept, %v", media.size, len(media.body), media.err)
			}
			if missing.err != nil || missing.status != 404 {
				t.Errorf("what is not there: %d %v", missing.status, missing.err)
			}
		}
		hosts := map[string]bool{}
		s.mu.Lock()
		for peer := range s.peers {
			host, _, _ := net.SplitHostPort(peer)
			hosts[host] = true
		}
		s.mu.Unlock()
		if len(hosts) != 3 || !hosts["127.2.0.1"] {
			t.Errorf("3 viewers come from %v", hosts)
		}
	})
}

// TestWaitEndsInTime: nothing came, or something waits on the server.
func TestWaitEndsInTime(t *testing.T) {
	each(t, func(t *testing.T, s *site, way transport) {
		t.Helper()
		if came := way.wait(time.Millisecond); len(came) != 0 {
			t.Errorf("%v came from nowhere", came)
		}
		way.send(order{kind: kindBlocked, path: "/blocked", asked: time.Now()})
		if came := way.wait(50 * time.Millisecond); len(came) != 0 {
			t.Errorf("%v was released early", came)
		}
		close(s.release)
		if a := collect(t, way, 1)["0 0 /blocked"]; a.err != nil || a.status != 200 {
			t.Errorf("released: %d %v", a.status, a.err)
		}
	})
}

// TestRefused: nobody listens.
func TestRefused(t *testing.T) {
	for _, http := range []string{"1.1", "2"} {
		listener, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // closed at once
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close()
		net, err := dialTransport(settings{http: http}, parseURL(t, "http://"+listener.Addr().String()))
		if err != nil {
			t.Fatal(err)
		}
		net.send(order{kind: kindPlaylist, path: "/", asked: time.Now()})
		if a := collect(t, net, 1)["0 0 /"]; !errors.Is(a.err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v, want connection refused", http, a.err)
		}
		net.close()
	}
	for _, s := range []settings{{http: "3"}, {http: "1.1"}} {
		if _, err := dialTransport(s, parseURL(t, "https://127.0.0.1")); err == nil {
			t.Errorf("HTTP/%s over TLS is spoken", s.http)
		}
	}
}

// TestConnections of HTTP/1.1: one is used again, a stale one is replaced without an
// error, one that the server closes too.
func TestConnections(t *testing.T) {
	s := &site{peers: map[string]bool{}, release: make(chan struct{})}
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(s)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(s.release) })
	net, err := newHTTP1(parseURL(t, server.URL), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(net.close)
	ask := func(path string) arrival {
		net.send(order{kind: kindPart, path: path, asked: time.Now()})
		return collect(t, net, 1)["0 0 "+path]
	}
	for range 3 {
		if a := ask("/media"); a.err != nil || len(a.body) != 1<<20 || !bytes.HasSuffix(a.body, []byte("def")) {
			t.Fatalf("media to keep: %d bytes, %v", len(a.body), a.err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 3 requests in a row", n)
	}
	server.CloseClientConnections()
	if a := ask("/playlist"); a.err != nil || conns.Load() != 2 {
		t.Errorf("after the server closed: %v, %d connections", a.err, conns.Load())
	}
	if a := ask("/bye"); a.err != nil || a.status != 200 {
		t.Errorf("an answer that ends the connection: %v", a.err)
	}
	if a := ask("/playlist"); a.err != nil || conns.Load() != 3 {
		t.Errorf("after it: %v, %d connections", a.err, conns.Load())
	}
	if a := ask("/endless"); !errors.Is(a.err, errAnswer) {
		t.Errorf("without a length: %v, want errAnswer", a.err)
	}
	net.send(order{kind: kindBlocked, path: "/blocked", asked: time.Now().Add(-time.Hour)})
	if a := collect(t, net, 1)["0 0 /blocked"]; !errors.Is(a.err, errTimeout) {
		t.Errorf("never answered: %v, want errTimeout", a.err)
	}
}

// TestHeads: heads come in pieces and in any case; what is none is an error.
func TestHeads(t *testing.T) {
	for head, want := range map[string]int64{
		"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n": 7, "HTTP/1.0 404 Not Found\r\nA: b\r\nContent-Length:0\r\n": 0,
		"HTTP/1.1 200 OK\r\n": -1, "HTTP/2 200\r\nContent-Length: 1\r\n": -1, "SSH-2.0\r\n": -1,
		"HTTP/1.1 x OK\r\nContent-Length: 1\r\n": -1, "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n": -1,
	} {
		var c conn
		err := c.parse([]byte(head))
		if want >= 0 && (err != nil || c.left != want) || want < 0 && !errors.Is(err, errAnswer) {
			t.Errorf("%q: %d, %v, want %d", head, c.left, err, want)
		}
	}
	for name, pieces := range map[string][]string{
		"in pieces": {"HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n", "\r", "\nhel", "lo"},
		"too long":  {"HTTP/1.1 200 OK\r\n", string(bytes.Repeat([]byte("A: b\r\n"), 4<<10))},
		"too much":  {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello"},
		"cut off":   {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"},
	} {
		a := said(t, pieces)
		if ok := name == "in pieces"; (a.err == nil) != ok || ok && string(a.body) != "hello" {
			t.Errorf("%s: %q, %v", name, a.body, a.err)
		}
	}
}

// said is what a client makes of an answer that is written in pieces.
func said(t *testing.T, pieces []string) arrival {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	next := make(chan struct{}, len(pieces))
	server.Go(func() {
		conn, refused := listener.Accept()
		if refused != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Read(make([]byte, 4096))
		for _, piece := range pieces {
			_, _ = io.WriteString(conn, piece)
			<-next
		}
	})
	client, err := newHTTP1(parseURL(t, "http://"+listener.Addr().String()), false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		client.close()
		_ = listener.Close()
		server.Wait()
	}()
	client.send(order{kind: kindPlaylist, path: "/", asked: time.Now()})
	for range 100 {
		if came := client.wait(20 * time.Millisecond); len(came) > 0 {
			close(next)
			return came[0]
		}
		select {
		case next <- struct{}{}:
		default:
		}
	}
	t.Fatal("no answer")
	return arrival{}
}
