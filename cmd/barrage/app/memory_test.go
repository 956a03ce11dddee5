package app

import "testing"

// The garbage that is allowed is all of what is not media, and a twentieth of what is.
func TestGarbagePercent(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name       string
		held, live int64
		stacks     int64
		want       int
	}{
		{"nothing yet", 0, 0, 0, 100},
		{"no media", 0, 500 * mib, 0, 100},
		{"half media", 500 * mib, 1000 * mib, 0, 47},
		{"almost all media", 4000 * mib, 4100 * mib, 0, 5},
		{"less alive than held: some is not marked yet", 2000 * mib, 1000 * mib, 0, 6},
		{"thousands of connections", 0, 40 * mib, 80 * mib, 33},
		{"a small heap", 4 * mib, 8 * mib, 0, 79},
	} {
		if got := garbagePercent(c.held, c.live, c.stacks); got != c.want {
			t.Errorf("%s: garbagePercent(%d, %d, %d) = %d, want %d", c.name, c.held, c.live, c.stacks, got, c.want)
		}
	}
}

func TestMediaBound(t *testing.T) {
	machine, ok := machineMemory()
	if !ok {
		machine = 1 << 62
	}
	if got := mediaBound(); got < 0 || got > machine/10*6 {
		t.Errorf("mediaBound() = %d of %d bytes, want 60 %% at most", got, machine)
	}
}
