package hlscheck

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

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
