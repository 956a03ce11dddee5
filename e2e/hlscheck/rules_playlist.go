package hlscheck

import (
	"math"
	"strings"
	"time"
)

// constant is a rule about a value that no reload may change.
func constant(name, ref, needs string, value func(*Media) time.Duration) Rule {
	return Rule{name, ref, Must, needs, on(func(t *Tally, e *Reload) {
		if e.Old == nil || e.Now.Ended || value(e.Old) == 0 {
			return // at its end a playlist may drop what only live ones need
		}
		t.expect(value(e.Now) == value(e.Old), "%s: %v after %v", e.R.Name, value(e.Now), value(e.Old))
	})}
}

// multiple is a rule about a value that another bounds from below.
func multiple(name, ref, needs string, least func(*Media) (value, bound time.Duration)) Rule {
	return Rule{name, ref, Must, needs, on(func(t *Tally, e *Reload) {
		if value, bound := least(e.Now); bound > 0 {
			t.expect(value >= bound, "%s: %v, at least %v", e.R.Name, value, bound)
		}
	})}
}

// playlistRules are those that one playlist shows, and what must never change.
func playlistRules() []Rule {
	const needsParts = "EXT-X-PART-INF"
	return []Rule{
		{"syntax", "4", Must, "a playlist", on(func(t *Tally, e *Sent) {
			t.expect(len(e.Raw.Problems) == 0, "%s: %s", e.Answer.URL, strings.Join(e.Raw.Problems, "; "))
		})},
		{"second-decoder", "4", Must, "a second decoder (tests have one)", on(func(t *Tally, e *Sent) {
			if e.Second {
				t.expect(e.Decode == nil, "%s: %v", e.Answer.URL, e.Decode)
			}
		})},
		constant("target-duration-constant", "6.2.1", "two reloads", func(m *Media) time.Duration { return m.TargetDuration }),
		constant("part-target-constant", "CoreMedia -12642", needsParts, func(m *Media) time.Duration { return m.PartTarget }),
		constant("hold-back-constant", "CoreMedia -12642", "HOLD-BACK", func(m *Media) time.Duration { return m.HoldBack }),
		constant("part-hold-back-constant", "CoreMedia -12642", "PART-HOLD-BACK", func(m *Media) time.Duration { return m.PartHoldBack }),
		constant("can-skip-until-constant", "4.4.3.8", "CAN-SKIP-UNTIL", func(m *Media) time.Duration { return m.CanSkipUntil }),
		{"version-constant", "4.4.1.2", Must, "a playlist", on(func(t *Tally, e *Sent) {
			if !e.Raw.Ended {
				t.expect(e.Raw.Version == e.First, "%s: version %d after %d", e.R.Name, e.Raw.Version, e.First)
			}
		})},
		{"version-sufficient", "8", Must, "a playlist", on(func(t *Tally, e *Sent) {
			t.expect(e.Raw.Version >= e.Raw.needs(), "%s: version %d, needs %d", e.R.Name, e.Raw.Version, e.Raw.needs())
		})},
		multiple("part-hold-back-3x", "Apple 14.3", needsParts, func(m *Media) (_, _ time.Duration) { return m.PartHoldBack, 3 * m.PartTarget }),
		multiple("hold-back-3x", "4.4.3.8", "HOLD-BACK", func(m *Media) (value, bound time.Duration) {
			if m.HoldBack > 0 {
				bound = 3 * m.TargetDuration
			}
			return m.HoldBack, bound
		}),
		multiple("can-skip-until-6x", "4.4.3.8", "CAN-SKIP-UNTIL", func(m *Media) (value, bound time.Duration) {
			if m.CanSkipUntil > 0 {
				bound = 6 * m.TargetDuration
			}
			return m.CanSkipUntil, bound
		}),
		{"can-block-reload", "B.1", Must, needsParts, on(func(t *Tally, e *Reload) {
			if e.Now.PartTarget > 0 {
				t.expect(e.Now.CanBlock, "%s: no CAN-BLOCK-RELOAD", e.R.Name)
			}
		})},
		{"delta-offered", "Apple 14.4", Should, needsParts, on(func(t *Tally, e *Reload) {
			if e.Now.PartTarget > 0 {
				t.expect(e.Now.CanSkipUntil > 0 || e.Now.Length() <= 2*time.Minute, "%s: %v long and no CAN-SKIP-UNTIL", e.R.Name, e.Now.Length())
			}
		})},
		{"segment-duration", "4.4.3.1", Must, "a segment", on(func(t *Tally, e *Reload) {
			for _, s := range e.Now.fresh(e.Old) {
				t.expect(math.Round(s.Duration.Seconds()) <= e.Now.TargetDuration.Seconds(), "%s: segment %d lasts %v, target %v", e.R.Name, s.MSN, s.Duration, e.Now.TargetDuration)
			}
		})},
		{"six-segments", "Apple 8.11", Should, "ten target durations of watching", on(func(t *Tally, e *Reload) {
			if e.Watched >= 10*e.Now.TargetDuration && !e.Now.Ended {
				t.expect(e.Now.complete() >= 6, "%s: %d segments", e.R.Name, e.Now.complete())
			}
		})},
		{"endlist-no-hint", "4.4.5.3", Must, "EXT-X-ENDLIST", on(func(t *Tally, e *Sent) {
			if e.Raw.Ended {
				t.expect(e.Raw.Hint == "", "%s: hint %s", e.R.Name, e.Raw.Hint)
			}
		})},
	}
}

// needs is the version that the tags of a playlist need.
func (m *Media) needs() int {
	least := 3 // EXTINF with fractions
	for i := range m.Segments {
		if m.Segments[i].Map != "" {
			least = max(least, 6)
		}
		if m.Segments[i].Gap {
			least = max(least, 8)
		}
	}
	if m.Skipped > 0 {
		least = 9
	}
	return least
}

// fresh are the complete segments that old does not list as complete.
func (m *Media) fresh(old *Media) []Segment {
	from := 0
	for i := range m.Segments {
		if old != nil {
			if s := old.segment(m.Segments[i].MSN); s != nil && s.URI != "" {
				from = i + 1
			}
		}
	}
	to := len(m.Segments)
	if to > 0 && m.Segments[to-1].URI == "" {
		to--
	}
	return m.Segments[min(from, to):to]
}

func (m *Media) complete() int { return len(m.fresh(nil)) }
