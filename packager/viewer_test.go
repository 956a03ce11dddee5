package packager_test

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/Eyevinn/mp4ff/mp4"
)

// listed is a segment of a playlist; the last one of a playlist may be growing.
type listed struct {
	msn           int
	uri           string // empty while it grows
	dur           float64
	pdt           time.Time
	discontinuity bool
	breaks        int // EXT-X-DISCONTINUITY tags before it
	init          string
	parts         []listedPart
}

type listedPart struct {
	uri         string
	dur         float64
	independent bool
}

// list is a media playlist as a player sees it.
type list struct {
	target              int
	partTarget          float64
	constant            string // lines that must never change
	first               int
	discontinuities     int
	segments            []listed
	hint                string
	maps, reports       []string
	ended               bool
	lastMSN, lastInside int // what to ask for next: part lastInside of segment lastMSN
}

// readList reads a playlist after a strict decoder that is not ours has accepted it.
// That decoder cannot take parts in the first segment of a playlist, so the very
// first states of a stream go without.
func readList(t *testing.T, text string) list {
	t.Helper()
	if strings.Index(text, "#EXT-X-PART:") > strings.Index(text, "#EXTINF") {
		if _, _, err := m3u8.DecodeFrom(strings.NewReader(text), true); err != nil {
			t.Errorf("decode playlist: %v\n%s", err, text)
		}
	}
	var l list
	var cur listed
	inForce := ""
	attr := regexp.MustCompile(`([A-Z-]+)=("[^"]*"|[^,]*)`)
	for line := range strings.Lines(text) {
		tag, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		attrs := map[string]string{}
		for _, m := range attr.FindAllStringSubmatch(value, -1) {
			attrs[m[1]] = strings.Trim(m[2], `"`)
		}
		number, _ := strconv.ParseFloat(strings.TrimSuffix(value, ","), 64)
		switch tag {
		case "#EXT-X-TARGETDURATION":
			l.target = int(number)
			l.constant += line
		case "#EXT-X-PART-INF":
			l.partTarget, _ = strconv.ParseFloat(attrs["PART-TARGET"], 64)
			l.constant += line
		case "#EXT-X-SERVER-CONTROL":
			l.constant += line
		case "#EXT-X-MEDIA-SEQUENCE":
			l.first = int(number)
		case "#EXT-X-DISCONTINUITY-SEQUENCE":
			l.discontinuities = int(number)
		case "#EXT-X-DISCONTINUITY":
			cur.discontinuity = true
			cur.breaks++
		case "#EXT-X-PROGRAM-DATE-TIME":
			cur.pdt, _ = time.Parse(time.RFC3339Nano, value)
		case "#EXT-X-MAP":
			l.maps = append(l.maps, attrs["URI"])
			inForce = attrs["URI"]
		case "#EXT-X-PART":
			d, _ := strconv.ParseFloat(attrs["DURATION"], 64)
			cur.parts = append(cur.parts, listedPart{attrs["URI"], d, attrs["INDEPENDENT"] == "YES"})
		case "#EXTINF":
			cur.dur = number
		case "#EXT-X-PRELOAD-HINT":
			l.hint = attrs["URI"]
		case "#EXT-X-RENDITION-REPORT":
			l.reports = append(l.reports, value)
		case "#EXT-X-ENDLIST":
			l.ended = true
		default:
			if tag != "" && !strings.HasPrefix(tag, "#") {
				cur.uri, cur.msn, cur.init = tag, l.first+len(l.segments), inForce
				l.segments = append(l.segments, cur)
				cur = listed{}
			}
		}
	}
	l.lastMSN, l.lastInside = l.first+len(l.segments), len(cur.parts)
	if len(cur.parts) > 0 {
		cur.msn, cur.init = l.lastMSN, inForce
		l.segments = append(l.segments, cur)
	}
	return l
}

// viewer plays one rendition as a low-latency player does, by blocking reloads, and
// checks over time what no single playlist shows.
type viewer struct {
	t    *testing.T
	r    *room
	name string // v0 or a0
	base string

	now       list
	reloads   int
	scale     float64
	parts     map[string]float64 // checked parts
	whole     map[int]string     // checked segments
	hint      string             // announced last
	end       int64              // tick where the newest part ends
	moved     bool               // a discontinuity: end says nothing
	pictures  int
	blockedBy time.Duration // longest reload
}

func watch(t *testing.T, r *room, name string) *viewer {
	t.Helper()
	return &viewer{t: t, r: r, name: name, base: r.folder(), parts: map[string]float64{}, whole: map[int]string{}, end: -1}
}

