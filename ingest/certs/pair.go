package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often handshakes make the files be looked at.
const lookEvery = time.Second

// Files names a certificate (with its intermediates) and its private key, both PEM.
type Files struct {
	Cert, Key string
}

// Options wire a Pair.
type Options struct {
	Logger *slog.Logger     // nil = silent
	Now    func() time.Time // nil = time.Now
}

// Pair is a certificate and its key, read again when the files change. Its
// methods may be called from several goroutines.
type Pair struct {
	files   Files
	log     *slog.Logger
	now     func() time.Time
	current atomic.Pointer[tls.Certificate] // never nil

	mu      sync.Mutex
	looked  time.Time
	seen    [2]stamp // what the files looked like when the current pair was read
	problem string   // the last one that was logged, "" = none
}

// Open reads the pair and fails when there is none.
func Open(files Files, opts Options) (*Pair, error) {
	p := &Pair{files: files, log: opts.Logger, now: opts.Now}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.now == nil {
		p.now = time.Now
	}
	cert, seen, err := read(files)
	if err != nil {
		return nil, err
	}
	p.current.Store(cert)
	p.seen, p.looked = seen, p.now()
	return p, nil
}

// Certificate is a tls.Config's GetCertificate.
func (p *Pair) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	// Whoever finds the lock taken has somebody looking on its behalf.
	if p.mu.TryLock() {
		if now := p.now(); now.Sub(p.looked) >= lookEvery {
			_ = p.look(now) // logged
		}
		p.mu.Unlock()
	}
	return p.current.Load(), nil
}

// Reload looks at the files now. Its error says why the pair in force is not
// the one on disk; it is logged already.
func (p *Pair) Reload() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.look(p.now())
}

// Leaf is the certificate in force, for its names and its end.
func (p *Pair) Leaf() *x509.Certificate { return p.current.Load().Leaf }

// For returns those of hosts that the certificate is for, or, when it is for none of
// them, the names it is for. A nil Pair is for nobody.
func (p *Pair) For(hosts []string) (names []string) {
	if p == nil {
		return nil
	}
	leaf := p.Leaf()
	for _, h := range hosts {
		if leaf.VerifyHostname(h) == nil {
			names = append(names, h)
		}
	}
	if len(names) > 0 {
		return names
	}
	for _, n := range leaf.DNSNames {
		if n != "" && n[0] != '*' { // nobody can connect to a wildcard
			names = append(names, n)
		}
	}
	return names
}

// look reads the files if they changed. The caller holds p.mu.
func (p *Pair) look(now time.Time) error {
	p.looked = now
	if seen, err := look(p.files); err == nil && same(seen, p.seen) {
		p.problem = "" // a bad file was put back
		return nil
	}
	cert, seen, err := read(p.files)
	if err != nil {
		if text := err.Error(); text != p.problem {
			p.problem = text
			p.log.Error("certificate kept as it was", "err", err, "hint", "connections go on with the old one until the files are a pair again")
		}
		return err
	}
	p.current.Store(cert)
	p.seen, p.problem = seen, ""
	p.log.Info("certificate read again", "file", p.files.Cert, "dur", cert.Leaf.NotAfter.Sub(now).Round(time.Hour))
	return nil
}

// stamp tells one version of a file from the next without reading it.
type stamp struct {
	info fs.FileInfo
	size int64
	mod  time.Time
}

func same(a, b [2]stamp) bool {
	for i := range a {
		if a[i].size != b[i].size || !a[i].mod.Equal(b[i].mod) || !os.SameFile(a[i].info, b[i].info) {
			return false
		}
	}
	return true
}

func look(files Files) (seen [2]stamp, err error) {
	for i, name := range []string{files.Cert, files.Key} {
		info, err := os.Stat(name)
		if err != nil {
			return seen, err
		}
		seen[i] = stamp{info: info, size: info.Size(), mod: info.ModTime()}
	}
	return seen, nil
}

// read returns the pair and what its files looked like before they were read,
// so that a change during the reading is seen the next time.
func read(files Files) (*tls.Certificate, [2]stamp, error) {
	seen, err := look(files)
	if err != nil {
		return nil, seen, fmt.Errorf("read certificate: %w", err)
	}
	cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, seen, fmt.Errorf("read certificate %s with key %s: %w", files.Cert, files.Key, err)
	}
	return &cert, seen, nil
}
