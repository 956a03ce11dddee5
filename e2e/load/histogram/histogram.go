//go:build load

// Package histogram counts durations and says within which of them a share of all
// lies. It is for the tools beside it.
package histogram

import (
	"encoding/json"
	"errors"
	"math/bits"
	"time"
)

// Buckets of a histogram: microseconds, 64 to each power of two, so a percentile is
// at most 1.6 % too high.
const (
	fine    = 6
	buckets = (40 - fine) << fine // up to 2^39 µs
)

// Histogram counts durations; the zero value is empty.
type Histogram struct {
	n       int64
	max     time.Duration
	buckets [buckets]uint32
}

// Add counts d; a clock that went back counts as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.n++
	h.max = max(h.max, d)
	h.buckets[bucket(uint64(d.Microseconds()))]++
}

// Count is how many durations there are.
func (h *Histogram) Count() int64 { return h.n }

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

// Percentile returns the duration within which a share of all lies.
func (h *Histogram) Percentile(share float64) time.Duration {
	rest := int64(float64(h.n) * share)
	for i, n := range h.buckets {
		if rest -= int64(n); rest < 0 {
			return min(upper(i), h.max)
		}
	}
	return h.max
}

// Merge adds another histogram.
func (h *Histogram) Merge(o *Histogram) {
	h.n += o.n
	h.max = max(h.max, o.max)
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
}

// packed is a histogram in JSON, for another process to merge.
type packed struct {
	Max     time.Duration `json:"max"`
	Buckets [][2]uint32   `json:"buckets"` // index and count of those that are not empty
}

// MarshalJSON implements json.Marshaler.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	p := packed{Max: h.max}
	for i, n := range h.buckets {
		if n > 0 {
			p.Buckets = append(p.Buckets, [2]uint32{uint32(i), n})
		}
	}
	return json.Marshal(p)
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Histogram) UnmarshalJSON(text []byte) error {
	var p packed
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	*h = Histogram{max: p.Max}
	for _, b := range p.Buckets {
		if b[0] >= buckets {
			return errors.New("histogram: no such bucket")
		}
		h.n += int64(b[1])
		h.buckets[b[0]] += b[1]
	}
	return nil
}

// Summary is a histogram in a report, in milliseconds.
type Summary struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// Summary returns what a report says of h.
func (h *Histogram) Summary() Summary {
	return Summary{
		Count: h.n, P50: Millis(h.Percentile(0.50)), P90: Millis(h.Percentile(0.90)),
		P99: Millis(h.Percentile(0.99)), Max: Millis(h.max),
	}
}

// Millis returns d in milliseconds.
func Millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