// follow reloads until the playlist ends, nothing more comes, or the clock says so.
func (v *viewer) follow(until time.Time) {
	query := ""
	for time.Now().Before(until) && !v.now.ended {
		asked := time.Now()
		res := v.r.get(v.base + v.name + ".m3u8" + query)
		if res.status == http.StatusServiceUnavailable {
			return
		}
		if res.status != http.StatusOK {
			v.t.Errorf("GET %s%s = %d %s", v.name, query, res.status, res.body)
			return
		}
		v.blockedBy = max(v.blockedBy, time.Since(asked))
		v.see(readList(v.t, res.body))
		query = fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", v.now.lastMSN, v.now.lastInside)
	}
}

// see checks one state of the playlist against the one before.
func (v *viewer) see(l list) {
	v.t.Helper()
	v.reloads++
	old := v.now
	v.now = l
	if old.constant != "" && !l.ended && l.constant != old.constant {
		v.t.Errorf("%s: constants changed from\n%sto\n%s", v.name, old.constant, l.constant)
	}
	if l.first < old.first || l.discontinuities < old.discontinuities || l.lastMSN < old.lastMSN {
		v.t.Errorf("%s: numbers went back: %d/%d/%d after %d/%d/%d", v.name, l.first, l.discontinuities, l.lastMSN, old.first, old.discontinuities, old.lastMSN)
	}
	if len(l.maps) == 0 {
		v.t.Errorf("%s: no EXT-X-MAP", v.name)
	}
	for i, s := range l.segments {
		v.seeSegment(s, i == len(l.segments)-1)
	}
	broken := l.hint == "" || l.segments[len(l.segments)-1].discontinuity // a hint may come to nothing there
	if v.hint != "" && !l.ended && !broken && v.hint != l.hint && v.parts[v.hint] == 0 {
		v.t.Errorf("%s: the hint %s has become %s and never a part", v.name, v.hint, l.hint)
	}
	v.hint = l.hint
}

func (v *viewer) seeSegment(s listed, newest bool) {
	v.t.Helper()
	if s.pdt.IsZero() {
		v.t.Errorf("%s: segment %d has no program date time", v.name, s.msn)
	}
	for i, p := range s.parts {
		if v.parts[p.uri] != 0 {
			continue
		}
		if i == 0 && s.discontinuity {
			v.moved = true
		}
		v.parts[p.uri] = p.dur
		v.decode(p)
		last := s.uri != "" && i == len(s.parts)-1 || v.name == "a0"
		if p.dur > v.now.partTarget || p.dur < v.now.partTarget*0.85 && !last && !p.independent && !newest {
			v.t.Errorf("%s: %s lasts %.3f, part target %.3f", v.name, p.uri, p.dur, v.now.partTarget)
		}
	}
	if s.uri == "" || v.whole[s.msn] != "" {
		if s.uri != "" && v.whole[s.msn] != s.uri {
			v.t.Errorf("%s: segment %d was %s and is %s", v.name, s.msn, v.whole[s.msn], s.uri)
		}
		return
	}
	v.whole[s.msn] = s.uri
	if math.Round(s.dur) > float64(v.now.target) {
		v.t.Errorf("%s: %s lasts %.3f, target %d", v.name, s.uri, s.dur, v.now.target)
	}
	var sum float64
	for _, p := range s.parts {
		sum += p.dur
	}
	if len(s.parts) > 0 && math.Abs(sum-s.dur) > 1e-6 {
		v.t.Errorf("%s: the parts of %s last %.3f, EXTINF %.3f", v.name, s.uri, sum, s.dur)
	}
}

// decode reads a part with mp4ff: it must begin where the one before ended and last
// as long as the playlist says, to the millisecond of cumulative rounding.
func (v *viewer) decode(p listedPart) {
	v.t.Helper()
	if v.scale == 0 {
		v.scale = 90000
		if v.name == "a0" {
			v.scale = 48000
		}
	}
	file, err := mp4.DecodeFile(bytes.NewReader([]byte(v.r.body(v.base + p.uri))))
	if err != nil {
		v.t.Fatal(err)
	}
	frag := file.Segments[0].Fragments[0]
	start := int64(frag.Moof.Traf.Tfdt.BaseMediaDecodeTime())
	if v.end >= 0 && !v.moved && start != v.end {
		v.t.Errorf("%s: %s starts at tick %d, the one before ended at %d", v.name, p.uri, start, v.end)
	}
	v.moved = false
	samples, err := frag.GetFullSamples(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	v.end = start
	for i, s := range samples {
		v.end += int64(s.Dur)
		if i == 0 && s.IsSync() != p.independent {
			v.t.Errorf("%s: %s INDEPENDENT=%v, first sample sync=%v", v.name, p.uri, p.independent, s.IsSync())
		}
	}
	v.pictures += len(samples)
	ms := func(tick int64) float64 { return math.Round(float64(tick) * 1000 / v.scale) }
	if want := ms(v.end) - ms(start); math.Abs(want-p.dur*1000) > 1e-6 {
		v.t.Errorf("%s: %s says %.3f s, its samples last %v ms", v.name, p.uri, p.dur, want)
	}
}
