package playlist_test

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"barrage/packager/playlist"
)

func TestMediaReadBack(t *testing.T) {
	want := lowLatency()
	want.CanSkipUntil = 12000 * ms
	got := decodeMedia(t, render(t, want))
	if got.Version() != 9 || got.TargetDuration != 2 || got.SeqNo != 41 || got.DiscontinuitySeq != 3 || got.Closed {
		t.Errorf("header: version %d, target %d, sequence %d, discontinuity sequence %d, closed %t",
			got.Version(), got.TargetDuration, got.SeqNo, got.DiscontinuitySeq, got.Closed)
	}
	sc := got.ServerControl
	if sc == nil || !sc.CanBlockReload || sc.HoldBack != 6 || sc.PartHoldBack != 1.59 || sc.CanSkipUntil != 12 || got.PartTargetDuration != 0.53 {
		t.Errorf("server control %+v, part target %v", sc, got.PartTargetDuration)
	}
	segments := got.GetAllSegments()
	if len(segments) != len(want.Segments) {
		t.Fatalf("%d segments, want %d", len(segments), len(want.Segments))
	}
	for i, w := range want.Segments {
		g := segments[i]
		if g.URI != w.URI || g.Duration != w.Duration.Seconds() {
			t.Errorf("segment %d: %s %v s, want %s %v", i, g.URI, g.Duration, w.URI, w.Duration)
		}
	}
	if n := len(got.PartialSegments); n != 2*4+2 {
		t.Errorf("%d parts, want 10", n)
	}
	if got.PreloadHints == nil || got.PreloadHints.URI != want.PreloadHint {
		t.Errorf("preload hint %+v", got.PreloadHints)
	}
}

// Every segment has its date, the growing one too, to the nearest millisecond.
func TestDates(t *testing.T) {
	m := lowLatency()
	for i, v := range lines(render(t, m), "#EXT-X-PROGRAM-DATE-TIME:") {
		want := start.Add(time.Duration(i) * 2 * time.Second).Round(ms)
		if got, err := time.Parse(time.RFC3339Nano, v); err != nil || !got.Equal(want) || !strings.HasSuffix(v, ".005Z") {
			t.Errorf("date %d: %s, %v, want %v", i, v, err, want)
		}
	}
	m.Segments[1].PDT = time.Time{}
	if n := len(lines(render(t, m), "#EXT-X-PROGRAM-DATE-TIME:")); n != len(m.Segments) {
		t.Errorf("%d dates, want none where there is none", n)
	}
}

// lines gives the values of all lines with that prefix.
func lines(b []byte, prefix string) []string {
	var values []string
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), prefix); ok {
			values = append(values, v)
		}
	}
	return values
}

// printed reads a duration back digit by digit, as no float would.
func printed(t *testing.T, s string) time.Duration {
	t.Helper()
	s, _, _ = strings.Cut(s, ",")
	whole, frac, ok := strings.Cut(s, ".")
	if !ok || len(frac) != 3 {
		t.Fatalf("duration %q, want three decimals", s)
	}
	n, err := strconv.Atoi(whole + frac)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * ms
}

// Every duration that can stand in EXTINF survives grafov's float32.
func TestDurationsAreExact(t *testing.T) {
	m := &playlist.Media{Version: playlist.Version, TargetDuration: 10}
	want := []time.Duration{time.Hour, time.Hour - ms}
	for d := range 20001 {
		want = append(want, time.Duration(d)*ms)
	}
	for i, d := range want {
		m.Segments = append(m.Segments, playlist.Segment{URI: fmt.Sprint("s", i), Duration: d})
	}
	for i, v := range lines(render(t, m), "#EXTINF:") {
		if got := printed(t, v); got != want[i] {
			t.Fatalf("EXTINF %s, want %v", v, want[i])
		}
	}
}

