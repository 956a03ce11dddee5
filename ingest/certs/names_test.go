package certs_test

import (
	"path/filepath"
	"slices"
	"testing"

	"barrage/ingest/certs"
)

// People are shown names that the certificate is for: programs refuse any other.
func TestFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		hosts []string
		want  []string
	}{
		{"live.example.org", []string{"localhost", "live.example.org"}, []string{"live.example.org"}},
		{"live.example.org", []string{"localhost", "192.0.2.1"}, []string{"live.example.org"}},
		{"*.example.org", []string{"a.example.org", "b.example.net"}, []string{"a.example.org"}},
		{"*.example.org", []string{"localhost"}, nil},
	} {
		dir := t.TempDir()
		files := certs.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
		issue(t, files, c.name)
		p, err := certs.Open(files, certs.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.For(c.hosts); !slices.Equal(got, c.want) {
			t.Errorf("a certificate for %s and hosts %q: %q, want %q", c.name, c.hosts, got, c.want)
		}
	}
	if got := (*certs.Pair)(nil).For([]string{"localhost"}); got != nil {
		t.Errorf("no certificate: %q", got)
	}
}
