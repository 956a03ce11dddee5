//go:build load && linux

package main

import (
	"testing"
	"time"
)

// TestHistogram: what is said is never less than the truth, and at most 1.6 % more.
func TestHistogram(t *testing.T) {
	var all, odd histogram
	for i := 1; i <= 100_000; i++ {
		all.add(time.Duration(i) * 10 * time.Microsecond)
		if i%2 == 1 {
			odd.add(time.Duration(i) * 10 * time.Microsecond)
		}
	}
	for _, h := range []*histogram{&all, &odd} {
		for _, share := range []float64{0.01, 0.5, 0.9, 0.99} {
			want := time.Duration(share * float64(time.Second))
			if got := h.percentile(share); got < want || float64(got) > float64(want)*1.016+float64(20*time.Microsecond) {
				t.Errorf("%v of %d is %v, want %v", share, h.n, got, want)
			}
		}
	}
	all.merge(&odd)
	if s := all.summary(); s.Count != 150_000 || s.Max != 1000 || s.P50 < 500 || s.P50 > 510 {
		t.Errorf("merged: %+v", s)
	}
}

func TestHistogramEdges(t *testing.T) {
	var h histogram
	if got := h.percentile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	h.add(-time.Second)
	h.add(1000 * time.Hour)
	if p50, p99 := h.percentile(0.49), h.percentile(0.99); p50 != 0 || p99 != upper(buckets-1) {
		t.Errorf("a negative and an endless one: %v, %v, want 0 and the last bucket's end", p50, p99)
	}
	for us := uint64(0); us < 1<<20; us = us*9/8 + 1 {
		i := bucket(us)
		if d := time.Duration(us) * time.Microsecond; upper(i) < d || i > 0 && upper(i-1) >= d {
			t.Errorf("%v is in the bucket from %v to %v", d, upper(i-1), upper(i))
		}
	}
}
