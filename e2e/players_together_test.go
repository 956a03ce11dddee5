//go:build players

package e2e_test

import (
	"testing"
	"time"
)

// TestPlayersTogether has ten people with ten networks in one room: after a minute
// they see the same picture, and go on seeing it.
func TestPlayersTogether(t *testing.T) {
	s := serve(t, selfSigned(t)...)
	smallCard(t, s)
	pages := audience(t, s, []line{
		{0, 0}, {20, 20_000}, {40, 10_000}, {60, 6000}, {80, 4000}, {100, 3000}, {120, 2500}, {140, 2000}, {160, 1500}, {30, 1200},
	})
	began := time.Now()
	meet(t, pages, 1e9, 60*time.Second) // every page has a picture
	t.Logf("all pages opened and playing after %.1f s", time.Since(began).Seconds())
	for from := time.Now(); time.Since(from) < time.Minute; {
		throughout(t, 10*time.Second, "pages play", func() error { return nil })
		_, off, err := sights(t, pages)
		t.Logf("after %2.0f s: %3.0f ms off at most, %v", time.Since(from).Seconds(), off, err)
	}
	all, off, err := sights(t, pages)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range all {
		t.Logf("| page %d | %.0f ms behind | %s | late %+.0f ms | rates %.4f to %.4f | %d waits | distance %.1f |",
			i+1, s.Behind, s.Union, s.Late*1000, s.Slowest, s.Fastest, len(s.Waits), s.Distance)
	}
	if off > 150 {
		t.Errorf("one page is %.0f ms off, want 150 at most", off)
	}
	inaudible(t, all)
}
