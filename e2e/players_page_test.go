//go:build players

package e2e_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// watched is what players/watch.js counted on a page with a player.
type watched struct {
	Playing    float64   `json:"playing"`
	Stalls     []instant `json:"stalls"`
	Slow       []instant `json:"slow"`
	Jumps      []instant `json:"jumps"`
	Errors     []string  `json:"errors"`
	Frozen     float64   `json:"frozen"`
	Waiting    int       `json:"waiting"`
	Stalled    int       `json:"stalled"`
	Loads      int       `json:"loads"`
	Asked      float64   `json:"asked"`
	FirstFrame float64   `json:"firstFrame"`
	Ended      bool      `json:"ended"`
	Dropped    int       `json:"dropped"`
	Frames     int       `json:"frames"`
	Size       string    `json:"size"`
	Latency    *float64  `json:"latency"`
	Target     *float64  `json:"target"`
	Low        bool      `json:"low"`
}

// instant is something that happened at a time of the page, and how long it took.
type instant struct {
	At      float64 `json:"at"`
	Seconds float64 `json:"seconds"`
}

// engines are the players that run in a browser.
func engines() []string { return []string{"hls.js", "shaka"} }

// watch opens a page with one of the engines.
func (f *front) watch(t *testing.T, b *browser, name, engine string) page {
	t.Helper()
	return b.open(t, name, f.url+"/play/player.html?engine="+engine)
}

func (p page) watched(ctx context.Context) (w watched, err error) {
	return w, p.eval(ctx, "report()", &w)
}

func (p page) mustWatched(t *testing.T) watched {
	t.Helper()
	w, err := p.watched(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// until waits until so many more seconds have been played, and returns what was
// counted by then.
func (p page) until(t *testing.T, more float64, within time.Duration) (w watched) {
	t.Helper()
	from := p.mustWatched(t).Playing
	eventually(t, within, fmt.Sprintf("%s plays %.0f s", p.name, more), func() (err error) {
		if w, err = p.watched(t.Context()); err == nil && w.Playing < from+more {
			err = fmt.Errorf("played %.1f of %.1f s, stalls %v, jumps %v, errors %q, ended %v", w.Playing-from, more, w.Stalls, w.Jumps, w.Errors, w.Ended)
		}
		return err
	})
	return w
}

// longest is the longest of some stalls, 0 without any.
func longest(stalls []instant) (s float64) {
	for _, i := range stalls {
		s = max(s, i.Seconds)
	}
	return s
}

func (w watched) latency() float64 {
	if w.Latency == nil {
		return math.NaN()
	}
	return *w.Latency
}

// tally writes equal texts once, with their number.
func tally(texts []string) string {
	if len(texts) == 0 {
		return "none"
	}
	counts, order := map[string]int{}, []string{}
	for _, text := range texts {
		if counts[text]++; counts[text] == 1 {
			order = append(order, text)
		}
	}
	for i, text := range order {
		order[i] = fmt.Sprintf("%d %s", counts[text], text)
	}
	return strings.Join(order, ", ")
}
