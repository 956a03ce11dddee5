package app

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// secured is a server with HTTPS for name.
func secured(t *testing.T, name string) Config {
	t.Helper()
	cfg := local(t)
	files := selfSigned(t, name)
	cfg.HTTP.TLSAddr, cfg.HTTP.TLS = "127.0.0.1:0", TLSConfig{CertFile: files.CertFile, KeyFile: files.KeyFile}
	return cfg
}

// fetch asks a server by TLS, as HTTP/2 or HTTP/1.1, and returns the protocol, the
// name in its certificate and the status.
func fetch(t *testing.T, addr string, h2 bool, path string) (proto, name string, status int) {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	transport.Protocols.SetHTTP1(!h2)
	transport.Protocols.SetHTTP2(h2)
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.Proto, resp.TLS.PeerCertificates[0].DNSNames[0], resp.StatusCode
}

func TestHTTPS(t *testing.T) {
	cfg := secured(t, "live.example.org")
	a := start(t, cfg)
	for h2, want := range map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"} {
		for path, status := range map[string]int{"/api/v1/rooms": 200, "/hls/live/index.m3u8": 404, "/chat/v1/rooms": 200, "/assets/none.js": 404} {
			if proto, name, got := fetch(t, a.Addrs().HTTPS, h2, path); proto != want || name != "live.example.org" || got != status {
				t.Errorf("%s of %s by %s = %d, want %s and %d", path, name, proto, got, want, status)
			}
		}
	}
	_, port, err := net.SplitHostPort(a.Addrs().HTTPS)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err = a.banner(&out); err != nil {
		t.Fatal(err)
	}
	base := "https://live.example.org:" + port
	for _, want := range []string{base + "/r/live\n", base + "/studio/live#token=", "http://" + a.Addrs().HTTP + "/r/live\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("banner lacks %q:\n%s", want, out.String())
		}
	}
	again := selfSigned(t, "new.example.org")
	for from, to := range map[string]string{again.CertFile: cfg.HTTP.TLS.CertFile, again.KeyFile: cfg.HTTP.TLS.KeyFile} {
		if err = os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	a.reload(new(slog.LevelVar), func() (Config, error) { return cfg, nil })
	if _, name, _ := fetch(t, a.Addrs().HTTPS, true, "/"); name != "new.example.org" {
		t.Errorf("the certificate is for %s after a reload", name)
	}
}

func TestHTTPSIsOffWithoutCertificate(t *testing.T) {
	a := start(t, local(t))
	if got := a.Addrs().HTTPS; got != "" || strings.Contains(strings.Join(a.links().Pages, " "), "https:") {
		t.Errorf("HTTPS listens on %q", got)
	}
}

func TestHTTPSConfiguration(t *testing.T) {
	pair := TLSConfig{CertFile: "c", KeyFile: "k"}
	for _, c := range []struct {
		name string
		http HTTPConfig
		addr string
		want string // in the error
	}{
		{"off", HTTPConfig{}, "", ""},
		{"by its certificate", HTTPConfig{TLS: pair}, ":8443", ""},
		{"elsewhere", HTTPConfig{TLS: pair, TLSAddr: ":443"}, ":443", ""},
		{"no certificate", HTTPConfig{TLSAddr: ":443"}, ":443", "http.tls.cert_file"},
		{"half a certificate", HTTPConfig{TLS: TLSConfig{CertFile: "c"}}, ":8443", "http.tls.key_file"},
		{"no address", HTTPConfig{TLS: pair, TLSAddr: "443"}, "443", "http.tls_addr"},
	} {
		cfg := DefaultConfig()
		c.http.Addr = cfg.HTTP.Addr
		cfg.HTTP = c.http
		err := cfg.Validate()
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if got := cfg.HTTP.tlsAddr(); got != c.addr {
			t.Errorf("%s: listens on %q, want %q", c.name, got, c.addr)
		}
	}
	cfg := local(t)
	cfg.HTTP.TLSAddr, cfg.HTTP.TLS = "127.0.0.1:0", TLSConfig{CertFile: "missing.pem", KeyFile: "missing.pem"}
	_, err := New(t.Context(), cfg, role{name: "serve", media: true, chat: true}, Build{Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, errConfig) || !strings.Contains(err.Error(), "http.tls") {
		t.Errorf("a missing certificate: %v, want a configuration error that names http.tls", err)
	}
}
