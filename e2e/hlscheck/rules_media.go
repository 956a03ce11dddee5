package hlscheck

import (
	"net/http"
	"time"
)

// mediaRules hold the playlist against the bytes it names.
func mediaRules() []Rule { //nolint:gocognit // a table: each of its functions is short
	const needsBoxes = "fragmented MP4"
	return []Rule{
		{"listed-is-there", "6.2.1", Must, "media", on(func(t *Tally, e *Fetched) {
			t.expect(e.Answer.Status == http.StatusOK, "%v", e.Answer)
		})},
		{"uri-same-bytes", "6.2.1", Must, "media loaded twice", on(func(t *Tally, e *Fetched) {
			if e.Known {
				t.expect(e.Same, "%s: other bytes than before", e.Answer.URL)
			}
		})},
		{"removed-segment-stays", "6.2.2", Must, "a segment that has left, for as long again", on(func(t *Tally, e *Removed) {
			if e.Kind == KindSegment {
				t.expect(e.Answer.good() && len(e.Answer.Body) > 0, "%v, %v after it left the playlist", e.Answer, e.After)
			}
		})},
		{"removed-part-stays", "6.2.2", Must, "a part that has left, three target durations ago", on(func(t *Tally, e *Removed) {
			if e.Kind == KindPart {
				t.expect(e.Answer.good() && len(e.Answer.Body) > 0, "%v, %v after it left the playlist", e.Answer, e.After)
			}
		})},
		{"media-readable", "3.1", Must, "media", on(func(t *Tally, e *Fetched) {
			if e.Answer.good() && (e.Part != nil || e.Segment != nil) {
				t.expect(e.Err == nil, "%s: %v", e.Answer.URL, e.Err)
			}
		})},
		{"init-matches-codecs", "4.4.6.2", Must, needsBoxes, on(func(t *Tally, e *Init) {
			if e.Err != nil || e.Track == nil {
				t.expect(false, "%v: %v", e.Answer, e.Err)
				return
			}
			if e.Codecs == "" {
				return // its absence has a rule of its own
			}
			t.expect(e.Track.named(e.Codecs), "%s: %s, CODECS %s", e.Answer.URL, e.Track.Codec, e.Codecs)
		})},
		{"part-lasts-as-said", "4.4.4.9", Must, needsBoxes, on(func(t *Tally, e *Fetched) {
			if p := e.Part; p != nil && p.span.Unit > 0 {
				t.expect((p.span.End-p.span.Start-p.Duration).Abs() <= p.span.Unit, "%s: says %v, lasts %v", e.URI, p.Duration, p.span.End-p.span.Start)
			}
		})},
		{"extinf-sum", "Apple 8.1", Must, needsBoxes, on(func(t *Tally, e *Fetched) {
			if e.Summed {
				t.expect(e.Drift.Abs() <= e.Segment.span.Unit, "%s: the sum of EXTINF is %v off the media", e.URI, e.Drift)
			}
		})},
		{"media-without-hole", "4.4.4.3", Must, needsBoxes, on(func(t *Tally, e *Fetched) {
			if e.Gap || e.Err != nil || !e.Answer.good() {
				return
			}
			if p := e.Part; p != nil && p.span.Unit > 0 {
				t.expect((p.span.Start-e.Expect).Abs() <= clockTick, "%s: starts at %v, what was before ended at %v", e.URI, p.span.Start, e.Expect)
			}
			if s := e.Segment; s != nil && s.span.Unit > 0 {
				t.expect((s.span.Start-e.Expect).Abs() <= clockTick, "%s: starts at %v, what was before ended at %v", e.URI, s.span.Start, e.Expect)
			}
		})},
		{"segment-is-parts", "4.4.4.9", Must, "a segment whose parts are known", on(func(t *Tally, e *Fetched) {
			if e.Segment != nil && e.Complete && e.Err == nil {
				t.expect(e.Joined, "%s: other bytes than its %d parts", e.URI, len(e.Segment.Parts))
			}
		})},
		{"independent-is-sync", "4.4.4.9", Must, "INDEPENDENT=YES", on(func(t *Tally, e *Fetched) {
			if p := e.Part; p != nil && p.Independent && p.span.Unit > 0 {
				t.expect(p.span.Sync, "%s: INDEPENDENT=YES, and the first sample is no sync sample", e.URI)
			}
		})},
		{"segment-starts-with-sync", "Apple 7.4", Should, needsBoxes, on(func(t *Tally, e *Fetched) {
			if s := e.Segment; s != nil && s.span.Unit > 0 {
				t.expect(s.span.Sync, "%s: segment %d, of %v, starts with no sync sample", e.URI, s.MSN, s.Duration)
			}
		})},
		{"independent-segments", "4.4.2.1", Must, needsBoxes, on(func(t *Tally, e *Fetched) {
			if s := e.Segment; s != nil && s.span.Unit > 0 && e.R.now != nil {
				t.expect(s.span.Sync || !e.R.now.IndependentSegments, "%s: EXT-X-INDEPENDENT-SEGMENTS, and no sync sample", e.URI)
			}
		})},
	}
}

// clockTick is a rounding of a track's clock.
const clockTick = 100 * time.Microsecond

// transportRules are about MPEG-TS.
func transportRules() []Rule {
	const needs = "a rendition of MPEG-TS"
	return []Rule{
		{"ts-plain", "old players", Should, needs, on(func(t *Tally, e *Sent) {
			if len(e.Raw.Segments) > 0 && e.Raw.Segments[0].Map == "" && e.Raw.Skipped == 0 {
				t.expect(e.Raw.Version <= 3 && e.Raw.PartTarget == 0 && e.Raw.Hint == "" && len(e.Raw.Reports) == 0, "%s: version %d, PART-TARGET %v, hint %q",
					e.R.Name, e.Raw.Version, e.Raw.PartTarget, e.Raw.Hint)
			}
		})},
		{"ts-tables-first", "3.1.1", Must, needs, on(func(t *Tally, e *Fetched) {
			if e.Segment != nil && e.Segment.packets != nil {
				t.expect(e.Segment.packets.Tables, "%s: does not begin with PAT and PMT", e.URI)
			}
		})},
		{"ts-continuity", "13818-1, 2.4.3.3", Must, needs, on(func(t *Tally, e *Fetched) {
			if e.Segment != nil && e.Segment.packets != nil {
				t.expect(e.Continues && e.Segment.packets.Broken == 0, "%s: %d breaks inside, goes on from the segment before: %v", e.URI, e.Segment.packets.Broken, e.Continues)
			}
		})},
		{"ts-pts-follows-pdt", "4.4.4.6", Must, needs, on(func(t *Tally, e *Fetched) {
			if e.PTSTimed {
				t.expect(e.PTSDrift.Abs() <= ptsTolerance, "%s: PTS and date are %v apart", e.URI, e.PTSDrift)
			}
		})},
	}
}

// ptsTolerance is about one picture: dates are those of decoding, PTS of showing.
const ptsTolerance = 45 * time.Millisecond
