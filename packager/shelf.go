package packager

import (
	"fmt"
	"strconv"
	"time"

	"barrage/packager/playlist"
)

// limits are the numbers that are frozen with a stream epoch.
type limits struct {
	part, partTarget time.Duration // 0: for players that know no parts
	first, segment   time.Duration // least length of the first and of later segments
	target           time.Duration // whole seconds
	window           time.Duration // how much is listed
}

// keptTargets is what a playlist must go on listing, in target durations (RFC
// 8216bis, 6.2.2).
const keptTargets = 3

// keptParents is how many segments list their parts, the one included that grows or
// that the hint opens. As none rounds above the target duration, no part stays
// behind three of them from the end (6.2.2), whatever jitter and short segments
// after a discontinuity do; and strict decoders count segments.
const keptParents = 3

// shelf is what the writer of one rendition edits: segments come in at the end,
// leave the playlist when it is long enough, and leave the shelf after as long
// again. Windows are made from it.
type shelf struct {
	limits   limits
	segments []*segment
	listed   int
	open     *segment
	nextMSN  uint64
	nextPart uint64
	left     uint64 // discontinuities that have left the playlist
	size     int64
	ended    bool
	closing  bool
	blind    bool // the next segment begins behind a discontinuity: its first part is not hinted
}

func newShelf(l limits) *shelf { return &shelf{limits: l, nextMSN: 1, nextPart: 1} }

// begin opens the next segment.
func (s *shelf) begin(start time.Duration, pdt time.Time, init *section, breaks int) {
	s.blind = false
	s.open = &segment{msn: s.nextMSN, start: start, end: start, pdt: pdt, init: init, breaks: breaks}
}

// add appends a part to the open segment, which is replaced: windows hold the old one.
func (s *shelf) add(p part) {
	grown := *s.open
	p.number = s.nextPart
	grown.parts = append(grown.parts, p)
	grown.end, grown.size = p.end, grown.size+int64(len(p.data))
	s.nextPart++
	s.size += int64(len(p.data))
	s.open = &grown
}

// breakOff says that a discontinuity follows; seen is what players know. A hint names a
// part without its init section, so that players take it for one behind the present one.
// Nothing is hinted that lies behind a discontinuity, and a number that was hinted and
// came to nothing is never used.
func (s *shelf) breakOff(seen *Window) {
	s.blind = true
	if seen.Hinted(s.nextPart) {
		s.nextPart++
	}
}

// close completes the open segment and returns it, nil when there is none.
func (s *shelf) close() *segment {
	if s.open == nil {
		return nil
	}
	done := s.open.joined()
	s.segments = append(s.segments, done)
	s.open = nil
	s.nextMSN++
	s.trim()
	return done
}

// trim takes what is too old off the playlist and off the shelf. A playlist must
// never get shorter than three target durations, and a segment that left it stays
// available for its own and the playlist's duration (RFC 8216bis, 6.2.2).
func (s *shelf) trim() {
	for s.span(s.listed+1, len(s.segments)) >= s.limits.window {
		s.unlist()
	}
	// Each rounds up by a segment, which may last half a second more than the target,
	// and two may have left at once.
	for s.listed > 0 && s.span(1, s.listed) >= s.limits.window+3*s.limits.target+time.Second {
		s.drop()
	}
}

func (s *shelf) span(from, to int) time.Duration {
	var d time.Duration
	for i := from; i < to; i++ {
		d += s.segments[i].end - s.segments[i].start
	}
	return d
}

func (s *shelf) unlist() {
	s.left += uint64(s.segments[s.listed].breaks)
	s.listed++
}

func (s *shelf) drop() {
	s.size -= s.segments[0].size
	s.segments = append([]*segment(nil), s.segments[1:]...) // windows hold the old array
	s.listed--
}

// shed drops the oldest segment to save memory, and says whether it could.
func (s *shelf) shed() bool {
	if s.listed == 0 {
		if s.span(1, len(s.segments)) < keptTargets*s.limits.target {
			return false
		}
		s.unlist()
	}
	s.drop()
	return true
}

