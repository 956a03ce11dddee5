//go:build !race

package guard_test

import (
	"runtime"
	"testing"
)

// On the way of a message, go-rtmp allocates three small things and the guard
// nothing. (Under the race detector a sync.Pool forgets at random.)
func TestAllocations(t *testing.T) {
	w := newWire()
	w.chunk = 4096
	data := tenSeconds(w).b
	mallocs := func(rounds int) uint64 {
		h := &counter{buf: make([]byte, 1<<20)}
		loop := &looped{head: append(handshake(), publisher().chunkSize(4096).b...), body: data, left: rounds}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		serve(loop, h)
		runtime.ReadMemStats(&after)
		if h.messages != rounds*perRound {
			t.Fatalf("%d messages, want %d", h.messages, rounds*perRound)
		}
		return after.Mallocs - before.Mallocs
	}
	per := float64(mallocs(12)-mallocs(2)) / (10 * perRound)
	if per > 3.05 {
		t.Errorf("%.2f allocations per message, want 3", per)
	}
}
