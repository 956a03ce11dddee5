//go:build load && linux

package main

import (
	"math/bits"
	"time"
)

// Buckets of a histogram: microseconds, 64 to each power of two, so a percentile is
// at most 1.6 % too high.
const (
	fine    = 6
	buckets = (40 - fine) << fine // up to 2^39 µs
)

// histogram counts durations; the zero value is empty.
type histogram struct {
	n       int64
	max     time.Duration
	buckets [buckets]uint32
}

// add counts d; a clock that went back counts as zero.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.n++
	h.max = max(h.max, d)
	h.buckets[bucket(uint64(d.Microseconds()))]++
}

func bucket(us uint64) int {
	if us < 1<<fine {
		return int(us)
	}
	e := bits.Len64(us) - fine - 1
	return min(e<<fine+int(us>>e), buckets-1)
}

// upper is the largest duration of bucket i.
func upper(i int) time.Duration {
	if i < 2<<fine {
		return time.Duration(i) * time.Microsecond
	}
	e := i>>fine - 1
	return time.Duration((i-e<<fine+1)<<e-1) * time.Microsecond
}

// percentile returns the duration within which a share of all lies.
func (h *histogram) percentile(share float64) time.Duration {
	rest := int64(float64(h.n) * share)
	for i, n := range h.buckets {
		if rest -= int64(n); rest < 0 {
			return min(upper(i), h.max)
		}
	}
	return h.max
}

// merge adds another histogram.
func (h *histogram) merge(o *histogram) {
	h.n += o.n
	h.max = max(h.max, o.max)
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
}

// summary is a histogram in a report, in milliseconds.
type summary struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

func (h *histogram) summary() summary {
	return summary{
		Count: h.n, P50: millis(h.percentile(0.50)), P90: millis(h.percentile(0.90)),
		P99: millis(h.percentile(0.99)), Max: millis(h.max),
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
