package timeline

import (
	"math"
	"time"

	"barrage/packager/media"
)

// VideoScale is the ticks per second of every video track that leaves here.
const VideoScale = 90000

// What a publisher's clock may do before it counts as another clock.
const (
	maxForward  = 3 * time.Second        // a longer step forward is a jump
	maxBackward = 250 * time.Millisecond // a longer step back is a jump; a shorter one is clamped
	maxDrift    = 60 * time.Millisecond  // between counted audio and its milliseconds
	strayWait   = time.Second            // of leader time, before a track that lives on another clock is aligned
)

// blur is how far two equal moments can be apart once both were cut to milliseconds
// and one of them was put on the frame grid: OBS sends the sound that belongs to the
// first picture at 66 ms, and that picture is shown at 66.7 ms.
const blur = 2 * time.Millisecond

// Verdict says what became of a sample.
type Verdict uint8

// The verdicts.
const (
	Keep       Verdict = iota
	Anchor             // kept, and the first of a new line: everything before it has ended
	DropEarly          // before the first sync sample, or shown before the leader's first picture
	DropStray          // on another clock than the leader
	DropExcess         // more audio than time
)

// Timeline places the samples of one layout of tracks. The zero value is not
// usable; one goroutine at a time.
type Timeline struct {
	video, audio *clock
	anchored     bool
	origin       int64         // input time of the leader's first decoding: where the line starts
	ahead        time.Duration // from there to its first presentation
}

// clock is the state of one track.
type clock struct {
	in, out int64 // ticks per second
	last    int64 // newest input time
	primed  bool  // last is set
	started bool  // since the anchor
	first   int64 // input decoding time at the anchor
	base    int64 // tick of the anchor
	least   int64 // tick of the leader's first presentation: nothing is heard before it
	prev    int64 // tick of the sample before
	grid    grid  // video
	opening bool  // video: no sync sample since the anchor's
	unit    int64 // audio: ticks per access unit
	next    int64 // audio: tick of the next unit by count
	shift   int64 // audio: input ticks added to a track on another clock
}

// New makes the timeline of a layout: at most one video and one audio track,
// TimeScale being the publisher's clock. rate is the grid measured for the
// video, if it is known already.
func New(layout []media.Track, rate Rate) *Timeline {
	t := &Timeline{}
	for _, tr := range layout {
		t.SetTrack(tr, rate)
	}
	return t
}

// SetTrack replaces a track by one of another configuration. The caller calls
// Interrupt if the line has begun.
func (t *Timeline) SetTrack(tr media.Track, rate Rate) {
	c := &clock{in: int64(tr.TimeScale), out: int64(OutputScale(tr))}
	if tr.Kind == media.Audio {
		c.unit = AudioUnit(tr)
		t.audio = c
		return
	}
	c.grid = grid{rate: rate, promised: Promise(tr.FrameRate), in: c.in, out: c.out}
	if !rate.Known() {
		c.grid.rate = c.grid.promised
	}
	t.video = c
}

// OutputScale returns the ticks per second of the track that leaves the timeline.
func OutputScale(tr media.Track) uint32 {
	if tr.Kind == media.Audio {
		return tr.SampleRate
	}
	return VideoScale
}

// Interrupt ends the line: the next sync sample of the leader anchors a new one.
func (t *Timeline) Interrupt() {
	t.anchored = false
	for _, c := range []*clock{t.video, t.audio} {
		if c != nil {
			c.started, c.primed, c.shift, c.grid.started = false, false, 0, false
		}
	}
}

func (t *Timeline) leader() *clock {
	if t.video != nil {
		return t.video
	}
	return t.audio
}

func (t *Timeline) clock(k media.Kind) *clock {
	if k == media.Audio {
		return t.audio
	}
	return t.video
}

// Place gives s its times in ticks of its track: DTS, CTS, and the nominal
// Duration. end is where the leader's media ends so far; a new line starts there.
func (t *Timeline) Place(s media.Sample, end time.Duration) (media.Sample, Verdict) {
	c := t.clock(s.Kind)
	if c == nil {
		return s, DropStray
	}
	if t.anchored && c.jumped(s.DTS) && !t.rejoins(c, s) {
		t.Interrupt()
	}
	verdict := Keep
	if !t.anchored {
		if c != t.leader() || !s.Sync && s.Kind == media.Video {
			return s, DropEarly
		}
		t.anchor(c, s, end)
		verdict = Anchor
	}
	if !c.started && t.stray(c, s) {
		return s, DropStray
	}
	c.last, c.primed = s.DTS, true
	if s.Kind == media.Video {
		if s.Leading && c.opening {
			return s, DropEarly
		}
		c.opening = verdict == Anchor || c.opening && !s.Sync
		return c.placeVideo(s), verdict
	}
	s, kept := c.placeAudio(s, t.origin)
	switch {
	case kept:
		return s, verdict
	case c.started:
		return s, DropExcess
	}
	return s, DropEarly
}

