//go:build e2e

package e2e_test

import (
	"testing"
	"time"
)

// TestTogether has three people with three networks in one room.
// It measures milliseconds, so it does not run beside other tests.
func TestTogether(t *testing.T) {
	s := serve(t, selfSigned(t)...)
	smallCard(t, s)
	pages := audience(t, s, []line{{0, 0}, {60, 8000}, {120, 2500}})
	inaudible(t, meet(t, pages, 150, 40*time.Second))
	for _, p := range pages {
		p.calm(t)
	}
}