// Two hours of 44.1 kHz audio: one access unit is 23.2 ms, so every cut rounds.
// The parts of a segment add up to it, and the segments to the media.
func TestSumsAreExact(t *testing.T) {
	const (
		unit, rate     = 1024, 44100
		unitsPerPart   = 21
		partsPerSeg    = 4
		segments       = 3600
		targetDuration = 2
	)
	at := func(units int) time.Duration { // cumulatively rounded, as the caller does
		return time.Duration((int64(units)*unit*1000 + rate/2) / rate * int64(ms))
	}
	m := &playlist.Media{
		Version: playlist.Version, TargetDuration: targetDuration,
		PartTarget: 530 * ms, PartHoldBack: 1590 * ms, MediaSequence: 1,
	}
	units := 0
	for i := range segments {
		begin := units
		s := playlist.Segment{URI: fmt.Sprintf("s%d.m4s", i)}
		for j := range partsPerSeg {
			s.Parts = append(s.Parts, playlist.Part{URI: fmt.Sprintf("p%d-%d.m4s", i, j), Duration: at(units+unitsPerPart) - at(units)})
			units += unitsPerPart
		}
		s.Duration = at(units) - at(begin)
		m.Segments = append(m.Segments, s)
	}
	b := render(t, m)

	var total time.Duration
	parts := lines(b, "#EXT-X-PART:DURATION=")
	for i, v := range lines(b, "#EXTINF:") {
		extinf := printed(t, v)
		var sum time.Duration
		for _, p := range parts[i*partsPerSeg : (i+1)*partsPerSeg] {
			sum += printed(t, p)
		}
		if sum != extinf {
			t.Fatalf("segment %d: parts add up to %v, EXTINF is %v", i, sum, extinf)
		}
		total += extinf
	}
	if total != at(units) {
		t.Errorf("all segments add up to %v, the media lasts %v", total, at(units))
	}
}

// A segment above the target duration must not raise it.
func TestTargetDurationStays(t *testing.T) {
	m := lowLatency()
	m.Segments[1].Duration = 2040 * ms
	if got := lines(render(t, m), "#EXT-X-TARGETDURATION:"); len(got) != 1 || got[0] != "2" {
		t.Errorf("target duration %v, want 2", got)
	}
}

func TestMapStandsWhereItChanges(t *testing.T) {
	m := lowLatency()
	for i, init := range []string{"a", "a", "b", "b", "a"} {
		m.Segments[i].Init = init
	}
	m.Open.Init = "a"
	for drop, want := range []string{"a b a", "a b a", "b a", "b a", "a", "a"} {
		m := *m
		m.Segments = m.Segments[drop:]
		got := strings.Join(lines(render(t, &m), "#EXT-X-MAP:URI="), " ")
		if got = strings.ReplaceAll(got, `"`, ""); got != want {
			t.Errorf("with %d segments gone: maps %s, want %s", drop, got, want)
		}
	}
}

