// Package segmenter decides where parts and segments end. It is pure: samples
// with their times go in, cuts come out; no clock, no I/O, no bytes.
//
// One journey: a Leader (the video, or the audio of a stream without video)
// takes samples one by one. The fifteenth frame of a part completes it, and the
// cut leaves with that very sample. A sync sample ends the segment before it.
// Where the leader cuts, its Follower (the audio beside a video) is told the
// time and cuts at the access unit nearest to it.
//
// Invariants
//
//   - The decode times of a rendition have no hole and no overlap between two
//     calls of Restart: a cut starts where the one before ended.
//   - No part is longer than Rules.PartTarget, no segment rounds above Rules.Target,
//     unless a single sample is.
//   - A cut holds at least one sample.
//
// # Decisions
//
//   - Holes are filled by holding the sample before them, at most to the end of
//     its part, over jumping: what is published has exact sums. The sample after
//     starts early and its composition offset makes up for it, so pictures are
//     still shown when they should be; of audio, a unit of what follows the hole is
//     heard early in each part of it.
//   - The duration of the last sample of a part is nominal, over a look-ahead of
//     one sample: every viewer gains a frame of latency.
//   - Audio is cut on the video's clock, over its own: runts of 27 ms would add a
//     playlist and a part to every segment.
package segmenter

import (
	"time"

	"barrage/packager/media"
)

// Rules are the limits of one stream epoch, in ticks of the rendition.
type Rules struct {
	Part       int64 // length aimed at, a whole number of frames
	PartTarget int64 // EXT-X-PART-INF:PART-TARGET, never exceeded
	PartLeast  int64 // 85 % of it, after rounding to milliseconds
	First      int64 // the very first segment ends at the first sync sample after this
	Segment    int64 // later ones after this
	Target     int64 // EXT-X-TARGETDURATION
	Half       int64 // almost half a second: what rounding to whole seconds forgives, after rounding to milliseconds
}

// NewRules converts times to ticks of scale. An epoch with video takes the first
// GOP as its first segment, whatever its length, so that viewers can start.
func NewRules(part, partTarget, first, segment, target time.Duration, scale uint32) Rules {
	t := func(d time.Duration) int64 {
		return int64(d/time.Second)*int64(scale) + int64(d%time.Second)*int64(scale)/int64(time.Second)
	}
	return Rules{
		Part: t(part), PartTarget: t(partTarget), PartLeast: t(partTarget*85/100 + time.Millisecond),
		First: t(first), Segment: t(segment), Target: t(target), Half: t(499 * time.Millisecond),
	}
}

// Cut is what ends: a part, a segment, or both.
type Cut struct {
	Samples    []media.Sample // of the part, the receiver's; empty when only the segment ends
	Start, End int64          // of the part, in ticks
	Ends       bool           // the part, or the one cut before, was the last of its segment
	Forced     bool           // the segment ended for its length, without a sync sample
}

// run is the part that is growing.
type run struct {
	pending    []media.Sample
	start, end int64
}

func (r *run) restart(at int64) {
	r.pending, r.start, r.end = r.pending[:0], at, at
}

// reach lets the newest sample last until t, but not beyond limit: the hole or the
// overlap between nominal durations and the times that really came.
func (r *run) reach(t, limit int64) {
	if len(r.pending) == 0 {
		return
	}
	newest := &r.pending[len(r.pending)-1]
	d := min(t, max(limit, r.end)) - r.end
	d = max(d, 1-int64(newest.Duration))
	newest.Duration += uint32(d)
	r.end += d
}

// stretch lets the newest sample last until t at least. Few pictures a second that
// come unevenly make parts that are too short and have no room for another picture;
// the one after the part is decoded a moment later then, and shown when it should be.
func (r *run) stretch(t int64) {
	if d := t - r.end; d > 0 {
		r.pending[len(r.pending)-1].Duration += uint32(d)
		r.end = t
	}
}

// append takes s at the end of the run; the composition offset keeps it shown when said.
func (r *run) append(s media.Sample) {
	if s.Kind == media.Video {
		s.CTS += int32(s.DTS - r.end)
	}
	s.DTS = r.end
	r.end += int64(s.Duration)
	r.pending = append(r.pending, s)
}

// cut takes the first n samples out.
func (r *run) cut(n int) Cut {
	c := Cut{Samples: r.pending[:n], Start: r.start, End: r.end}
	rest := r.pending[n:]
	if len(rest) > 0 {
		c.End = rest[0].DTS
	}
	r.pending = append(make([]media.Sample, 0, len(rest)+min(n, 128)), rest...)
	r.start = c.End
	return c
}

