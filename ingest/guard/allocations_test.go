//go:build !race

package guard_test

import (
	"runtime"
	"testing"
)

// On the way of a message, one thing is allocated: the sample that the handler
// keeps. (Under the race detector a sync.Pool forgets at random.)
func TestAllocations(t *testing.T) {
	w := newWire()
	w.chunk = 4096
	data := tenSeconds(w).b
	mallocs := func(rounds int) uint64 {
		var d demuxer
		loop := &looped{head: append(handshake(), publisher().chunkSize(4096).b...), body: data, left: rounds}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		serve(t, loop, d.media)
		runtime.ReadMemStats(&after)
		if d.samples != rounds*perRound {
			t.Fatalf("%d samples, want %d", d.samples, rounds*perRound)
		}
		return after.Mallocs - before.Mallocs
	}
	per := float64(mallocs(12)-mallocs(2)) / (10 * perRound)
	if per > 1.05 {
		t.Errorf("%.2f allocations per message, want 1", per)
	}
}