func TestHeaderTags(t *testing.T) {
	live := string(render(t, lowLatency()))
	for _, never := range []string{"#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-START", "#EXT-X-ALLOW-CACHE", "CAN-SKIP-UNTIL", "#EXT-X-PLAYLIST-TYPE"} {
		if strings.Contains(live, never) {
			t.Errorf("%s in\n%s", never, live)
		}
	}
	over := string(render(t, ended()))
	for _, never := range []string{"SERVER-CONTROL", "PART", "PRELOAD-HINT", "RENDITION-REPORT"} {
		if strings.Contains(over, never) {
			t.Errorf("%s in an ended playlist\n%s", never, over)
		}
	}
	if !strings.HasSuffix(over, "#EXT-X-ENDLIST\n") {
		t.Errorf("no ENDLIST at the end of\n%s", over)
	}
	if got := lines([]byte(over), "#EXT-X-DISCONTINUITY-SEQUENCE:"); len(got) != 1 || got[0] != "3" {
		t.Errorf("discontinuity sequence %v", got)
	}
	empty := &playlist.Media{Version: playlist.Version, TargetDuration: 2, MediaSequence: 1}
	if got := lines(render(t, empty), "#EXT-X-DISCONTINUITY-SEQUENCE:"); len(got) != 1 || got[0] != "0" {
		t.Errorf("discontinuity sequence %v, want 0 even when nothing has happened", got)
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	want := "before" + string(render(t, lowLatency()))
	got, err := lowLatency().Append([]byte("before"))
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMediaErrors(t *testing.T) {
	cases := map[string]struct {
		spoil func(m *playlist.Media)
		want  string
	}{
		"no version":            {func(m *playlist.Media) { m.Version = 0 }, "version 0"},
		"version of no byte":    {func(m *playlist.Media) { m.Version = 256 }, "version 256"},
		"version without MAP":   {func(m *playlist.Media) { m.Version = 5 }, "segment 41: version 5 cannot have an init section"},
		"no target":             {func(m *playlist.Media) { m.TargetDuration = 0 }, "target duration 0 s"},
		"part hold back":        {func(m *playlist.Media) { m.PartHoldBack = 1059 * ms }, "below twice the part target"},
		"hold back":             {func(m *playlist.Media) { m.HoldBack = 5999 * ms }, "below three times the target duration"},
		"skip boundary":         {func(m *playlist.Media) { m.CanSkipUntil = 11999 * ms }, "below six times the target duration"},
		"fraction of a ms":      {func(m *playlist.Media) { m.PartTarget += time.Microsecond }, "part target: duration 530.001ms"},
		"negative segment":      {func(m *playlist.Media) { m.Segments[1].Duration = -ms }, "segment 42: duration -1ms"},
		"endless segment":       {func(m *playlist.Media) { m.Segments[1].Duration = time.Hour + ms }, "segment 42: duration 1h0m0.001s"},
		"fraction in a part":    {func(m *playlist.Media) { m.Segments[3].Parts[2].Duration++ }, "segment 44: part 2: duration 500.000001ms"},
		"no segment URI":        {func(m *playlist.Media) { m.Segments[0].URI = "" }, "segment 41: no URI"},
		"line break in a URI":   {func(m *playlist.Media) { m.Segments[0].URI = "a\n#EXT-X-ENDLIST" }, "byte 0x0a"},
		"quote in an init":      {func(m *playlist.Media) { m.Segments[0].Init = `i",X="` }, "init section: URI"},
		"quote in a part":       {func(m *playlist.Media) { m.Segments[3].Parts[0].URI = `p"` }, "part 0: URI"},
		"tag for a URI":         {func(m *playlist.Media) { m.Segments[0].URI = "#EXTM3U" }, "reads like a tag"},
		"UTF-8 in a URI":        {func(m *playlist.Media) { m.Segments[0].URI = "é" }, "must be percent-encoded"},
		"quote in an open part": {func(m *playlist.Media) { m.Open.Parts[1].URI = `p"` }, "open segment: part 1"},
		"quote in the hint":     {func(m *playlist.Media) { m.PreloadHint = `p"` }, "preload hint"},
		"quote in a report":     {func(m *playlist.Media) { m.Reports[0].URI = `a"` }, "rendition report"},
		"ended, yet open":       {func(m *playlist.Media) { m.Ended = true }, "close it first"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := lowLatency()
			c.spoil(m)
			got, err := m.Append([]byte("kept"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if string(got) != "kept" {
				t.Errorf("dst became %q", got)
			}
		})
	}
}

// FuzzMediaURI looks for a name that changes the structure of a playlist.
func FuzzMediaURI(f *testing.F) {
	for _, s := range []string{"v0/s1.m4s", "a\"", "a\n#EXT-X-ENDLIST", "\r", "#EXT-X-GAP", "a b", "é", "\u2028", "a,b=c"} {
		f.Add(s)
	}
	structure := bytes.Count(render(f, lowLatency()), []byte("\n"))
	f.Fuzz(func(t *testing.T, uri string) {
		m := lowLatency()
		m.Segments[0].URI, m.Segments[0].Init, m.Segments[3].Parts[0].URI = uri, uri, uri
		m.PreloadHint, m.Reports[0].URI = uri, uri
		b, err := m.Append(nil)
		if err != nil {
			return
		}
		p := decodeMedia(t, b)
		if p.GetAllSegments()[0].URI != uri || p.Closed {
			t.Errorf("URI %q came back as %q", uri, p.GetAllSegments()[0].URI)
		}
		extra := len(lines(b, "#EXT-X-MAP:")) - 1 // the init section changes back
		if n := bytes.Count(b, []byte("\n")); n != structure+extra {
			t.Errorf("URI %q: %d lines, want %d", uri, n, structure+extra)
		}
	})
}

// BenchmarkMedia renders what one part costs: 60 s of segments, parts at the end.
func BenchmarkMedia(b *testing.B) {
	m := lowLatency()
	for len(m.Segments) < 30 {
		m.Segments = append([]playlist.Segment{segment(40)}, m.Segments...)
	}
	dst := render(b, m)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = m.Append(dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
