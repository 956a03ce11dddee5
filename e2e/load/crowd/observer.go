//go:build load && linux

package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// observer reads all that its node says to everybody, and adds up.
type observer struct {
	Node    string   `json:"node"`
	First   uint64   `json:"first_seq"`
	Last    uint64   `json:"last_seq"`
	Ticks   int64    `json:"ticks"`
	Shown   int64    `json:"shown"`  // comments in c
	Deltas  int64    `json:"deltas"` // sum over k
	Rest    int64    `json:"rest"`
	Gaps    int64    `json:"gaps"` // told, or not told: in both cases the sums mean nothing
	Bytes   int64    `json:"tick_bytes"`
	Biggest int      `json:"biggest_tick"`
	Wrong   []string `json:"wrong,omitempty"` // what a tick contradicted

	Totals  map[string]int64 `json:"totals,omitempty"` // of combos, by comment id
	Viewers int              `json:"viewers"`          // as last told

	left   time.Time // when there were first as few viewers as remain without the stalled
	remain int
}

// comments is everything that the ticks account for.
func (o *observer) comments() int64 { return o.Shown + o.Deltas + o.Rest }

// tick is all of a tick.
type tick struct {
	Seq     uint64              `json:"seq"`
	Viewers int                 `json:"viewers"`
	C       [][]json.RawMessage `json:"c"`
	K       [][]json.RawMessage `json:"k"`
	Rest    int64               `json:"rest"`
}

// take reads one tick.
func (o *observer) take(msg []byte, now time.Time) {
	var t tick
	if err := json.Unmarshal(msg, &t); err != nil {
		o.wrong("tick: %v in %.80s", err, msg)
		return
	}
	if o.Ticks == 0 {
		o.First = t.Seq
	} else if t.Seq != o.Last+1 {
		o.Gaps++
	}
	o.Last, o.Viewers = t.Seq, t.Viewers
	o.Ticks++
	o.Bytes += int64(len(msg))
	o.Biggest = max(o.Biggest, len(msg))
	o.Shown += int64(len(t.C))
	o.Rest += t.Rest
	if t.Viewers <= o.remain && o.left.IsZero() {
		o.left = now
	}
	for _, k := range t.K {
		o.combo(t.Seq, k)
	}
}

// combo checks one [commentId, delta, total]. The comment itself is the first of
// the total: it came in c. The total may be more than the deltas add up to, by
// those who were only counted before the first of the combo was shown.
func (o *observer) combo(seq uint64, k []json.RawMessage) {
	var id string
	var delta, total int64
	if len(k) < 3 || json.Unmarshal(k[0], &id) != nil || json.Unmarshal(k[1], &delta) != nil || json.Unmarshal(k[2], &total) != nil {
		o.wrong("tick %d: combo %s", seq, k)
		return
	}
	if o.Totals == nil {
		o.Totals = map[string]int64{}
	}
	before, known := o.Totals[id]
	if !known {
		before = 1
	}
	if before+delta > total {
		o.wrong("tick %d: combo %s: %d and %d more are at least %d, not %d", seq, id, before, delta, before+delta, total)
	}
	o.Deltas += delta
	o.Totals[id] = total
}

func (o *observer) wrong(format string, a ...any) {
	if len(o.Wrong) < 10 {
		o.Wrong = append(o.Wrong, fmt.Sprintf(format, a...))
	}
}
