package hlscheck

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Media is a media playlist, or the part of it that a delta update sends.
type Media struct {
	Text                  string
	Version               int
	TargetDuration        time.Duration
	PartTarget            time.Duration // 0: no low latency
	HoldBack              time.Duration
	PartHoldBack          time.Duration
	CanSkipUntil          time.Duration
	CanBlock              bool
	IndependentSegments   bool
	MediaSequence         uint64
	DiscontinuitySequence uint64
	Skipped               int
	Segments              []Segment // the last one has no URI while it grows
	Hint                  string
	Reports               []Report
	Ended                 bool
	Problems              []string // what the grammar forbids

	seen map[string]bool
}

// Segment is a segment of a playlist with what applies to it.
type Segment struct {
	MSN             uint64
	URI             string // empty while it grows
	Duration        time.Duration
	PDT             time.Time
	Map             string
	Discontinuity   bool
	Discontinuities uint64 // before its first sample, counted from the start of the stream
	Gap             bool
	Parts           []Part
	Late            []string // tags that stand behind the first part and apply to the whole
	timed           bool
}

// Part is a partial segment.
type Part struct {
	URI              string
	Duration         time.Duration
	Independent, Gap bool
}

// Report is a rendition report.
type Report struct {
	URI string
	At  Position
}

// Position is the newest segment of a playlist and its newest part; Part is -1 when
// there are no parts.
type Position struct {
	MSN  uint64
	Part int
}

// Before says that p is older than q. No part is the whole segment.
func (p Position) Before(q Position) bool {
	if p.MSN != q.MSN {
		return p.MSN < q.MSN
	}
	return p.Part >= 0 && (q.Part < 0 || p.Part < q.Part)
}

// Last is the newest media of the playlist.
func (m *Media) Last() Position {
	if len(m.Segments) == 0 {
		return Position{Part: -1}
	}
	s := &m.Segments[len(m.Segments)-1]
	if m.PartTarget == 0 && s.URI == "" && len(m.Segments) > 1 {
		s = &m.Segments[len(m.Segments)-2]
	}
	return Position{s.MSN, len(s.Parts) - 1}
}

// Next is what a player asks for after this playlist.
func (m *Media) Next() Position {
	last := m.Last()
	switch {
	case m.PartTarget == 0:
		return Position{last.MSN + 1, -1}
	case len(m.Segments) > 0 && m.Segments[len(m.Segments)-1].URI == "":
		return Position{last.MSN, last.Part + 1}
	}
	return Position{last.MSN + 1, 0}
}

// Has says that the playlist has come to p.
func (m *Media) Has(p Position) bool {
	last := m.Last()
	if p.Part < 0 { // the whole segment
		return last.MSN > p.MSN || last.MSN == p.MSN && m.Segments[len(m.Segments)-1].URI != ""
	}
	return last.MSN > p.MSN || last.MSN == p.MSN && last.Part >= p.Part
}

// Length is the duration of the media behind the start of the playlist.
func (m *Media) Length() (d time.Duration) {
	for i := range m.Segments {
		d += m.Segments[i].length()
	}
	return d
}

// Listed is the duration of the playlist: "the sum of the durations of the Media
// Segments within it" (4.4.3.1).
func (m *Media) Listed() (d time.Duration) {
	for i := range m.Segments {
		d += m.Segments[i].Duration
	}
	return d
}

func (s *Segment) length() time.Duration {
	d := s.Duration
	if s.URI == "" {
		for _, p := range s.Parts {
			d += p.Duration
		}
	}
	return d
}

func (m *Media) segment(msn uint64) *Segment {
	if len(m.Segments) == 0 || msn < m.Segments[0].MSN || msn-m.Segments[0].MSN >= uint64(len(m.Segments)) {
		return nil
	}
	return &m.Segments[msn-m.Segments[0].MSN]
}

