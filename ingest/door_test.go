package ingest_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"barrage/ingest"
)

// authority issues the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	a.cert = a.sign(t, template, template, &key.PublicKey)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(t *testing.T, template, parent *x509.Certificate, public *ecdsa.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// issue writes a pair for 127.0.0.1 and name.
func (a *authority) issue(t *testing.T, files ingest.TLSConfig, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name, "*." + name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, &key.PublicKey)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		files.CertFile: {Type: "CERTIFICATE", Bytes: cert.Raw}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err = os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// startSecure runs a server with RTMPS.
func startSecure(t *testing.T, change func(*ingest.Config)) (*rig, *authority, ingest.TLSConfig) {
	t.Helper()
	a, dir := newAuthority(t), t.TempDir()
	files := ingest.TLSConfig{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	a.issue(t, files, "one.example")
	r := start(t, func(c *ingest.Config, _ *rig) {
		c.RTMPSAddr, c.TLS = "127.0.0.1:0", files
		if change != nil {
			change(c)
		}
	})
	return r, a, files
}

// dialTLS connects to RTMPS and returns the certificate that it saw.
func dialTLS(t *testing.T, r *rig, config *tls.Config) (*client, *x509.Certificate) {
	t.Helper()
	raw := dialRaw(t, r.SecureAddr())
	conn := tls.Client(raw.conn, config)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw.conn, raw.r = conn, bufio.NewReader(conn)
	raw.handshake()
	return raw, conn.ConnectionState().PeerCertificates[0]
}

func TestRTMPSWithANewCertificateUnderRunningPublishers(t *testing.T) {
	r, a, files := startSecure(t, nil)
	config := &tls.Config{RootCAs: a.pool, ServerName: "127.0.0.1"}
	before, cert := dialTLS(t, r, config)
	if cert.DNSNames[0] != "one.example" {
		t.Errorf("certificate of %s, want one.example", cert.DNSNames[0])
	}
	before.connect("live", "rtmps://127.0.0.1/live").mustPublish(r.key)
	before.audio(0, aacHeader)
	before.audio(0, aacFrame)
	r.next("attach live", "track audio", "sample audio")

	a.issue(t, files, "two.example")
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	other, err := r.keys.Mint("other", 0)
	if err != nil {
		t.Fatal(err)
	}
	after, cert := dialTLS(t, r, config)
	if cert.DNSNames[0] != "two.example" {
		t.Errorf("certificate of %s after the change, want two.example", cert.DNSNames[0])
	}
	after.connect("live", "").mustPublish(other)
	r.next("attach other")
	before.audio(20, aacFrame)
	r.next("sample audio")

	if err = os.WriteFile(files.KeyFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err = r.Reload(); err == nil || !strings.Contains(r.logs.String(), "certificate kept as it was") {
		t.Errorf("Reload of a bad key = %v, want an error and a line in the log:\n%s", err, r.logs)
	}
	if _, cert = dialTLS(t, r, config); cert.DNSNames[0] != "two.example" {
		t.Errorf("certificate of %s after a bad change, want two.example", cert.DNSNames[0])
	}
	before.audio(40, aacFrame)
	r.next("sample audio")
	// RTMP goes on beside it.
	r.publisher(r.key)
	r.next("detach live clean=false", "attach live")
}

// A publisher over TLS may pause as long as any other, however much it sent before.
func TestRTMPSPause(t *testing.T) {
	r, a, _ := startSecure(t, func(c *ingest.Config) { c.Timeouts.Media = 4 * time.Second })
	c, _ := dialTLS(t, r, &tls.Config{RootCAs: a.pool, ServerName: "127.0.0.1"})
	c.connect("live", "rtmps://127.0.0.1/live").mustPublish(r.key)
	c.video(0, avcHeader)
	r.next("attach live", "track video")
	turn := time.NewTicker(5 * time.Millisecond)
	defer turn.Stop()
	for at := range uint32(160) { // 800 ms at 3 Mb/s
		c.video(at*5, picture(nalIDR, 0, 2000))
		r.next("sample video")
		<-turn.C
	}
	<-time.After(time.Second) // more than a tenth of the timeout, less than all of it
	c.video(2000, picture(nalIDR, 0, 2000))
	r.next("sample video")
}

func TestRTMPSRefusals(t *testing.T) {
	const short = 2 * time.Second
	r, a, _ := startSecure(t, func(c *ingest.Config) { c.Timeouts.Handshake = short })
	for name, c := range map[string]struct {
		config *tls.Config
		hint   string
	}{
		"who does not trust us": {&tls.Config{ServerName: "127.0.0.1"}, "not self-signed"},
		"TLS 1.1":               {&tls.Config{RootCAs: a.pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "older than 1.2"},
	} {
		r.advance(time.Hour) // one line a minute
		raw := dialRaw(t, r.SecureAddr())
		if err := tls.Client(raw.conn, c.config).HandshakeContext(t.Context()); err == nil {
			t.Errorf("%s: connected, want an error", name)
		}
		raw.rest()
		if !strings.Contains(r.logs.String(), c.hint) {
			t.Errorf("%s: no hint %q in the log:\n%s", name, c.hint, r.logs)
		}
	}
	r.advance(time.Hour)
	plain := dialRaw(t, r.SecureAddr())
	plain.send(append([]byte{3}, make([]byte, 1536)...))
	plain.rest()
	if !strings.Contains(r.logs.String(), "must begin with rtmps://") {
		t.Errorf("RTMP on the port of RTMPS: no hint in the log:\n%s", r.logs)
	}
	began := time.Now()
	dialRaw(t, r.SecureAddr()).rest()
	if took := time.Since(began); took < short || took > 10*short {
		t.Errorf("a client that says nothing was closed after %v, want %v", took, short)
	}
	r.stop()
	for reason, want := range map[string]float64{"tls": 3, "handshake_timeout": 1} {
		if got := r.metric("connections_ended_total", reason); got != want {
			t.Errorf("%v connections ended by %s, want %v", got, reason, want)
		}
	}
}

// A publisher that has stopped reading cannot hold up whoever closes it.
func TestRTMPSKickDoesNotWait(t *testing.T) {
	r, a, _ := startSecure(t, nil)
	c, _ := dialTLS(t, r, &tls.Config{RootCAs: a.pool, ServerName: "127.0.0.1"})
	c.connect("live", "").mustPublish(r.key)
	r.next("attach live")
	began := time.Now()
	if !r.Kick("live") {
		t.Error("Kick found nobody")
	}
	r.next("detach live clean=false")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the room was free after %v", took)
	}
}

func TestRTMPSNames(t *testing.T) {
	r, _, _ := startSecure(t, nil)
	for _, c := range []struct{ hosts, want []string }{
		{[]string{"localhost", "127.0.0.1", "192.0.2.1"}, []string{"127.0.0.1"}},
		{[]string{"live.one.example"}, []string{"live.one.example"}},
		{[]string{"192.0.2.1"}, []string{"one.example"}},
	} {
		if got := r.CertificateFor(c.hosts); !slices.Equal(got, c.want) {
			t.Errorf("CertificateFor(%q) = %q, want %q", c.hosts, got, c.want)
		}
	}
	end := r.metric("certificate_expiry_timestamp_seconds", "")
	if left := time.Until(time.Unix(int64(end), 0)); left < 50*time.Minute || left > time.Hour {
		t.Errorf("the certificate ends in %v by its metric, want an hour", left)
	}
	plain := start(t, nil)
	if plain.SecureAddr() != nil || plain.CertificateFor([]string{"127.0.0.1"}) != nil || plain.Reload() != nil {
		t.Error("a server without RTMPS has an address or a certificate of it")
	}
}

func TestRTMPSBadFiles(t *testing.T) {
	c := ingest.DefaultConfig()
	c.RTMPAddr, c.TLS = "127.0.0.1:0", ingest.TLSConfig{CertFile: "/nonexistent/cert.pem", KeyFile: "/nonexistent/key.pem"}
	_, err := ingest.New(c, ingest.Options{Keys: start(t, nil).keys, Attach: func(string) (ingest.Sink, error) { return nil, errors.New("unused") }})
	if !errors.Is(err, ingest.ErrCertificate) || !strings.Contains(err.Error(), "cert.pem") {
		t.Errorf("New = %v, want ErrCertificate that names the file", err)
	}
	c.TLS.KeyFile = ""
	if err = c.Validate(); err == nil || !strings.Contains(err.Error(), "ingest.tls.key_file") {
		t.Errorf("Validate = %v, want an error about the missing key", err)
	}
}