func (t *Timeline) anchor(c *clock, s media.Sample, end time.Duration) {
	t.anchored, t.origin, c.first = true, s.DTS, s.DTS
	t.ahead = Duration(max(c.grid.offset(int64(s.CTS)*c.out/c.in), 0), uint32(c.out))
	if s.Kind == media.Audio {
		t.ahead = 0
	}
	for _, other := range []*clock{t.video, t.audio} {
		if other != nil {
			other.base = Ticks(end, uint32(other.out))
			other.least = Ticks(end+t.ahead, uint32(other.out))
			other.prev = math.MinInt64
		}
	}
}

// Ahead returns how much earlier than it is shown the leader's first picture is
// decoded: with B-frames segments start that much later for the eye and the ear.
func (t *Timeline) Ahead() time.Duration { return t.ahead }

// jumped says that x cannot be the next time of the same clock.
func (c *clock) jumped(x int64) bool {
	if !c.primed || !c.started {
		return false
	}
	d := x - c.last
	return d > c.ticksIn(maxForward) || -d > c.ticksIn(maxBackward)
}

// rejoins says that a follower that was silent is back where the leader is: what is
// missing is a hole, however long, and the leader's pictures must not suffer from it.
func (t *Timeline) rejoins(c *clock, s media.Sample) bool {
	lead := t.leader()
	return c != lead && s.DTS > c.last && !lead.far(s.DTS+c.shift)
}

// far says that input time x is not of the moment that the track has come to.
func (c *clock) far(x int64) bool {
	d := x - c.last
	return d > c.ticksIn(maxForward) || -d > c.ticksIn(maxForward)
}

// stray says that a follower's first sample is far from the leader: left over
// from before a jump, or on a clock of its own. The latter is recognised by the
// leader's progress, and then the track is laid beside the leader.
func (t *Timeline) stray(c *clock, s media.Sample) bool {
	lead := t.leader()
	if c == lead {
		return false
	}
	if !lead.far(s.DTS) {
		return false
	}
	if lead.last-lead.first < lead.ticksIn(strayWait) {
		return true
	}
	c.shift = lead.last - s.DTS
	return false
}

func (c *clock) ticksIn(d time.Duration) int64 { return int64(d) * c.in / int64(time.Second) }

func (c *clock) placeVideo(s media.Sample) media.Sample {
	said := c.base + (s.DTS-c.first)*c.out/c.in
	t := c.grid.snap(said)
	cts := c.grid.offset(int64(s.CTS) * c.out / c.in)
	c.started = true
	at := t
	if t <= c.prev { // a small step backwards: decode in the order of arrival, show when said
		at = c.prev + 1
	}
	c.prev = at
	s.DTS, s.CTS, s.Duration = at, int32(cts+t-at), uint32(c.grid.frame())
	return s
}

func (c *clock) placeAudio(s media.Sample, origin int64) (media.Sample, bool) {
	said := c.base + (s.DTS+c.shift-origin)*c.out/c.in
	switch drift := said - c.next; {
	case !c.started:
		if said < c.least-c.ticksIn(blur)*c.out/c.in {
			return s, false
		}
		c.started, c.next = true, max(said, c.least)
	case drift > c.guard(): // units were lost: leave the hole where it is
		c.next = said
	case -drift > c.guard():
		return s, false
	}
	s.DTS, s.CTS, s.Duration, s.Sync = c.next, 0, uint32(c.unit), true
	c.next += c.unit
	return s, true
}

func (c *clock) guard() int64 { return max(int64(maxDrift)*c.out/int64(time.Second), 2*c.unit) }

// Rate returns the frame grid in use; unknown while the rate varies.
func (t *Timeline) Rate() Rate {
	if t.video == nil {
		return Rate{}
	}
	return t.video.grid.rate
}

// Ticks converts a time to the nearest tick of scale.
func Ticks(d time.Duration, scale uint32) int64 {
	sec, rest := int64(d/time.Second), int64(d%time.Second)
	return sec*int64(scale) + (rest*int64(scale)+int64(time.Second)/2)/int64(time.Second)
}

// Duration converts ticks of scale to a time, to the nearest nanosecond.
func Duration(ticks int64, scale uint32) time.Duration {
	s := int64(scale)
	return time.Duration(ticks/s)*time.Second + time.Duration(((ticks%s)*int64(time.Second)+s/2)/s)
}