// ParseMedia reads a media playlist. Whatever is wrong with it stands in Problems.
func ParseMedia(text string) *Media {
	m := &Media{Text: text, seen: map[string]bool{}}
	p := mediaParser{Media: m}
	for number, line := range lines(text) {
		p.number = number
		p.line(line)
	}
	if p.started {
		p.finish()
	}
	for _, tag := range []string{"#EXT-X-TARGETDURATION"} {
		if !m.seen[tag] {
			m.Problems = append(m.Problems, tag+" is missing")
		}
	}
	if !strings.HasPrefix(text, "#EXTM3U\n") && !strings.HasPrefix(text, "#EXTM3U\r\n") {
		m.Problems = append(m.Problems, "the first line is not #EXTM3U")
	}
	return m
}

// lines are the lines that say something, with their numbers.
func lines(text string) func(func(int, string) bool) {
	return func(yield func(int, string) bool) {
		for i, line := range strings.Split(text, "\n") {
			line = strings.TrimSuffix(line, "\r")
			comment := strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "#EXT")
			if line != "" && !comment && !yield(i+1, line) {
				return
			}
		}
	}
}

type mediaParser struct {
	*Media
	number          int
	cur             Segment
	started         bool // cur has something
	init            string
	discontinuities uint64
}

func (p *mediaParser) problem(format string, args ...any) {
	p.Problems = append(p.Problems, fmt.Sprintf("line %d: ", p.number)+fmt.Sprintf(format, args...))
}

func (p *mediaParser) line(line string) {
	if !strings.HasPrefix(line, "#") {
		p.uri(line)
		return
	}
	tag, value, _ := strings.Cut(line, ":")
	if !p.header(tag, value) && !p.body(tag, value) && !p.edge(tag, value) {
		p.problem("%s is no tag of a media playlist", tag)
	}
}

// header reads the tags that stand once in a playlist, before its first segment.
func (p *mediaParser) header(tag, value string) bool {
	a := attributes{p: p}
	switch tag {
	case "#EXTM3U":
	case "#EXT-X-VERSION":
		p.Version = int(p.integer(value))
	case "#EXT-X-TARGETDURATION":
		p.TargetDuration = time.Duration(p.integer(value)) * time.Second
	case "#EXT-X-MEDIA-SEQUENCE":
		p.MediaSequence = p.integer(value)
	case "#EXT-X-DISCONTINUITY-SEQUENCE":
		p.DiscontinuitySequence = p.integer(value)
		p.discontinuities = p.DiscontinuitySequence
	case "#EXT-X-INDEPENDENT-SEGMENTS":
		p.IndependentSegments = true
	case "#EXT-X-PLAYLIST-TYPE", "#EXT-X-START", "#EXT-X-DEFINE":
	case "#EXT-X-SERVER-CONTROL":
		a.read(value)
		p.CanBlock = a.word("CAN-BLOCK-RELOAD") == "YES"
		p.CanSkipUntil, p.HoldBack, p.PartHoldBack = a.seconds("CAN-SKIP-UNTIL"), a.seconds("HOLD-BACK"), a.seconds("PART-HOLD-BACK")
	case "#EXT-X-PART-INF":
		a.read(value)
		p.PartTarget = a.seconds("PART-TARGET")
		if p.PartTarget <= 0 {
			p.problem("PART-TARGET is missing")
		}
	case "#EXT-X-SKIP":
		a.read(value)
		p.Skipped = int(p.integer(a.word("SKIPPED-SEGMENTS")))
		if !p.seen["#EXT-X-MEDIA-SEQUENCE"] {
			p.problem("EXT-X-SKIP before EXT-X-MEDIA-SEQUENCE")
		}
	default:
		return false
	}
	if p.seen[tag] {
		p.problem("%s stands twice", tag)
	}
	if len(p.Segments) > 0 || p.started {
		p.problem("%s behind the first segment", tag)
	}
	p.seen[tag] = true
	return true
}

