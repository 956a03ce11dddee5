package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"barrage/ingest"
)

// A kick needs the host's token and closes what is there.
func TestKick(t *testing.T) {
	cfg := local(t)
	cfg.Ingest.Auth.Mode = ingest.AuthOpen
	a := start(t, cfg)
	url := "http://" + a.Addrs().HTTP + "/api/v1/rooms/live/kick"
	state := []string{"-state-dir", cfg.StateDir}
	host := command1(t, append([]string{"token", "live", "-role", "host"}, state...)...)
	moderator := command1(t, append([]string{"token", "live", "-role", "moderator"}, state...)...)
	for bearer, want := range map[string]int{"": 401, moderator: 403, host: 409} {
		if status, body := request(t, http.MethodPost, url, bearer, ""); status != want {
			t.Errorf("POST with token %.8q = %d %s, want %d", bearer, status, body, want)
		}
	}
	if status, _ := get(t, url, host); status != 404 {
		t.Errorf("GET = %d, want 404: a link must not kick", status)
	}
	closed := publishOpen(t, a.Addrs().RTMP, "live")
	if status, body := request(t, http.MethodPost, url, host, ""); status != 200 || !strings.Contains(body, `"kicked":true`) {
		t.Errorf("POST = %d %s, want 200", status, body)
	}
	if err := <-closed; err != nil {
		t.Errorf("the publisher's connection: %v, want it closed", err)
	}
}

// publishOpen publishes to room as an encoder does and reports when it was closed.
func publishOpen(t *testing.T, addr, room string) <-chan error {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err = conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// One chunk each on stream 3: C0 C1 C2, connect, createStream, publish.
	out := append([]byte{3}, make([]byte, 2*1536)...)
	for _, m := range []struct {
		stream byte
		body   string
	}{
		{0, "\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\x03\x00\x03app\x02\x00\x04live\x00\x00\x09"},
		{0, "\x02\x00\x0ccreateStream\x00\x40\x00\x00\x00\x00\x00\x00\x00\x05"},
		{1, "\x02\x00\x07publish\x00\x40\x08\x00\x00\x00\x00\x00\x00\x05\x02\x00" + string(rune(len(room))) + room + "\x02\x00\x04live"},
	} {
		out = append(out, 3, 0, 0, 0, 0, 0, byte(len(m.body)), 20, m.stream, 0, 0, 0)
		out = append(out, m.body...)
	}
	if _, err = conn.Write(out); err != nil {
		t.Fatal(err)
	}
	var heard []byte
	for b := make([]byte, 4096); !bytes.Contains(heard, []byte("NetStream.Publish.Start")); {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("publish: %v", err)
		}
		heard = append(heard, b[:n]...)
	}
	closed := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		if errors.Is(err, syscall.ECONNRESET) {
			err = nil
		}
		closed <- err
	}()
	return closed
}

func TestBadCertificateIsAConfigurationError(t *testing.T) {
	cfg := local(t)
	cfg.Ingest.RTMPSAddr = "127.0.0.1:0"
	cfg.Ingest.TLS = ingest.TLSConfig{CertFile: filepath.Join(t.TempDir(), "none.pem"), KeyFile: "none.key"}
	_, err := New(t.Context(), cfg, role{name: "serve", media: true, chat: true}, Build{Logger: slog.New(slog.DiscardHandler)})
	if err == nil || exitCode(err) != exitConfig || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("New = %v, exit code %d, want %d that names the file", err, exitCode(err), exitConfig)
	}
}

// The banner names RTMPS under the certificate's own name.
func TestSecureLinks(t *testing.T) {
	cfg := local(t)
	cfg.Ingest.RTMPSAddr = "127.0.0.1:0"
	cfg.Ingest.TLS = selfSigned(t, "live.example.org")
	a := start(t, cfg)
	_, port, err := net.SplitHostPort(a.Addrs().RTMPS)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err = a.banner(&out); err != nil {
		t.Fatal(err)
	}
	if want := "rtmps://live.example.org:" + port + "/live"; a.links().Servers[0] != want || !strings.Contains(out.String(), want) {
		t.Errorf("servers %q, want %s first, and in the banner", a.links().Servers, want)
	}
	before := a.ingest.CertificateFor(nil)
	again := selfSigned(t, "new.example.org")
	for from, to := range map[string]string{again.CertFile: cfg.Ingest.TLS.CertFile, again.KeyFile: cfg.Ingest.TLS.KeyFile} {
		if err = os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	a.reload(new(slog.LevelVar), func() (Config, error) { return cfg, nil })
	if after := a.ingest.CertificateFor(nil); before[0] == after[0] || after[0] != "new.example.org" {
		t.Errorf("certificate of %q after a reload, %q before", after, before)
	}
}

// selfSigned writes a certificate for name.
func selfSigned(t *testing.T, name string) ingest.TLSConfig {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := ingest.TLSConfig{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	write(t, files.CertFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	write(t, files.KeyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return files
}
