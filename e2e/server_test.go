//go:build e2e || clients || players || reliability

package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const room = "live"

// server is a running barrage.
type server struct {
	*process
	state string // its state directory
	addrs struct{ HTTP, HTTPS, RTMP, RTMPS, Admin string }
}

// startServer runs one role on free loopback ports; settings are BARRAGE_… and win.
func startServer(t *testing.T, role, state string, settings ...string) *server {
	t.Helper()
	addrs := filepath.Join(t.TempDir(), "addrs.json")
	env := append([]string{
		"BARRAGE_HTTP_ADDR=127.0.0.1:0", "BARRAGE_ADMIN_ADDR=127.0.0.1:0", "BARRAGE_INGEST_RTMP_ADDR=127.0.0.1:0",
	}, settings...)
	s := &server{state: state, process: start(t, env, binary, role, "-state-dir", state, "-addrs", addrs)}
	eventually(t, 10*time.Second, role+" listens", func() error {
		if !s.running() {
			t.Fatalf("barrage %s ended with %d:\n%s", role, s.code, s.log.String())
		}
		text, err := os.ReadFile(addrs)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &s.addrs)
	})
	return s
}

// serve runs everything in one process, without Redis.
func serve(t *testing.T, settings ...string) *server {
	t.Helper()
	return startServer(t, "serve", t.TempDir(), settings...)
}

func (s *server) url(path string) string   { return "http://" + s.addrs.HTTP + path }
func (s *server) admin(path string) string { return "http://" + s.addrs.Admin + path }

// publishURL is where the anchor of room sends to.
func (s *server) publishURL(t *testing.T) string {
	t.Helper()
	return "rtmp://" + s.addrs.RTMP + "/live/" + s.command(t, "key", room)
}

// command runs another command of the binary on the server's state.
func (s *server) command(t *testing.T, args ...string) string {
	t.Helper()
	p := start(t, nil, binary, append(args, "-state-dir", s.state)...)
	if code := p.wait(t, 10*time.Second); code != 0 {
		t.Fatalf("barrage %s ended with %d: %s", strings.Join(args, " "), code, p.log.String())
	}
	return strings.TrimSpace(p.log.String())
}

// roomState is what the API says of a room; the fields the tests look at.
type roomState struct {
	Phase   string `json:"phase"`
	Session string `json:"session"`
	Epoch   string `json:"epoch"`
	PDT     int64  `json:"pdt"`
	Latency int64  `json:"latency"`
}

func (s *server) room(ctx context.Context) (r roomState, err error) {
	body, err := get(ctx, s.url("/api/v1/rooms/"+room))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(body, &r)
}

func (s *server) waitPhase(t *testing.T, phase string, within time.Duration) {
	t.Helper()
	eventually(t, within, "room is "+phase, func() error {
		r, err := s.room(t.Context())
		if err == nil && r.Phase != phase {
			err = fmt.Errorf("phase is %q", r.Phase)
		}
		return err
	})
}

var errStatus = errors.New("unexpected status")

// get returns the body of a 200 answer.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: %s: %s: %.300s", errStatus, url, resp.Status, body)
	}
	return body, err
}

// variant returns the first URI of a multivariant playlist that is no rendition.
func variant(playlist string) string {
	for line := range strings.Lines(playlist) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return ""
}

// uris returns every media playlist of a multivariant playlist.
func uris(multivariant string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^[^#\s]+|URI="([^"]+)"`).FindAllStringSubmatch(multivariant, -1) {
		all = append(all, cmp.Or(m[1], m[0]))
	}
	return all
}

func resolve(base, ref string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	r, err := b.Parse(ref)
	if err != nil {
		return ref
	}
	return r.String()
}
