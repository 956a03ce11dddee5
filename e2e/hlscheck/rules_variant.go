package hlscheck

import (
	"strconv"
	"strings"
	"time"
)

// attribute is a rule about an attribute that every variant needs.
func attribute(name, ref, attr string, onlyVideo bool) Rule {
	return Rule{name, ref, Must, "a variant", on(func(t *Tally, e *Index) {
		for _, v := range e.M.Variants {
			if !onlyVideo || v.video() {
				t.expect(v.Attributes[attr] != "", "%s: no %s", v.URI, attr)
			}
		}
	})}
}

// video says that a variant has a picture, as far as it tells.
func (v Variant) video() bool {
	for name := range strings.SplitSeq(v.Attributes["CODECS"], ",") {
		switch codec, _, _ := strings.Cut(strings.TrimSpace(name), "."); codec {
		case "avc1", "avc3", "hvc1", "hev1", "av01", "vp09", "dvh1":
			return true
		}
	}
	return v.Attributes["RESOLUTION"] != ""
}

// variantRules are about the multivariant playlist and about renditions together.
func variantRules() []Rule {
	const needsPeer = "two dated media playlists"
	return []Rule{
		{"index-syntax", "4.4.6", Must, "a multivariant playlist", on(func(t *Tally, e *Index) {
			t.expect(len(e.M.Problems) == 0, "%s", strings.Join(e.M.Problems, "; "))
		})},
		attribute("codecs", "Apple 9.1", "CODECS", false),
		attribute("resolution", "Apple 9.2", "RESOLUTION", true),
		attribute("frame-rate", "Apple 9.15", "FRAME-RATE", true),
		attribute("bandwidth", "4.4.6.2", "BANDWIDTH", false),
		attribute("average-bandwidth", "Apple 9.14", "AVERAGE-BANDWIDTH", false),
		{"sample-entries", "Apple 1.10", Must, "a variant", on(func(t *Tally, e *Index) {
			for _, v := range e.M.Variants {
				codecs := v.Attributes["CODECS"]
				t.expect(!strings.Contains(codecs, "avc3") && !strings.Contains(codecs, "hev1"), "%s: %s", v.URI, codecs)
			}
		})},
		{"language", "Apple 8.10", Must, "EXT-X-MEDIA", on(func(t *Tally, e *Index) {
			for _, a := range e.M.Media {
				t.expect(a.Attributes["LANGUAGE"] != "", "%s: no LANGUAGE", a.Attributes["NAME"])
			}
		})},
		{"bandwidth-peak", "Apple 1.29", Must, "a segment", on(func(t *Tally, e *Rate) {
			bound(t, e, "BANDWIDTH", e.Peak, 1.25)
		})},
		{"bandwidth-average", "Apple 1.28", Must, "a segment", on(func(t *Tally, e *Rate) {
			bound(t, e, "AVERAGE-BANDWIDTH", e.Average, 1.10)
		})},
		{"same-target-duration", "Apple 8.22", Must, needsPeer, on(func(t *Tally, e *Pair) {
			t.expect(e.TA == e.TB, "%s has %v, %s has %v", e.A.Name, e.TA, e.B.Name, e.TB)
		})},
		{"same-boundaries", "Apple 8.2, 8.3", Must, needsPeer, on(func(t *Tally, e *Pair) {
			off := e.SB.PDT.Sub(e.SA.PDT)
			t.expect(off.Abs() <= e.Unit, "segment %d of %s begins %v off segment %d of %s", e.SB.MSN, e.B.Name, off, e.SA.MSN, e.A.Name)
		})},
		{"same-discontinuities", "Apple 8.13", Must, needsPeer, on(func(t *Tally, e *Pair) {
			if e.SB.PDT.Sub(e.SA.PDT).Abs() > e.Unit+time.Second/2 {
				return // no twin: the rule above says so
			}
			t.expect(e.SA.Discontinuities == e.SB.Discontinuities, "%d before segment %d of %s, %d before segment %d of %s",
				e.SA.Discontinuities, e.SA.MSN, e.A.Name, e.SB.Discontinuities, e.SB.MSN, e.B.Name)
		})},
	}
}

// bound holds what was measured against what an attribute promises.
func bound(t *Tally, e *Rate, attr string, measured, factor float64) {
	promised, err := strconv.ParseFloat(e.Variant.Attributes[attr], 64)
	if err != nil {
		return // its absence has a rule of its own
	}
	t.expect(measured <= promised*factor, "%s: %.0f bit/s measured, %s %.0f", e.Variant.URI, measured, attr, promised)
}