// snapshot makes a Window without its playlists.
func (s *shelf) snapshot() *Window {
	return &Window{
		Ended: s.ended, Closing: s.closing, TargetDuration: s.limits.target, PartTarget: s.limits.partTarget, segments: s.segments[:len(s.segments):len(s.segments)],
		listed: s.listed, left: s.left, open: s.open, nextMSN: s.nextMSN, nextPart: s.nextPart, blind: s.blind,
	}
}

// skipTargets is the skip boundary in target durations: it "MUST be at least six
// times the Target Duration" (RFC 8216bis, 4.4.3.8).
const skipTargets = 6

// skippable returns how many segments a delta update leaves out: those that end
// before the skip boundary. "A Server MUST NOT [...] in a Playlist containing an
// EXT-X-ENDLIST tag" (6.2.5.1).
func (s *shelf) skippable() int {
	if s.ended {
		return 0
	}
	n, kept := len(s.segments), time.Duration(0)
	for ; n > s.listed && kept < skipTargets*s.limits.target; n-- {
		kept += s.segments[n-1].end - s.segments[n-1].start
	}
	return n - s.listed
}

// milli rounds a time of the line. Durations in playlists are differences of
// rounded times, so that their sums never drift from the media.
func milli(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// listing is what every playlist says of the shelf.
func (s *shelf) listing() *playlist.Media {
	listed := s.segments[s.listed:]
	m := &playlist.Media{
		TargetDuration: int(s.limits.target / time.Second), MediaSequence: listed[0].msn,
		DiscontinuitySequence: s.left, Ended: s.ended, Segments: make([]playlist.Segment, len(listed)),
	}
	for i, seg := range listed {
		m.Segments[i] = playlist.Segment{
			Duration: milli(seg.end) - milli(seg.start), PDT: seg.pdt, Discontinuities: seg.breaks,
		}
	}
	return m
}

// packed describes a shelf of MPEG-TS, as players of old want it; base is the folder of
// the rendition's media.
func (s *shelf) packed(base string) *playlist.Media {
	m := s.listing()
	m.Version = playlist.VersionPacked
	for i, seg := range s.segments[s.listed:] {
		m.Segments[i].URI = fmt.Sprintf("%s/s%d.ts", base, seg.msn)
	}
	return m
}

// playlist describes the shelf; base is the folder of the rendition's media.
func (s *shelf) playlist(base string, reports []playlist.Report) *playlist.Media {
	l, m := s.limits, s.listing()
	m.Version, m.Reports = playlist.Version, reports
	m.PartTarget, m.HoldBack, m.PartHoldBack = l.partTarget, 3*l.target, 3*l.partTarget
	m.CanSkipUntil = skipTargets * l.target
	if !s.blind {
		m.PreloadHint = base + "/p" + strconv.FormatUint(s.nextPart, 10) + ".m4s"
	}
	if s.open != nil {
		m.Open = &playlist.Segment{PDT: s.open.pdt, Discontinuities: s.open.breaks}
		describe(m.Open, s.open, base)
		m.Open.Parts = describeParts(s.open, base)
	}
	for i, seg := range s.segments[s.listed:] {
		describe(&m.Segments[i], seg, base)
		if len(m.Segments)-i < keptParents {
			m.Segments[i].Parts = describeParts(seg, base)
		}
	}
	return m
}

func describe(out *playlist.Segment, seg *segment, base string) {
	out.URI = fmt.Sprintf("%s/s%d.m4s", base, seg.msn)
	out.Init = fmt.Sprintf("%s/init-%d.mp4", base, seg.init.number)
}

func describeParts(seg *segment, base string) []playlist.Part {
	out := make([]playlist.Part, len(seg.parts))
	for i, p := range seg.parts {
		out[i] = playlist.Part{
			URI: base + "/p" + strconv.FormatUint(p.number, 10) + ".m4s", Duration: milli(p.end) - milli(p.start), Independent: p.independent,
		}
	}
	return out
}
