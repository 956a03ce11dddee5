package packager

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"time"

	"barrage/packager/media"
	"barrage/packager/timeline"
)

// How long a layout stays open, and how much is looked at before it is frozen.
const (
	waitUnknown  = time.Second      // for a second track nobody promised
	waitPromised = 5 * time.Second  // for one that onMetaData promised
	maxTarget    = 10 * time.Second // the longest target duration
	silence      = 10 * time.Second // of one track of the layout, before the others go on without it
	maxPrelude   = 32 << 20         // bytes held before the epoch starts without its first GOP
	maxEntries   = 8192             // and samples: one whose times stand still would send them for ever
)

// prelude collects what a publisher sends before the stream epoch can be frozen:
// which tracks there are, the frame rate, the first GOP. Nothing is listed before
// the first segment is complete anyway, so collecting delays nobody.
type prelude struct {
	tracks   map[media.Kind]media.Track
	expected map[media.Kind]bool
	since    time.Time // first track
	entries  []entry
	bytes    int
	resume   bool // the epoch exists already and its numbers are frozen
	waited   bool // what does not deliver has been waited for long enough already
}

// entry is a sample and when it came.
type entry struct {
	sample media.Sample
	at     time.Time
}

func newPrelude(resume bool) *prelude {
	return &prelude{tracks: map[media.Kind]media.Track{}, expected: map[media.Kind]bool{}, resume: resume}
}

func (p *prelude) setTrack(t media.Track, now time.Time) {
	if p.since.IsZero() {
		p.since = now
	}
	if old, known := p.tracks[t.Kind]; known && !bytes.Equal(old.Config, t.Config) {
		p.entries, p.bytes = nil, 0 // of another configuration
	}
	p.tracks[t.Kind] = t
}

// add keeps a sample. Video starts at its first sync sample.
func (p *prelude) add(s media.Sample, now time.Time) {
	if _, ok := p.tracks[s.Kind]; !ok {
		return
	}
	if s.Kind == media.Video && !s.Sync && !p.has(media.Video) {
		p.forget(s.DTS)
		return
	}
	p.entries = append(p.entries, entry{s, now})
	p.bytes += len(s.Data)
}

// forget drops audio that came long before any picture.
func (p *prelude) forget(dts int64) {
	scale := int64(p.tracks[media.Video].TimeScale)
	p.entries = slices.DeleteFunc(p.entries, func(e entry) bool { return dts-e.sample.DTS > 2*scale })
}

func (p *prelude) has(k media.Kind) bool {
	return slices.ContainsFunc(p.entries, func(e entry) bool { return e.sample.Kind == k })
}

// ready says that the epoch can be frozen (or resumed) with what is known.
func (p *prelude) ready(now time.Time, segment time.Duration) bool {
	switch {
	case len(p.entries) >= maxEntries:
		return true
	case !p.settled(now):
		return false
	case p.bytes > maxPrelude || p.resume:
		return true
	}
	if p.has(media.Video) {
		g := p.firstGOP()
		return g.complete || g.span >= maxTarget+time.Second/2
	}
	return p.span(media.Audio) >= segment
}

// settled says that the layout is known: both tracks deliver, or the wait is over.
func (p *prelude) settled(now time.Time) bool {
	video, audio := p.has(media.Video), p.has(media.Audio)
	if video && audio {
		return true
	}
	if !video && !audio {
		return false
	}
	missing := media.Audio
	if !video {
		missing = media.Video
	}
	wait := waitUnknown
	if _, known := p.tracks[missing]; known || p.expected[missing] {
		wait = waitPromised
	}
	return p.waited || now.Sub(p.since) >= wait
}

// layout returns the tracks that deliver, the leader first.
func (p *prelude) layout() []media.Track {
	var out []media.Track
	for k, t := range p.tracks {
		if p.has(k) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b media.Track) int { return cmp.Compare(a.Kind, b.Kind) })
	return out
}

// times returns the decoding times of a kind, in input ticks.
func (p *prelude) times(k media.Kind) []int64 {
	var out []int64
	for _, e := range p.entries {
		if e.sample.Kind == k {
			out = append(out, e.sample.DTS)
		}
	}
	return out
}

// untilJump returns the times up to a step of more than three seconds.
func untilJump(times []int64, scale uint32) []int64 {
	for i := range times[1:] {
		if d := times[i+1] - times[i]; max(d, -d) > 3*int64(scale) {
			return times[:i+1]
		}
	}
	return times
}

func (p *prelude) span(k media.Kind) time.Duration {
	x := p.times(k)
	if len(x) < 2 {
		return 0
	}
	return timeline.Duration(x[len(x)-1]-x[0], p.tracks[k].TimeScale)
}

// gop is the first group of pictures: from the first sync sample to the second.
type gop struct {
	span     time.Duration
	complete bool
}

