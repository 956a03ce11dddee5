package certs_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"barrage/ingest/certs"
)

// issue writes a new pair for name.
func issue(t *testing.T, files certs.Files, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	write(t, files.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// write replaces a file as renewal tools do: a new one takes its name.
func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// rig is a pair whose clock moves when told to.
type rig struct {
	*certs.Pair
	files certs.Files
	logs  *bytes.Buffer
	now   time.Time
}

func open(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{files: certs.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}, logs: &bytes.Buffer{}, now: time.Now()}
	issue(t, r.files, "one.example")
	var err error
	r.Pair, err = certs.Open(r.files, certs.Options{
		Logger: slog.New(slog.NewTextHandler(r.logs, nil)), Now: func() time.Time { return r.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// name is what a client would see now.
func (r *rig) name(t *testing.T) string {
	t.Helper()
	cert, err := r.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf.DNSNames[0]
}

func TestChangedFilesAreReadWithinASecond(t *testing.T) {
	r := open(t)
	issue(t, r.files, "two.example")
	if got := r.name(t); got != "one.example" {
		t.Errorf("certificate %s before a second has passed, want the files left alone", got)
	}
	r.now = r.now.Add(time.Second)
	if got := r.name(t); got != "two.example" || r.Leaf().DNSNames[0] != got {
		t.Errorf("certificate %s a second after the change, want two.example", got)
	}
	issue(t, r.files, "three.example")
	if err := r.Reload(); err != nil || r.name(t) != "three.example" {
		t.Errorf("after Reload: %s, %v, want three.example at once", r.name(t), err)
	}
	if strings.Count(r.logs.String(), "certificate read again") != 2 {
		t.Errorf("log:\n%s\nwant each change once", r.logs)
	}
}

func TestABadPairKeepsTheOld(t *testing.T) {
	r := open(t)
	key, err := os.ReadFile(r.files.Key)
	if err != nil {
		t.Fatal(err)
	}
	issue(t, r.files, "two.example")
	good, err := os.ReadFile(r.files.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]func(){
		"key of another certificate": func() { write(t, r.files.Key, key) },
		"half a key":                 func() { write(t, r.files.Key, good[:40]) },
		"no key":                     func() { _ = os.Remove(r.files.Key) },
	} {
		bad()
		r.logs.Reset()
		for range 3 {
			r.now = r.now.Add(time.Second)
			if got := r.name(t); got != "one.example" {
				t.Errorf("%s: certificate %s, want the old one", name, got)
			}
		}
		if n := strings.Count(r.logs.String(), "certificate kept as it was"); n != 1 || !strings.Contains(r.logs.String(), r.files.Key) {
			t.Errorf("%s: %d lines, want one that names the file:\n%s", name, n, r.logs)
		}
		if err := r.Reload(); err == nil {
			t.Errorf("%s: Reload = nil, want the reason", name)
		}
	}
	write(t, r.files.Key, good)
	r.now = r.now.Add(time.Second)
	if got := r.name(t); got != "two.example" {
		t.Errorf("certificate %s after the key was mended, want two.example", got)
	}
}

func TestHandshakesDoNotWaitForEachOther(t *testing.T) {
	r := open(t)
	issue(t, r.files, "two.example")
	r.now = r.now.Add(time.Minute)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if cert, err := r.Certificate(nil); err != nil || cert == nil {
				t.Errorf("Certificate = %v, %v", cert, err)
			}
		})
	}
	all.Wait()
	if got := r.name(t); got != "two.example" {
		t.Errorf("certificate %s, want two.example", got)
	}
}

func TestOpenErrors(t *testing.T) {
	r := open(t)
	for _, files := range []certs.Files{{Cert: r.files.Cert, Key: r.files.Key + "x"}, {Cert: r.files.Key, Key: r.files.Key}} {
		if _, err := certs.Open(files, certs.Options{}); err == nil || !strings.Contains(err.Error(), files.Key) {
			t.Errorf("Open(%+v) = %v, want an error that names the file", files, err)
		}
	}
}
