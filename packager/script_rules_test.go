package packager_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"barrage/e2e/hlscheck"
	"barrage/packager"
	"barrage/packager/media"
)

var watchFor = flag.Duration("watch", 20*time.Second, "how long the rules of HLS are held against each script; publishers go on for as long")

// The rules of HLS hold whatever a publisher does.
func TestScriptsKeepTheRules(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	checkExcuses(t, files)
	all := &findings{}
	t.Cleanup(func() { t.Logf("%d scripts: %s", len(files), all) })
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, script, _ := strings.Cut(string(text), publishMark)
			script, _, _ = strings.Cut(script, decisionsMark)
			found := &findings{}
			watched(t, strings.Split(script, "\n"), found)
			found.judge(t, name)
			all.add("", found.tallies)
		})
	}
}

// checkExcuses finds words in the table that mean nothing.
func checkExcuses(t *testing.T, files []string) {
	t.Helper()
	for _, e := range excuses() {
		if !slices.ContainsFunc(hlscheck.Rules(), func(r hlscheck.Rule) bool { return r.Name == e.rule }) {
			t.Errorf("no rule is called %s", e.rule)
		}
		for script := range strings.FieldsSeq(e.scripts) {
			if !slices.Contains(files, "testdata/"+script+".txtar") {
				t.Errorf("no script is called %s", script)
			}
		}
	}
}

// watched runs a script while somebody holds both of the room's streams against the rules.
func watched(t *testing.T, script []string, found *findings) {
	t.Helper()
	var stepped atomic.Int64
	began := sync.OnceValue(time.Now)
	now := func() time.Time { return machine(began(), time.Duration(stepped.Load())) }
	serve(t, packager.DefaultConfig(), now, func(r *room) {
		ctx, cancel := context.WithCancel(r.t.Context())
		var watchers sync.WaitGroup
		for _, name := range []string{"index.m3u8", "ts.m3u8"} {
			watchers.Go(func() { r.watch(ctx, name, found) })
		}
		a := newActor(r, func() {}, &stepped)
		a.weight = map[media.Kind]int{media.Video: 5000, media.Audio: 300} // 1.2 Mbit/s and 110 kbit/s
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
func (r *room) watch(ctx context.Context, name string, found *findings) {
	for ctx.Err() == nil {
		result, err := hlscheck.Watch(ctx, hlscheck.Options{URL: "http://barrage/hls/live/" + name, For: time.Hour, Transport: r, Jitter: 50 * time.Millisecond})
		if err != nil {
			if ctx.Err() == nil {
				r.t.Error(err)
			}
			return
		}
		found.add(name, result.Tallies)
		select { // the one that has ended is on offer for a while
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// RoundTrip asks the origin without a network.
func (r *room) RoundTrip(req *http.Request) (_ *http.Response, err error) {
	defer func() {
		switch p := recover(); {
		case p == http.ErrAbortHandler: //nolint:errorlint // as net/http compares it
			err = cmp.Or(req.Context().Err(), http.ErrAbortHandler)
		case p != nil:
			panic(p)
		}
	}()
	w := httptest.NewRecorder()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat)) // as servers do
	r.origin.ServeHTTP(w, req)
	return w.Result(), req.Context().Err()
}

// findings sums up what watches found.
type findings struct {
	mu      sync.Mutex
	tallies []hlscheck.Tally
}

func (f *findings) add(stream string, tallies []hlscheck.Tally) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tallies == nil {
		for _, r := range hlscheck.Rules() {
			f.tallies = append(f.tallies, hlscheck.Tally{Rule: r})
		}
	}
	for i, t := range tallies {
		sum := &f.tallies[i]
		sum.Evaluated += t.Evaluated
		sum.Violations += t.Violations
		for _, e := range t.Examples {
			sum.Examples = append(sum.Examples, stream+" "+e)
		}
	}
}

// judge holds what was found in a script against what is excused there.
func (f *findings) judge(t *testing.T, script string) {
	t.Helper()
	for _, sum := range f.tallies {
		i := slices.IndexFunc(excuses(), func(e excuse) bool {
			return e.rule == sum.Rule.Name && slices.Contains(strings.Fields(e.scripts), script)
		})
		most := 0
		if i >= 0 {
			most = cmp.Or(excuses()[i].most, sum.Evaluated)
		}
		switch {
		case sum.Violations > most:
			t.Errorf("%s (%s): %d of %d, %d excused: %s", sum.Rule.Name, sum.Rule.Level, sum.Violations, sum.Evaluated, most, strings.Join(sum.Examples, "; "))
		case sum.Violations == 0 && i >= 0:
			t.Errorf("%s is kept: it needs no excuse", sum.Rule.Name)
		}
	}
}

func (f *findings) String() string {
	evaluated, kept, unused := 0, 0, []string{}
	for _, sum := range f.tallies {
		evaluated += sum.Evaluated
		kept += sum.Evaluated - sum.Violations
		if sum.Evaluated == 0 {
			unused = append(unused, sum.Rule.Name)
		}
	}
	return fmt.Sprintf("%d of %d rules evaluated %d times, and kept %d times; never: %s",
		len(f.tallies)-len(unused), len(f.tallies), evaluated, kept, strings.Join(unused, ", "))
}
