package hlscheck

import (
	"slices"
	"strings"
	"time"
)

// leastPart is how much of PART-TARGET a part must last (4.4.4.9).
const leastPart = 85

// partRules are about parts as the playlist lists them.
func partRules() []Rule {
	const needsParts = "EXT-X-PART"
	return []Rule{
		{"part-duration-max", "4.4.4.9", Must, needsParts, on(func(t *Tally, e *Reload) {
			e.newParts(func(s *Segment, p *Part, _ int) {
				t.expect(p.Duration <= e.Now.PartTarget, "%s: %s of segment %d lasts %v, target %v", e.R.Name, p.URI, s.MSN, p.Duration, e.Now.PartTarget)
			})
		})},
		{"part-duration-min", "4.4.4.9", Must, needsParts, on(func(t *Tally, e *Reload) {
			e.ripeParts(func(s *Segment, p *Part, i int) {
				short := p.Duration*100 < e.Now.PartTarget*leastPart
				excused := p.Independent && !e.allIndependent() || p.Gap || i+1 < len(s.Parts) && s.Parts[i+1].Gap || s.URI != "" && i == len(s.Parts)-1
				t.expect(!short || excused, "%s: %s of segment %d lasts %v, target %v", e.R.Name, p.URI, s.MSN, p.Duration, e.Now.PartTarget)
			})
		})},
		{"part-tags-trimmed", "6.2.2", Should, needsParts, on(func(t *Tally, e *Reload) {
			left := e.Now.Length()
			for i := range e.Now.Segments {
				s := &e.Now.Segments[i]
				left -= s.length()
				// The end of the newest part of s is left before the end of the playlist.
				if e.Now.PartTarget > 0 && left > 3*e.Now.TargetDuration+partRounding {
					t.expect(len(s.Parts) == 0, "%s: the parts of segment %d end %v before the end", e.R.Name, s.MSN, left)
				}
			}
		})},
		{"part-cadence", "6.2.1", Must, needsParts, on(func(t *Tally, e *Reload) {
			if e.Since > 0 && e.Blocking && e.Now.PartTarget > 0 && !e.Now.Ended {
				t.expect(e.Since <= e.Now.PartTarget+e.Jitter, "%s: %v came %v after %v, target %v", e.R.Name, e.Now.Last(), e.Since, e.Old.Last(), e.Now.PartTarget)
			}
		})},
		{"preamble-before-part", "4.4.4.9", Must, "a segment with parts", on(func(t *Tally, e *Sent) {
			for i := range e.Raw.Segments {
				if s := &e.Raw.Segments[i]; len(s.Parts) > 0 {
					t.expect(len(s.Late) == 0, "%s: segment %d has %s behind a part", e.R.Name, s.MSN, strings.Join(s.Late, ", "))
				}
			}
		})},
	}
}

// partRounding is what EXTINF of three target durations may be rounded by, and a unit of sound.
const partRounding = 25 * time.Millisecond

// allIndependent says that being independent excuses nothing: sound, where every
// sample is a sync sample.
func (e *Reload) allIndependent() bool {
	return !slices.ContainsFunc(e.Now.Segments, func(s Segment) bool {
		return slices.ContainsFunc(s.Parts, func(p Part) bool { return !p.Independent })
	})
}

// newParts calls f for every part that was not listed before.
func (e *Reload) newParts(f func(s *Segment, p *Part, index int)) {
	for i := range e.Now.Segments {
		s := &e.Now.Segments[i]
		for j := range s.Parts {
			if e.Old != nil {
				at := Position{s.MSN, j}
				if last := e.Old.Last(); !last.Before(at) {
					continue
				}
			}
			f(s, &s.Parts[j], j)
		}
	}
}

// ripeParts calls f for every part that has got a successor or the end of its
// segment since the state before: only then is it known whether it may be short.
func (e *Reload) ripeParts(f func(s *Segment, p *Part, index int)) {
	for i := range e.Now.Segments {
		s := &e.Now.Segments[i]
		for j := range s.Parts {
			if e.Old != nil {
				if old := e.Old.segment(s.MSN); old != nil && (old.URI != "" || j+1 < len(old.Parts)) {
					continue
				}
			}
			if s.URI != "" || j+1 < len(s.Parts) {
				f(s, &s.Parts[j], j)
			}
		}
	}
}

