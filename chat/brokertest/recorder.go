package brokertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"barrage/chat"
)

// Recorder is a chat.Handler that remembers what it was told.
type Recorder struct {
	mu      sync.Mutex
	seen    []string // "frame x", "state phase", "link true"
	changed chan struct{}
}

// NewRecorder makes an empty Recorder.
func NewRecorder() *Recorder {
	return &Recorder{changed: make(chan struct{})}
}

// Frame implements chat.Handler.
func (r *Recorder) Frame(frame []byte) { r.note("frame " + string(frame)) }

// State implements chat.Handler.
func (r *Recorder) State(s chat.RoomState) {
	r.note(fmt.Sprintf("state %s %q %d", s.Room, s.Phase, s.PDT))
}

// Link implements chat.Handler.
func (r *Recorder) Link(up bool) { r.note(fmt.Sprintf("link %t", up)) }

func (r *Recorder) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, what)
	close(r.changed)
	r.changed = make(chan struct{})
}

// look returns what was seen and a channel that closes when there is more.
func (r *Recorder) look() ([]string, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen), r.changed
}

// Seen returns everything told so far that begins with kind ("frame ",
// "state ", "link ", or "" for all), without kind.
func (r *Recorder) Seen(kind string) []string {
	all, _ := r.look()
	return only(all, kind)
}

func only(all []string, kind string) []string {
	var seen []string
	for _, s := range all {
		if rest, ok := strings.CutPrefix(s, kind); ok {
			seen = append(seen, rest)
		}
	}
	return seen
}

// Wait waits until what was told, in Seen's words, is ok.
func (r *Recorder) Wait(tb testing.TB, what string, ok func(all []string) bool) []string {
	tb.Helper()
	late := time.After(patience)
	for {
		all, changed := r.look()
		if ok(all) {
			return all
		}
		select {
		case <-changed:
		case <-late:
			tb.Fatalf("not within %v: %s\nseen: %q", patience, what, all)
		}
	}
}

// WaitFor waits for one thing, as in "frame x".
func (r *Recorder) WaitFor(tb testing.TB, thing string) []string {
	tb.Helper()
	return r.Wait(tb, thing, func(all []string) bool { return slices.Contains(all, thing) })
}

// waitFrames waits for as many frames as want has and compares them.
func (r *Recorder) waitFrames(tb testing.TB, want ...string) {
	tb.Helper()
	all := r.Wait(tb, fmt.Sprintf("%d frames", len(want)), func(all []string) bool {
		return len(only(all, "frame ")) >= len(want)
	})
	if got := only(all, "frame "); !slices.Equal(got, want) {
		tb.Fatalf("frames = %.2000q, want %.2000q", got, want)
	}
}
