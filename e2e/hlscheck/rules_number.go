package hlscheck

import (
	"time"
)

// overlap calls f for every complete segment that both states list.
func (e *Reload) overlap(f func(before, now *Segment)) {
	if e.Old == nil {
		return
	}
	for i := range e.Now.Segments {
		now := &e.Now.Segments[i]
		if before := e.Old.segment(now.MSN); before != nil && before.URI != "" && now.URI != "" {
			f(before, now)
		}
	}
}

// numberRules are about what must stay as it was from one reload to the next.
func numberRules() []Rule {
	return []Rule{
		{"msn-same-uri", "6.2.2", Must, "two reloads", on(func(t *Tally, e *Reload) {
			e.overlap(func(before, now *Segment) {
				t.expect(before.URI == now.URI, "%s: segment %d was %s and is %s", e.R.Name, now.MSN, before.URI, now.URI)
			})
		})},
		{"segment-unchanged", "6.2.1", Must, "two reloads", on(func(t *Tally, e *Reload) {
			e.overlap(func(a, b *Segment) {
				t.expect(a.URI != b.URI || a.Duration == b.Duration && a.PDT.Equal(b.PDT) && a.Map == b.Map, "%s: segment %d was %v at %v and is %v at %v",
					e.R.Name, b.MSN, a.Duration, a.PDT, b.Duration, b.PDT)
			})
		})},
		{"numbers-rise", "6.2.2", Must, "two reloads", on(func(t *Tally, e *Reload) {
			if e.Old != nil {
				t.expect(e.Now.MediaSequence >= e.Old.MediaSequence && !e.Now.Last().Before(e.Old.Last()), "%s: from %d to %v after from %d to %v",
					e.R.Name, e.Now.MediaSequence, e.Now.Last(), e.Old.MediaSequence, e.Old.Last())
			}
		})},
		{"discontinuity-sequence", "6.2.2", Must, "a discontinuity that leaves the playlist", on(func(t *Tally, e *Reload) {
			if e.Old == nil || e.Now.MediaSequence < e.Old.MediaSequence {
				return
			}
			want := e.Old.DiscontinuitySequence
			if left := e.Old.segment(e.Now.MediaSequence - 1); left != nil {
				want = left.Discontinuities
			}
			// How many there were is unknown when whole playlists were missed.
			if e.Now.MediaSequence <= e.Old.Last().MSN+1 && (want > e.Old.DiscontinuitySequence || e.Now.DiscontinuitySequence != want) {
				t.expect(e.Now.DiscontinuitySequence == want, "%s: %d, want %d", e.R.Name, e.Now.DiscontinuitySequence, want)
			}
		})},
		{"discontinuity-sequence-there", "Apple 8.17", Must, "a playlist", on(func(t *Tally, e *Sent) {
			t.expect(e.Raw.seen["#EXT-X-DISCONTINUITY-SEQUENCE"], "%s: no EXT-X-DISCONTINUITY-SEQUENCE", e.R.Name)
		})},
		{"pdt-there", "B.1, Apple 8.4", Must, "a segment", on(func(t *Tally, e *Reload) {
			for _, s := range e.Now.fresh(e.Old) {
				t.expect(!s.PDT.IsZero(), "%s: segment %d has none", e.R.Name, s.MSN)
			}
		})},
		{"pdt-rises", "4.4.4.6", Must, "two dated segments", on(func(t *Tally, e *Reload) {
			e.Now.dated(e.Old, func(a, b *Segment) {
				t.expect(b.PDT.After(a.PDT), "%s: segment %d at %v, the next at %v", e.R.Name, a.MSN, a.PDT, b.PDT)
			})
		})},
		{"pdt-follows-extinf", "4.4.4.6", Must, "two dated segments", on(func(t *Tally, e *Reload) {
			e.Now.dated(e.Old, func(a, b *Segment) {
				// Backwards is a matter of the rule above.
				if gap := b.PDT.Sub(a.PDT); !b.Discontinuity && gap > 0 {
					t.expect((gap-a.Duration).Abs() <= pdtTolerance, "%s: segment %d lasts %v, the next begins %v later", e.R.Name, a.MSN, a.Duration, gap)
				}
			})
		})},
	}
}

// pdtTolerance is a millisecond of rounding on each side.
const pdtTolerance = 2 * time.Millisecond

// dated calls f for neighbours with dates of which the second is new.
func (m *Media) dated(old *Media, f func(a, b *Segment)) {
	for i := range m.Segments {
		if i == 0 {
			continue
		}
		a, b := &m.Segments[i-1], &m.Segments[i]
		if old != nil && old.segment(b.MSN) != nil || a.PDT.IsZero() || b.PDT.IsZero() {
			continue
		}
		f(a, b)
	}
}