// Leader cuts by its own samples.
type Leader struct {
	rules Rules
	run
	segment int64 // start of the segment
	sync    bool  // the segment starts with a sync sample
	later   bool  // a segment has ended
	gop     int64 // length of the newest GOP
	longest int64 // of the newest GOPs; older ones count less and less
	lastKey int64
}

// NewLeader starts at tick at.
func NewLeader(rules Rules, at int64) *Leader {
	l := &Leader{}
	l.Restart(rules, at)
	return l
}

// Restart begins a new line at tick at. The caller has flushed the old one.
func (l *Leader) Restart(rules Rules, at int64) {
	l.rules = rules
	l.restart(at)
	l.segment, l.lastKey, l.gop, l.longest = at, at, 0, 0
}

// End returns where the media ends.
func (l *Leader) End() int64 { return l.end }

// GOP returns the distance of the two newest sync samples, 0 when there is one.
func (l *Leader) GOP() int64 { return l.gop }

// Push takes the next sample and appends to dst what it completes.
func (l *Leader) Push(dst []Cut, s media.Sample) []Cut {
	l.reach(s.DTS, min(l.start+l.rules.Part, l.segment+l.rules.Target+l.rules.Half-1))
	if l.complete(int64(s.Duration)) {
		if !s.Sync {
			l.stretch(l.start + l.rules.PartLeast)
		}
		dst = append(dst, l.cut(len(l.pending)))
	}
	if s.Sync {
		l.gop, l.lastKey = s.DTS-l.lastKey, s.DTS
		l.longest = max(l.gop, l.longest-l.longest/8)
	}
	if ends, forced := l.ends(s); ends {
		dst = l.closeSegment(dst, forced)
	}
	if l.end == l.segment {
		l.sync = s.Sync
	}
	l.append(s)
	if l.complete(int64(s.Duration)) {
		l.stretch(l.start + l.rules.PartLeast)
		dst = append(dst, l.cut(len(l.pending)))
	}
	return dst
}

// complete says that the part is as long as it should be, or that another sample
// would not fit: a part must not last longer than the part target duration, nor less
// than 85 % of it (RFC 8216bis, 4.4.4.9).
func (l *Leader) complete(next int64) bool {
	d := l.end - l.start
	return len(l.pending) > 0 && (d+next/2 >= l.rules.Part || d+next > l.rules.PartTarget)
}

// ends says that the segment ends before s.
func (l *Leader) ends(s media.Sample) (ends, forced bool) {
	d, half := l.end-l.segment, int64(s.Duration)/2
	if d == 0 {
		return false, false
	}
	if s.Sync {
		least := l.rules.Segment
		if !l.later {
			least = l.rules.First
		}
		// A GOP that begins here may be as long as the others were: a scene change makes
		// one short, not the next.
		over := s.Kind == media.Video && l.later && d+l.longest >= l.rules.Target+l.rules.Half
		if d+half >= least || !l.sync || over {
			return true, false
		}
	}
	// EXTINF rounded to whole seconds must not exceed the target duration (4.4.3.1).
	if d+int64(s.Duration) >= l.rules.Target+l.rules.Half {
		return true, !s.Sync
	}
	return false, false
}

// closeSegment ends the segment, with the part that is growing if there is one.
func (l *Leader) closeSegment(dst []Cut, forced bool) []Cut {
	dst = l.flush(dst)
	if n := len(dst); n > 0 && dst[n-1].End == l.end {
		dst[n-1].Ends, dst[n-1].Forced = true, forced
	} else {
		dst = append(dst, Cut{Start: l.end, End: l.end, Ends: true, Forced: forced})
	}
	l.segment, l.later = l.end, true
	return dst
}

func (r *run) flush(dst []Cut) []Cut {
	if len(r.pending) == 0 {
		return dst
	}
	return append(dst, r.cut(len(r.pending)))
}

// Flush ends the segment that is growing, if there is one.
func (l *Leader) Flush(dst []Cut) []Cut {
	if l.end == l.segment {
		return dst
	}
	return l.closeSegment(dst, false)
}

// Follower cuts where its leader did.
type Follower struct {
	rules Rules
	run
	unit    int64
	segment int64
	fresh   bool
	queue   []mark
}

// mark is a cut of the leader that the follower has yet to make.
type mark struct {
	at   int64
	ends bool
}

// NewFollower starts at tick at; unit is the length of an access unit.
func NewFollower(rules Rules, unit, at int64) *Follower {
	f := &Follower{}
	f.Restart(rules, unit, at)
	return f
}

// Restart begins a new line at tick at. The caller has flushed the old one.
func (f *Follower) Restart(rules Rules, unit, at int64) {
	f.rules, f.unit, f.fresh, f.queue = rules, unit, true, f.queue[:0]
	f.restart(at)
	f.segment = at
}