// body reads the tags of segments.
func (p *mediaParser) body(tag, value string) bool {
	a := attributes{p: p}
	switch tag {
	case "#EXTINF":
		text, _, comma := strings.Cut(value, ",")
		if !comma && p.Version < 3 {
			p.problem("EXTINF without a comma")
		}
		if p.cur.timed {
			p.problem("a second EXTINF for one segment")
		}
		p.cur.Duration, p.cur.timed = p.decimal(text), true
	case "#EXT-X-DISCONTINUITY":
		p.late(tag)
		p.cur.Discontinuity = true
		p.discontinuities++
	case "#EXT-X-MAP":
		p.late(tag)
		a.read(value)
		p.init = a.uri()
	case "#EXT-X-KEY":
		p.late(tag)
	case "#EXT-X-PROGRAM-DATE-TIME":
		p.late(tag)
		t, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", value)
		if err != nil {
			if t, err = time.Parse("2006-01-02T15:04:05.999999999Z0700", value); err != nil {
				p.problem("date %q", value)
			}
		}
		p.cur.PDT = t
	case "#EXT-X-GAP":
		p.cur.Gap = true
	case "#EXT-X-BITRATE", "#EXT-X-BYTERANGE", "#EXT-X-DATERANGE":
	case "#EXT-X-PART":
		a.read(value)
		part := Part{a.uri(), a.seconds("DURATION"), a.word("INDEPENDENT") == "YES", a.word("GAP") == "YES"}
		if part.URI == "" || part.Duration <= 0 {
			p.problem("EXT-X-PART needs URI and DURATION")
		}
		p.cur.Parts = append(p.cur.Parts, part)
	default:
		return false
	}
	if tag == "#EXT-X-BITRATE" || tag == "#EXT-X-DATERANGE" {
		return true
	}
	if p.Ended {
		p.problem("%s behind EXT-X-ENDLIST", tag)
	}
	p.started = true
	return true
}

func (p *mediaParser) late(tag string) {
	if len(p.cur.Parts) > 0 {
		p.cur.Late = append(p.cur.Late, tag)
	}
}

// edge reads what stands behind the media.
func (p *mediaParser) edge(tag, value string) bool {
	a := attributes{p: p}
	switch tag {
	case "#EXT-X-PRELOAD-HINT":
		a.read(value)
		if uri := a.uri(); a.word("TYPE") == "PART" {
			p.Hint = uri
		}
	case "#EXT-X-RENDITION-REPORT":
		a.read(value)
		r := Report{a.uri(), Position{p.integer(a.word("LAST-MSN")), -1}}
		if text := a.word("LAST-PART"); text != "" {
			r.At.Part = int(p.integer(text))
		}
		p.Reports = append(p.Reports, r)
	case "#EXT-X-ENDLIST":
		p.Ended = true
	default:
		return false
	}
	return true
}

func (p *mediaParser) uri(line string) {
	if !p.cur.timed {
		p.problem("a URI without EXTINF")
	}
	p.cur.URI = line
	p.finish()
}

func (p *mediaParser) finish() {
	if p.cur.timed && p.cur.URI == "" {
		p.problem("EXTINF without a URI")
	}
	p.cur.MSN = p.MediaSequence + uint64(p.Skipped) + uint64(len(p.Segments))
	p.cur.Map, p.cur.Discontinuities = p.init, p.discontinuities
	p.Segments = append(p.Segments, p.cur)
	p.cur, p.started = Segment{}, false
}

func (p *mediaParser) integer(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		p.problem("%q is no decimal integer", text)
	}
	return n
}

// decimal reads seconds without the rounding of floats.
func (p *mediaParser) decimal(text string) time.Duration {
	whole, fraction, _ := strings.Cut(text, ".")
	s, err := strconv.ParseUint(whole, 10, 32)
	ns, err2 := strconv.ParseUint((fraction + "000000000")[:9], 10, 64)
	if err != nil || err2 != nil {
		p.problem("%q is no decimal number", text)
	}
	return time.Duration(s)*time.Second + time.Duration(ns)
}

// attributes is an attribute list.
type attributes struct {
	p      *mediaParser
	values map[string]string
}