// edgeRules are about rendition reports and preload hints.
func edgeRules() []Rule { //nolint:gocognit // a table: each of its functions is short
	const needsPeer = "parts and a second media playlist"
	return []Rule{
		{"report-there", "B.1", Must, needsPeer, on(func(t *Tally, e *Reload) {
			if e.Now.PartTarget == 0 || e.Now.Ended {
				return
			}
			for _, o := range e.Peers {
				n := 0
				for _, r := range e.Now.Reports {
					if e.R.at(r.URI).Path == o.url.Path {
						n++
					}
				}
				t.expect(n == 1, "%s: %d reports of %s", e.R.Name, n, o.Name)
			}
		})},
		{"report-relative", "4.4.5.4", Must, needsPeer, on(func(t *Tally, e *Reload) {
			for _, r := range e.Now.Reports {
				t.expect(!strings.Contains(r.URI, "://") && !strings.HasPrefix(r.URI, "//"), "%s: %s", e.R.Name, r.URI)
			}
		})},
		{"report-fresh", "4.4.5.4", Must, needsPeer, on(func(t *Tally, e *Reload) {
			for _, r := range e.Now.Reports {
				for o, then := range e.Others {
					if e.Blocking && e.R.at(r.URI).Path == o.url.Path {
						t.expect(!r.At.Before(then), "%s: %s is at %v, it was at %v before this was asked for", e.R.Name, o.Name, r.At, then)
					}
				}
			}
		})},
		// Before a discontinuity a hint would lead players to a part behind an init section that they do not know yet.
		{"hint-there", "B.1", Should, "EXT-X-PART-INF", on(func(t *Tally, e *Reload) {
			if e.Old == nil || e.Old.PartTarget == 0 || e.Old.Ended || e.Now.Ended {
				return
			}
			first := true
			e.newParts(func(s *Segment, _ *Part, i int) {
				if first && (i > 0 || !s.Discontinuity) {
					t.expect(e.Old.Hint != "", "%s: no EXT-X-PRELOAD-HINT before segment %d went on", e.R.Name, s.MSN)
				}
				first = false
			})
		})},
		{"hint-becomes-part", "4.4.5.3", Must, "EXT-X-PRELOAD-HINT", on(func(t *Tally, e *Reload) {
			if e.Old == nil || e.Old.Hint == "" || e.Now.Ended {
				return
			}
			first := true
			e.newParts(func(s *Segment, p *Part, i int) {
				if first && (i > 0 || !s.Discontinuity) {
					t.expect(p.URI == e.Old.Hint, "%s: hinted %s, then came %s", e.R.Name, e.Old.Hint, p.URI)
				}
				first = false
			})
		})},
		{"hint-served", "6.2.6", Must, "EXT-X-PRELOAD-HINT", on(func(t *Tally, e *Hinted) {
			if e.Listed {
				t.expect(e.Answer.Status == 200, "%v after %v", e.Answer, e.Answer.Arrived.Sub(e.Answer.Sent))
			}
		})},
		{"hint-abandoned-404", "6.2.6", Should, "a hint that never becomes a part", on(func(t *Tally, e *Hinted) {
			// The last part of a stream may come with its end.
			if !e.Listed && (!e.Ended || e.Answer.Status != 200) {
				t.expect(e.Answer.Status == 404, "%v", e.Answer)
			}
		})},
		{"part-at-line-rate", "6.2.6", Must, "EXT-X-PRELOAD-HINT", on(func(t *Tally, e *Hinted) {
			if e.Listed && e.Answer.Status == 200 {
				took := e.Answer.Arrived.Sub(e.Answer.First)
				t.expect(took < slowestPart, "%s: %v from the header to the last byte", e.Answer.URL, took)
			}
		})},
	}
}

// slowestPart is what a part may take once its bytes begin to come: it was complete by then.
const slowestPart = 150 * time.Millisecond