func (p *prelude) firstGOP() gop {
	var first, newest int64
	scale, started := p.tracks[media.Video].TimeScale, false
	for _, e := range p.entries {
		if e.sample.Kind != media.Video {
			continue
		}
		newest = e.sample.DTS
		if !started {
			first, started = newest, true
		} else if e.sample.Sync && newest > first {
			return gop{span: timeline.Duration(newest-first, scale), complete: true}
		}
	}
	return gop{span: timeline.Duration(newest-first, scale)}
}

// measure is what an epoch is frozen with.
type measure struct {
	limits limits
	rate   timeline.Rate
	fps    float64 // what FRAME-RATE says while there is no grid
}

// measure decides the numbers that may never change in the life of the epoch.
func (p *prelude) measure(cfg Config) measure {
	var m measure
	unit := time.Duration(0)
	if t, ok := p.tracks[media.Audio]; ok && p.has(media.Audio) {
		unit = timeline.Duration(timeline.AudioUnit(t), t.SampleRate)
	}
	frame := unit.Seconds()
	m.limits.first = cfg.SegmentDuration
	longest, segment := cfg.SegmentDuration, cfg.SegmentDuration
	if t, ok := p.tracks[media.Video]; ok && p.has(media.Video) {
		m.rate, frame = videoRate(t, untilJump(p.times(media.Video), t.TimeScale))
		m.fps = frameRate(t, m.rate, frame)
		g := p.firstGOP()
		longest, segment = max(longest, g.span), segmentLength(cfg.SegmentDuration, g)
		m.limits.first = 0
	}
	m.limits.part = partLength(cfg.PartDuration, frame, segment)
	m.limits.partTarget = partTarget(m.limits.part, unit)
	m.limits.segment = cfg.SegmentDuration
	m.limits.first = max(m.limits.first, m.limits.part)
	m.limits.target = targetDuration(longest)
	m.limits.window = max(cfg.Window, 8*m.limits.target)
	return m
}

// videoRate returns the frame grid, if there is one, and how many seconds a frame lasts.
func videoRate(t media.Track, times []int64) (timeline.Rate, float64) {
	rate, ok := timeline.Detect(times, int64(t.TimeScale), timeline.Promise(t.FrameRate))
	if ok {
		return rate, 1 / rate.Float()
	}
	if n := len(times); n > 1 && times[n-1] > times[0] {
		return rate, timeline.Duration(times[n-1]-times[0], t.TimeScale).Seconds() / float64(n-1)
	}
	return rate, 1. / 30
}

// frameRate returns "the maximum frame rate for all the video" (RFC 8216bis, 4.4.6.2):
// the grid, else what was promised, else what was measured, in whole frames, as the
// times of some seconds tell no more. Without a grid too there must be one (Apple 9.15).
func frameRate(t media.Track, grid timeline.Rate, frame float64) float64 {
	return cmp.Or(grid.Float(), timeline.Promise(t.FrameRate).Float(), max(1, math.Round(1/frame)))
}

// segmentLength returns how long segments will be, if all GOPs are like the first.
func segmentLength(least time.Duration, g gop) time.Duration {
	if !g.complete {
		return least
	}
	gops := (least + g.span - 1) / g.span
	return time.Duration(int64(gops)) * g.span
}

// partLength returns a whole number of frames near to what is configured, such that
// equal parts fill a segment: 2 s at 25 Hz are parts of 13, 13, 13 and 11 frames, where
// four of 12 would leave two frames for a fifth, and a fourth more requests.
func partLength(want time.Duration, frame float64, segment time.Duration) time.Duration {
	parts := max(1, math.Round(segment.Seconds()/want.Seconds()))
	n := max(1, math.Ceil(segment.Seconds()/frame/parts-1e-3))
	return time.Duration(math.Round(n * frame * float64(time.Second)))
}

// partTarget leaves room for jitter (facts of ordinary encoders: a target equal to
// the nominal part makes runts) and for audio, which is cut at the nearest unit: up to
// the first that ends behind the part. No more than that, as parts must not be shorter
// than 85 % of it (RFC 8216bis, 4.4.4.9): those of audio may end a unit earlier.
func partTarget(part, unit time.Duration) time.Duration {
	t := part + part*6/100
	if unit > 0 {
		longest := time.Duration(math.Ceil(part.Seconds()/unit.Seconds()-1e-3) * float64(unit))
		t = max(longest, min(t, (longest-unit-2*time.Millisecond)*100/85))
	}
	return (t + time.Millisecond - 1).Truncate(time.Millisecond)
}

// targetDuration rounds up to seconds. A tenth of a second is forgiven, so that
// 2.002 s (60 frames at 29.97 Hz) are 2: players compare the rounded EXTINF
// (4.4.3.1), and every second of it costs regular viewers three.
func targetDuration(longest time.Duration) time.Duration {
	up := (longest - time.Second/10 + time.Second - 1).Truncate(time.Second)
	return min(max(up, time.Second), maxTarget)
}