func (a *attributes) read(list string) {
	values, err := parseAttributes(list)
	if err != nil {
		a.p.problem("%v", err)
	}
	a.values = values
}

func (a *attributes) uri() string {
	v, ok := a.values["URI"]
	if !ok {
		return ""
	}
	if !strings.HasPrefix(v, `"`) {
		a.p.problem("URI is not quoted")
	}
	return strings.Trim(v, `"`)
}

func (a *attributes) word(name string) string {
	v := a.values[name]
	if strings.HasPrefix(v, `"`) {
		a.p.problem("%s is quoted", name)
	}
	return v
}

func (a *attributes) seconds(name string) time.Duration {
	v := a.word(name)
	if v == "" {
		return 0
	}
	return a.p.decimal(v)
}

// parseAttributes reads NAME=value,NAME="value" (4.2); values keep their quotes.
func parseAttributes(list string) (map[string]string, error) {
	values := map[string]string{}
	for list != "" {
		name, rest, ok := strings.Cut(list, "=")
		if !ok || name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return values, fmt.Errorf("attribute list at %q", list)
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return values, fmt.Errorf("%s: the quote is never closed", name)
			}
			value, rest = rest[:end+2], rest[end+2:]
		} else if end := strings.IndexByte(rest, ','); end >= 0 {
			value, rest = rest[:end], rest[end:]
		} else {
			value, rest = rest, ""
		}
		if _, twice := values[name]; twice {
			return values, fmt.Errorf("%s stands twice", name)
		}
		if value == "" || rest != "" && (!strings.HasPrefix(rest, ",") || rest == ",") {
			return values, fmt.Errorf("attribute list behind %s", name)
		}
		values[name], list = value, strings.TrimPrefix(rest, ",")
	}
	return values, nil
}

// Merge completes a delta update with the playlist the player has (6.3.7).
func (m *Media) Merge(old *Media) (*Media, error) {
	if m.Skipped == 0 {
		return m, nil
	}
	full := *m
	full.Segments = nil
	for i := range m.Skipped {
		s := old.segment(m.MediaSequence + uint64(i))
		if s == nil || s.URI == "" {
			return nil, fmt.Errorf("segment %d is skipped and the playlist before had %d to %d", m.MediaSequence+uint64(i), old.MediaSequence, old.Last().MSN)
		}
		full.Segments = append(full.Segments, *s)
	}
	before := full.Segments[len(full.Segments)-1]
	discontinuities, init := before.Discontinuities, before.Map
	for _, s := range m.Segments {
		if s.Discontinuity {
			discontinuities++
		}
		if s.Map == "" {
			s.Map = init
		}
		s.Discontinuities = discontinuities
		full.Segments = append(full.Segments, s)
	}
	full.Skipped = 0
	return &full, nil
}

// equal says where two complete states of a playlist differ, or nothing.
func (m *Media) equal(o *Media) string {
	if m.MediaSequence != o.MediaSequence || m.DiscontinuitySequence != o.DiscontinuitySequence || len(m.Segments) != len(o.Segments) {
		return fmt.Sprintf("numbers %d/%d with %d segments and %d/%d with %d", m.MediaSequence, m.DiscontinuitySequence, len(m.Segments),
			o.MediaSequence, o.DiscontinuitySequence, len(o.Segments))
	}
	for i := range m.Segments {
		a, b := &m.Segments[i], &o.Segments[i]
		if a.URI != b.URI || a.Duration != b.Duration || !a.PDT.Equal(b.PDT) || a.Map != b.Map || a.Discontinuity != b.Discontinuity || a.Gap != b.Gap {
			return fmt.Sprintf("segment %d is %s and %s", a.MSN, a.URI, b.URI)
		}
	}
	if m.Hint != o.Hint || m.Last() != o.Last() {
		return fmt.Sprintf("the end is %v, hint %q, and %v, hint %q", m.Last(), m.Hint, o.Last(), o.Hint)
	}
	return ""
}