// Push takes the next sample and appends to dst what it completes.
func (f *Follower) Push(dst []Cut, s media.Sample) []Cut {
	if f.fresh {
		f.fresh = false
		if s.DTS < f.start+f.rules.Part { // audio that starts a little after the video
			f.restart(s.DTS)
			f.segment = s.DTS
		}
	}
	s.DTS = max(s.DTS, f.end)
	f.end = s.DTS + int64(s.Duration)
	f.pending = append(f.pending, s)
	return f.drain(dst)
}

// Mark tells that the leader cut at tick at, and whether its segment ended there.
func (f *Follower) Mark(dst []Cut, at int64, ends bool) []Cut {
	if n := len(f.queue); n > 0 && f.queue[n-1].at == at {
		f.queue[n-1].ends = f.queue[n-1].ends || ends
		return f.drain(dst)
	}
	f.queue = append(f.queue, mark{at, ends})
	return f.drain(dst)
}

// drain makes the cuts that the media has reached. A unit belongs to the part in
// which more than half of it is heard.
func (f *Follower) drain(dst []Cut) []Cut {
	for len(f.queue) > 0 {
		m := f.ripe(f.queue[0])
		reached := m.at - f.unit/2
		if m.at > f.queue[0].at { // a picture behind the mark may tell that the segment ends there
			reached += f.unit
		}
		if f.end < reached {
			break
		}
		f.queue = append(f.queue[:0], f.queue[1:]...)
		dst = f.cutAt(dst, m)
	}
	return dst
}

// ripe moves a cut inside of a segment to where the part is long enough, a unit or two
// further: the leader's may be as short as is allowed, and the nearest unit may end
// before. Where more is missing there is no cut: the segment may end before that.
func (f *Follower) ripe(m mark) mark {
	if m.ends || m.at-f.start >= f.rules.PartLeast+f.unit/2 {
		return m
	}
	units := (f.rules.PartLeast + f.unit - 1) / f.unit
	switch at := f.start + units*f.unit; {
	case at > m.at+2*f.unit:
		m.at = f.start
	case at > m.at:
		m.at = at
	}
	return m
}

// cutAt makes the part that ends at m, and more than one before the end of a segment
// when all that belongs to it does not fit.
func (f *Follower) cutAt(dst []Cut, m mark) []Cut {
	made := len(dst)
	for f.start+f.unit/2 < m.at && len(f.pending) > 0 {
		n, end := f.fit(m.at)
		dst = append(dst, f.take(n, end))
		if !m.ends {
			break
		}
	}
	switch {
	case !m.ends || f.start == f.segment:
		return dst
	case len(dst) == made:
		dst = append(dst, Cut{Start: f.start, End: f.start})
	}
	dst[len(dst)-1].Ends, f.segment = true, f.start
	return dst
}

// fit returns how many units make the part that ends at tick at, one at least, and
// where it ends: where the next unit begins, or at the cut when there is a hole.
func (f *Follower) fit(at int64) (n int, end int64) {
	for n < len(f.pending) && (n == 0 || f.pending[n].DTS+f.unit/2 < at) {
		n++
	}
	limit := f.start + max(f.rules.PartTarget, f.unit)
	for ; ; n-- {
		least := max(f.pending[n-1].DTS, f.start) + f.unit
		if end = least; f.pending[n-1].DTS+f.unit/2 >= at { // its own time is later: it fills a hole
			end = max(at, f.start+f.unit)
		} else if n < len(f.pending) {
			end = min(f.pending[n].DTS, max(end, at))
		}
		if least <= limit || n == 1 { // a hole behind it goes on in the next part
			return n, max(min(end, limit), f.start+1)
		}
	}
}

// take cuts the first n units, each of which lasts to the next, and the last to end.
func (f *Follower) take(n int, end int64) Cut {
	c := f.cut(n)
	c.Samples[0].DTS, c.End, f.start = c.Start, end, end
	for i := range c.Samples {
		next := end
		if i+1 < n {
			next = c.Samples[i+1].DTS
		}
		c.Samples[i].Duration = uint32(next - c.Samples[i].DTS)
	}
	if len(f.pending) == 0 {
		f.end = end
	}
	return c
}

// Flush ends the segment that is growing with everything before tick at, and drops
// the rest.
func (f *Follower) Flush(dst []Cut, at int64) []Cut {
	for _, m := range f.queue {
		if m == f.ripe(m) {
			dst = f.cutAt(dst, m)
		}
	}
	f.queue = f.queue[:0]
	dst = f.cutAt(dst, mark{at: at, ends: true})
	f.pending, f.end = f.pending[:0], f.start
	return dst
}
