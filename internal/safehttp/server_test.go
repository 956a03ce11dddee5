package safehttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barrage/internal/safehttp"
)

// serve runs h behind Server's limits on a loopback port until the test ends; with
// secrets it speaks TLS.
func serve(t *testing.T, h http.HandlerFunc, secrets *tls.Config) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if secrets != nil {
		listener = tls.NewListener(listener, secrets)
	}
	server := safehttp.Server(h)
	server.ErrorLog = log.New(io.Discard, "", 0)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		<-done
	})
	return addr
}

// secrets is a server's TLS with a certificate of httptest, and who trusts it.
func secrets(t *testing.T) (server *tls.Config, roots *x509.CertPool) {
	t.Helper()
	borrowed := httptest.NewTLSServer(nil)
	borrowed.Close()
	cert := borrowed.TLS.Certificates[0]
	roots = x509.NewCertPool()
	roots.AddCert(borrowed.Certificate())
	return safehttp.TLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }), roots
}

// Every protocol a player, a browser or a proxy may come with.
func TestServerSpeaks(t *testing.T) {
	say := func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.Proto, " ", r.TLS != nil) }
	server, roots := secrets(t)
	plain, secured := serve(t, say, nil), serve(t, say, server)
	for _, c := range []struct {
		url, want string
		set       func(*http.Protocols)
	}{
		{"http://" + plain, "HTTP/1.1 false", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"http://" + plain, "HTTP/2.0 false", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
		{"https://" + secured, "HTTP/1.1 true", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"https://" + secured, "HTTP/2.0 true", func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }},
	} {
		transport := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{RootCAs: roots}}
		c.set(transport.Protocols)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatalf("%s: %v", c.want, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		transport.CloseIdleConnections()
		if err != nil || string(body) != c.want {
			t.Errorf("served %q, %v, want %s", body, err, c.want)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	server, roots := secrets(t)
	addr := serve(t, func(http.ResponseWriter, *http.Request) {}, server)
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: version, MaxVersion: version}}
		conn, err := dialer.DialContext(t.Context(), "tcp", addr)
		if (err == nil) != ok {
			t.Errorf("%s: %v, want success %v", tls.VersionName(version), err, ok)
		}
		if err == nil {
			conn.Close()
		}
	}
}

// The first frame of an HTTP/2 server says what it bears (RFC 9113, 6.5).
func TestSettings(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) {}, nil)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 9)
	if _, err = io.ReadFull(conn, head); err != nil || head[3] != 4 {
		t.Fatalf("the first frame is %x, %v, want SETTINGS", head, err)
	}
	body := make([]byte, int(head[1])<<8|int(head[2]))
	if _, err = io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	said := map[uint16]uint32{}
	for ; len(body) >= 6; body = body[6:] {
		said[binary.BigEndian.Uint16(body)] = binary.BigEndian.Uint32(body[2:])
	}
	const maxStreams, windowSize, frameSize, headerList = 3, 4, 5, 6
	if said[maxStreams] != 128 || said[windowSize] != 64<<10 || said[frameSize] != 16<<10 || said[headerList] < 16<<10 || said[headerList] > 17<<10 {
		t.Errorf("SETTINGS %v", said)
	}
}

func TestServerRefusesLongHeaders(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") }, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", strings.Repeat("x", 32<<10))
	resp, err := new(http.Transport).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status = %d, want 431", resp.StatusCode)
	}
}

// pipeListener hands out one end of a net.Pipe, once: a connection on fake time.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error   { close(l.closed); return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestHijackedConnectionsOutliveTheTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := safehttp.Server(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			<-time.After(time.Hour)
			if _, err = io.WriteString(conn, "still here\n"); err != nil {
				t.Error(err)
			}
		}))
		near, far := net.Pipe()
		listener := pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		listener.conns <- far
		done := make(chan error, 1)
		go func() { done <- server.Serve(listener) }()
		if _, err := io.WriteString(near, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(near).ReadString('\n'); line != "still here\n" || err != nil {
			t.Errorf("read %q, %v", line, err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

func TestServerLimits(t *testing.T) {
	s := safehttp.Server(http.NotFoundHandler())
	if s.ReadHeaderTimeout != 5*time.Second || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("header limits = %v, %d bytes, want 5s and 16 KiB", s.ReadHeaderTimeout, s.MaxHeaderBytes)
	}
	if s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 {
		t.Errorf("a timeout is missing: %v %v %v", s.ReadTimeout, s.WriteTimeout, s.IdleTimeout)
	}
}

func TestWriteError(t *testing.T) {
	w := httptest.NewRecorder()
	safehttp.WriteError(w, http.StatusConflict, "busy", `a "room" <is> busy`)
	var got struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusConflict || got.Error.Code != "busy" || got.Error.Message != `a "room" <is> busy` {
		t.Errorf("got %d %+v", w.Code, got)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if v := w.Header().Get(name); v != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
}

func TestAllowOrigin(t *testing.T) {
	allowed := []string{"https://party.example", "http://localhost:3000"}
	for _, c := range []struct {
		name    string
		origins []string
		allowed []string
		want    bool
	}{
		{"no browser", nil, nil, true},
		{"same host", []string{"http://live.example:8080"}, nil, true},
		{"same host behind TLS", []string{"https://LIVE.example:8080"}, nil, true},
		{"same name, other port", []string{"http://live.example"}, nil, false},
		{"listed", []string{"https://party.example"}, allowed, true},
		{"listed with another scheme", []string{"http://party.example"}, allowed, false},
		{"a longer name", []string{"https://party.example.evil"}, allowed, false},
		{"a subdomain", []string{"https://evil.party.example"}, allowed, false},
		{"opaque", []string{"null"}, allowed, false},
		{"empty", []string{""}, allowed, false},
		{"two origins", []string{"https://party.example", "https://evil.example"}, allowed, false},
		{"everybody", []string{"https://evil.example"}, []string{"*"}, true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://live.example:8080/", nil)
		r.Header["Origin"] = c.origins
		if got := safehttp.AllowOrigin(r, c.allowed); got != c.want {
			t.Errorf("%s: AllowOrigin(%q, %q) = %v, want %v", c.name, c.origins, c.allowed, got, c.want)
		}
	}
}
