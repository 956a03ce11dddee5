//go:build players

package e2e_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// front stands between players and a server, as a cache would, and keeps what goes
// by: every playlist, what each media address named, and errors. It also has the
// pages with the players.
type front struct {
	url    string
	server atomic.Pointer[url.URL] // who answers now; another one after a restart

	mu        sync.Mutex
	playlists map[string]bool              // every one that was seen, by its text
	last      map[string]string            // the newest whole media playlist, by path
	sums      map[string][sha256.Size]byte // of media, by path
	first     map[string]time.Time         // date of the first picture a player asked for, by user agent
	dates     map[string]time.Time         // of segments and parts, by path
	faults    []string                     // two answers that differ at one address
	refused   map[string]int               // answers that are errors, by status and path without numbers
}

// libraries are the players a page can load, and where npm put them.
func libraries() map[string]string {
	modules := filepath.Join(root, "web", "node_modules")
	return map[string]string{
		"/play/lib/hls.js.js": filepath.Join(modules, "hls.js", "dist", "hls.min.js"),
		"/play/lib/shaka.js":  filepath.Join(modules, "shaka-player", "dist", "shaka-player.compiled.js"),
	}
}

// newFront starts a front of s. When the test ends it reads all playlists strictly.
func newFront(t *testing.T, s *server) *front {
	t.Helper()
	f := &front{
		playlists: map[string]bool{}, last: map[string]string{}, sums: map[string][sha256.Size]byte{},
		first: map[string]time.Time{}, dates: map[string]time.Time{}, refused: map[string]int{},
	}
	f.sendTo(s)
	mux := http.NewServeMux()
	mux.Handle("/play/", http.StripPrefix("/play/", http.FileServer(http.Dir("players"))))
	for path, file := range libraries() {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	mux.Handle("/hls/", &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(f.server.Load()) },
		ModifyResponse: f.see,
		// A server that is gone is a broken connection, not an answer.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     log.New(io.Discard, "", 0),
		// Not the shared one: other tests close its idle connections.
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	})
	site := httptest.NewUnstartedServer(mux)
	site.Config.ErrorLog = log.New(io.Discard, "", 0)
	site.Start()
	t.Cleanup(site.Close)
	f.url = site.URL
	t.Cleanup(func() { f.strict(t) })
	return f
}

func (f *front) sendTo(s *server) {
	f.server.Store(&url.URL{Scheme: "http", Host: s.addrs.HTTP})
}

func (f *front) index() string { return f.url + "/hls/" + room + "/index.m3u8" }

// see looks at an answer on its way.
func (f *front) see(r *http.Response) error {
	path := r.Request.URL.Path
	if r.StatusCode >= http.StatusBadRequest {
		shape := strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return -1
			}
			return c
		}, path[strings.LastIndexByte(path, '/'):])
		f.mu.Lock()
		f.refused[strconv.Itoa(r.StatusCode)+" "+shape]++
		f.mu.Unlock()
		return nil
	}
	switch {
	case r.Request.Method != http.MethodGet:
	case strings.HasSuffix(path, ".m3u8"):
		return f.seePlaylist(path, r)
	default:
		f.begins(r.Request.UserAgent(), path)
		if r.StatusCode == http.StatusOK { // and not a range of it
			f.seeMedia(path, r)
		}
	}
	return nil
}

// begins notes the first picture that a player fetches.
func (f *front) begins(agent, path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first[agent].IsZero() && strings.Contains(path, "/v0/") {
		f.first[agent] = f.dates[path]
	}
}

func (f *front) seePlaylist(path string, r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return err
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return err
		}
		if body, err = io.ReadAll(zip); err != nil {
			return err
		}
	}
	text := string(body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.playlists[text] = true
	if strings.Contains(text, "#EXT-X-TARGETDURATION") && !strings.Contains(text, "#EXT-X-SKIP") {
		f.last[path] = text
		l := readMedia(text)
		for _, s := range slices.Concat(l.segments, l.parts) {
			f.dates[resolve(path, s.uri)] = s.date
		}
	}
	return nil
}

// seeMedia sums the bytes as they go by: an address must always name the same.
func (f *front) seeMedia(path string, r *http.Response) {
	r.Body = &summing{ReadCloser: r.Body, sum: sha256.New(), left: r.ContentLength, done: func(sum [sha256.Size]byte) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if before, known := f.sums[path]; known && before != sum {
			f.faults = append(f.faults, path+" named other bytes before")
		}
		f.sums[path] = sum
	}}
}

// summing hashes a body and says the sum once all of it has gone by.
type summing struct {
	io.ReadCloser
	sum  hash.Hash
	left int64
	done func([sha256.Size]byte)
}

func (s *summing) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.sum.Write(p[:n])
	if s.left -= int64(n); s.left == 0 && n > 0 {
		s.done([sha256.Size]byte(s.sum.Sum(nil)))
	}
	return n, err
}

// strict lets hls-parser read every playlist that was seen.
func (f *front) strict(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	all := slices.Collect(maps.Keys(f.playlists))
	refused, faults := maps.Clone(f.refused), slices.Clone(f.faults)
	f.mu.Unlock()
	var in bytes.Buffer
	for _, text := range all {
		_ = json.NewEncoder(&in).Encode(text)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "node", "players/strict.mjs")
	cmd.Stdin = &in
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintf("read %d\n", len(all)); err != nil || string(out) != want {
		t.Errorf("hls-parser: %v, of %d playlists:\n%.3000s", err, len(all), out)
	}
	if len(faults) != 0 {
		t.Errorf("bytes changed: %q", faults)
	}
	t.Logf("hls-parser strict read %d playlists; %d media addresses, each one content; answers that are errors: %v", len(all), len(f.sums), refused)
}
