package packager_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"barrage/e2e/hlscheck"
	"barrage/packager"
)

var watchFor = flag.Duration("watch", 20*time.Second, "how long the rules of HLS are held against each script; publishers go on for as long")

// The rules of HLS hold whatever a publisher does.
func TestScriptsKeepTheRules(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, script, _ := strings.Cut(string(text), publishMark)
			script, _, _ = strings.Cut(script, decisionsMark)
			watched(t, strings.Split(script, "\n"))
		})
	}
}

// watched runs a script while somebody holds both of the room's streams against the rules.
func watched(t *testing.T, script []string) {
	t.Helper()
	var stepped atomic.Int64
	began := sync.OnceValue(time.Now)
	now := func() time.Time { return machine(began(), time.Duration(stepped.Load())) }
	serve(t, packager.DefaultConfig(), now, func(r *room) {
		ctx, cancel := context.WithCancel(r.t.Context())
		var watchers sync.WaitGroup
		for _, name := range []string{"index.m3u8", "ts.m3u8"} {
			watchers.Go(func() { r.watch(ctx, name) })
		}
		a := newActor(r, func() {}, &stepped)
		for _, line := range append([]string{"attach"}, script...) {
			line, _, _ = strings.Cut(line, "#")
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			if err := a.do(line); err != nil {
				r.t.Fatal(err)
			}
		}
		if left := *watchFor - time.Since(began()); left > 0 && a.attached {
			if err := a.do(fmt.Sprintf("for %v", left)); err != nil {
				r.t.Fatal(err)
			}
		}
		cancel()
		watchers.Wait()
	})
}

// watch holds a stream against the rules, and its successor when it has ended.
func (r *room) watch(ctx context.Context, name string) {
	for ctx.Err() == nil {
		result, err := hlscheck.Watch(ctx, hlscheck.Options{URL: "http://barrage/hls/live/" + name, For: time.Hour, Transport: r, Jitter: 50 * time.Millisecond})
		if err != nil {
			if ctx.Err() == nil {
				r.t.Error(err)
			}
			return
		}
		for _, level := range []hlscheck.Level{hlscheck.Must, hlscheck.Should} {
			for _, broken := range result.Violated(level) {
				r.t.Errorf("%s: %s (%s): %d of %d: %s", name, broken.Rule.Name, level, broken.Violations, broken.Evaluated, strings.Join(broken.Examples, "; "))
			}
		}
	}
}

// RoundTrip asks the origin without a network.
func (r *room) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat)) // as servers do
	r.origin.ServeHTTP(w, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}
