package hlscheck

import (
	"bytes"
	"net/http"
	"time"
)

// reloadRules are about delta updates and blocking reloads.
func reloadRules() []Rule { //nolint:gocognit // a table: each of its functions is short
	const needsBlocking, needsSkip = "CAN-BLOCK-RELOAD", "CAN-SKIP-UNTIL"
	return []Rule{
		{"delta-is-whole", "6.2.5.1", Must, needsSkip, on(func(t *Tally, e *Delta) {
			if e.Merged == nil || e.Full == nil {
				t.expect(e.Err == nil, "%s: %v", e.R.Name, e.Err)
				return
			}
			diff := e.Merged.equal(e.Full)
			t.expect(diff == "", "%s: %s", e.R.Name, diff)
		})},
		{"skip-boundary", "4.4.5.2", Must, needsSkip, on(func(t *Tally, e *Sent) {
			if e.Raw.Skipped > 0 && !e.Raw.Ended {
				// "Skip Boundary: distance from the end of the playlist": what is nearer must be there.
				t.expect(e.Raw.Length() >= e.Raw.CanSkipUntil, "%s: %v left of %v", e.R.Name, e.Raw.Length(), e.Raw.CanSkipUntil)
			}
		})},
		{"skip-only-when-asked", "6.2.5.1", Must, "a playlist", on(func(t *Tally, e *Sent) {
			if !e.Raw.Ended {
				t.expect(e.Raw.Skipped == 0 || e.Answer.Ask.Skip && e.Offers, "%s: %d segments skipped", e.Answer.URL, e.Raw.Skipped)
			}
		})},
		{"skip-not-at-end", "6.2.5.1", Must, "EXT-X-ENDLIST", on(func(t *Tally, e *Sent) {
			if e.Raw.Ended {
				t.expect(e.Raw.Skipped == 0, "%s: %d segments skipped", e.Answer.URL, e.Raw.Skipped)
			}
		})},
		{"reload-brings-part", "6.2.5.2", Must, needsBlocking, on(func(t *Tally, e *Probe) {
			if e.Name == probeReload && e.Got != nil && !e.Got.Ended && !e.pastEnd() {
				t.expect(e.Got.Has(*e.Answer.Ask.Want) || e.gaveUp(), "%s: came with %v", e.Answer.URL, e.Got.Last())
			}
		})},
		{"reload-waits-on", "6.2.5.2", Should, needsBlocking, on(func(t *Tally, e *Probe) {
			if e.Name == probeReload && e.Got != nil && !e.Got.Ended {
				t.expect(e.brought() || !e.gaveUp(), "%s: came with %v after %v", e.Answer.URL, e.Got.Last(), e.Answer.Arrived.Sub(e.Answer.Sent))
			}
		})},
		{"part-past-end", "6.2.5.2", Must, "a segment whose parts are known", on(func(t *Tally, e *Probe) {
			if e.Name == probeReload && e.pastEnd() && e.Answer.Status != http.StatusServiceUnavailable {
				next := Position{e.Answer.Ask.Want.MSN + 1, 0}
				t.expect(e.Got != nil && (e.Got.Ended || e.Got.Has(next) || e.gaveUp()), "%v, want the first part of the next segment", e.Answer)
			}
		})},
		{"reload-served", "6.2.5.2", Must, needsBlocking, on(func(t *Tally, e *Probe) {
			if e.Name == probeReload && !e.pastEnd() {
				t.expect(e.Answer.Status == http.StatusOK || e.Answer.Status == http.StatusServiceUnavailable, "%v", e.Answer)
			}
		})},
		{"blocks-three-targets", "6.2.5.2", Should, needsBlocking, on(func(t *Tally, e *Probe) {
			if e.Name == probeReload && e.Before != nil {
				took := e.Answer.Arrived.Sub(e.Answer.Sent)
				t.expect(took <= 3*e.Before.TargetDuration+time.Second/2, "%v after %v", e.Answer, took)
			}
		})},
	}
}

// brought says that a reload got what it waited for, to the letter or behind the end of a segment.
func (e *Probe) brought() bool {
	want := *e.Answer.Ask.Want
	if e.pastEnd() {
		want = Position{want.MSN + 1, 0}
	}
	return e.Got.Has(want)
}

// gaveUp says that a reload was held for a while and then got a playlist without
// what it waited for, which no cache may keep: better than 503 for players that
// leave the low-latency mode at the first error, when the encoder is away.
func (e *Probe) gaveUp() bool {
	return e.Answer.lifetime() == 0 && e.Answer.Arrived.Sub(e.Answer.Sent) > e.Got.PartTarget
}

// pastEnd says that a part behind the end of its segment was asked for.
func (e *Probe) pastEnd() bool {
	if e.Before == nil {
		return false
	}
	s := e.Before.segment(e.Answer.Ask.Want.MSN)
	return s != nil && s.URI != "" && e.Answer.Ask.Want.Part >= len(s.Parts) && len(s.Parts) > 0
}

// refused is a rule about a request that must get 400.
func refused(name, ref string, level Level, probe string) Rule {
	return Rule{name, ref, level, "CAN-BLOCK-RELOAD and parts", on(func(t *Tally, e *Probe) {
		if e.Name == probe && (e.Got == nil || !e.Got.Ended) {
			t.expect(e.Answer.Status == http.StatusBadRequest, "%v, want 400", e.Answer)
		}
	})}
}

// probeRules are about requests that players should not, or rarely, send.
func probeRules() []Rule {
	return []Rule{
		refused("part-without-msn-400", "6.2.5.2", Must, probePartAlone),
		refused("msn-too-far-400", "6.2.5.2", Should, probeMSNTooFar),
		refused("part-too-far-400", "6.2.5.2", Should, probePartTooFar),
		{"stale-msn-current", "6.2.5.2", Must, "CAN-BLOCK-RELOAD", on(func(t *Tally, e *Probe) {
			if e.Name == probeStale {
				t.expect(e.Got != nil && !e.Got.Last().Before(e.Before.Last()), "%v, want the playlist as it is", e.Answer)
			}
		})},
		{"unknown-404", "HTTP", Must, "a media playlist", on(func(t *Tally, e *Probe) {
			if e.Name == probeNothing {
				t.expect(e.Answer.Status == http.StatusNotFound, "%v", e.Answer)
			}
		})},
		{"end-ignores-directives", "6.2.5", Must, "EXT-X-ENDLIST", on(func(t *Tally, e *Probe) {
			if e.Name == probeEnd {
				t.expect(e.Got != nil && e.Got.Ended, "%v, want the playlist with EXT-X-ENDLIST", e.Answer)
			}
		})},
		{"gzip-offered", "Apple 10.1", Must, "a media playlist", on(func(t *Tally, e *Encodings) {
			t.expect(e.Zip.Gzip && !e.Plain.Gzip, "%s: asked for gzip got it=%v, asked for identity got gzip=%v", e.Zip.URL, e.Zip.Gzip, e.Plain.Gzip)
		})},
		{"gzip-equal", "Apple 10.1", Must, "a media playlist", on(func(t *Tally, e *Encodings) {
			if e.Same {
				t.expect(bytes.Equal(e.Plain.Body, e.Zip.Body), "%s: the zipped playlist is another", e.Zip.URL)
			}
		})},
		{"answers", "HTTP", Must, "a request", on(func(t *Tally, e *Silence) {
			t.expect(e.Err == nil, "%s: %v", e.URL, e.Err)
		})},
	}
}
