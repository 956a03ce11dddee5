//go:build load && linux

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"barrage/e2e/load/histogram"
)

// tally is what all viewers saw since it was last cleared. It belongs to the crowd's
// goroutine.
type tally struct {
	requests  [kinds]int64
	bytes     int64 // of bodies, as they came
	took      [kinds]histogram.Histogram
	late      histogram.Histogram // a piece arrived, after anybody's playlist had it
	age       histogram.Histogram // a piece arrived, after its beginning by the playlist's clock
	overshoot histogram.Histogram // a blocked playlist arrived, after anybody else had it
	latency   histogram.Histogram // what is shown, behind the playlist's clock
	errors    map[string]int64
	stalls    int64
	stopped   time.Duration
	victims   map[int]bool // viewers that stalled
}

func (t *tally) clear() {
	*t = tally{errors: map[string]int64{}, victims: map[int]bool{}}
}

// count adds one answer.
func (t *tally) count(a *arrival) {
	t.requests[a.kind]++
	t.bytes += a.size
	switch {
	case a.err != nil:
		err := a.err
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err // without the address: errors are counted by what happened
		}
		t.fail(fmt.Sprintf("%v: %v", a.kind, err))
	case a.status != http.StatusOK:
		t.fail(fmt.Sprintf("%v: %d", a.kind, a.status))
	default:
		t.took[a.kind].Add(a.done.Sub(a.asked))
	}
}

func (t *tally) fail(what string) { t.errors[what]++ }

func (t *tally) stall(viewer int, d time.Duration) {
	t.stalls++
	t.stopped += d
	t.victims[viewer] = true
}
