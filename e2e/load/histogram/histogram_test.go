//go:build load

package histogram

import (
	"encoding/json"
	"testing"
	"time"
)

// TestHistogram: what is said is never less than the truth, and at most 1.6 % more.
func TestHistogram(t *testing.T) {
	var all, odd Histogram
	for i := 1; i <= 100_000; i++ {
		all.Add(time.Duration(i) * 10 * time.Microsecond)
		if i%2 == 1 {
			odd.Add(time.Duration(i) * 10 * time.Microsecond)
		}
	}
	for _, h := range []*Histogram{&all, &odd} {
		for _, share := range []float64{0.01, 0.5, 0.9, 0.99} {
			want := time.Duration(share * float64(time.Second))
			if got := h.Percentile(share); got < want || float64(got) > float64(want)*1.016+float64(20*time.Microsecond) {
				t.Errorf("%v of %d is %v, want %v", share, h.n, got, want)
			}
		}
	}
	text, err := json.Marshal(&odd)
	if err != nil {
		t.Fatal(err)
	}
	var other Histogram
	if err = json.Unmarshal(text, &other); err != nil {
		t.Fatal(err)
	}
	all.Merge(&other)
	if s := all.Summary(); s.Count != 150_000 || s.Max != 1000 || s.P50 < 500 || s.P50 > 510 {
		t.Errorf("merged: %+v", s)
	}
}

func TestForeignHistogram(t *testing.T) {
	for _, text := range []string{`[]`, `{"buckets":[[2176,1]]}`} {
		if err := json.Unmarshal([]byte(text), new(Histogram)); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func TestHistogramEdges(t *testing.T) {
	var h Histogram
	if got := h.Percentile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	h.Add(-time.Second)
	h.Add(1000 * time.Hour)
	if p50, p99 := h.Percentile(0.49), h.Percentile(0.99); p50 != 0 || p99 != upper(buckets-1) {
		t.Errorf("a negative and an endless one: %v, %v, want 0 and the last bucket's end", p50, p99)
	}
	for us := uint64(0); us < 1<<20; us = us*9/8 + 1 {
		i := bucket(us)
		if d := time.Duration(us) * time.Microsecond; upper(i) < d || i > 0 && upper(i-1) >= d {
			t.Errorf("%v is in the bucket from %v to %v", d, upper(i-1), upper(i))
		}
	}
}
