package packager

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"time"

	"barrage/packager/media"
	"barrage/packager/timeline"
)

// record is what a session needs to go on after its process has ended: everything
// of its stream epoch but the media.
type record struct {
	Version                          int
	Session, Epoch                   string
	Seen                             time.Time     // when the newest sample came
	PDT                              time.Time     // program date time of its end
	End                              time.Duration // where the media of the epoch ended then
	Part, PartTarget, First, Segment time.Duration // as limits
	Target                           time.Duration
	Rate                             timeline.Rate
	FrameRate                        float64       // while there is no rate
	Tracks                           []trackRecord // the leader first
	Next                             numbers       // where the next process begins
	Clean                            bool          // the publisher had said goodbye
}

// recordVersion changes with the meaning of a record; others are not read.
const recordVersion = 1

// trackRecord is a track as it leaves, and what the multivariant playlist says of it.
type trackRecord struct {
	media.Track
	Bits, Peak float64 // as bitrate
	Seconds    float64
}

// record describes the epoch of a session; next is where another process may begin.
func (p *packer) record(s *session, next numbers) record {
	r := record{
		Version: recordVersion, Session: s.id, Epoch: p.epoch.ID, Seen: s.seenAt.UTC().Round(0), PDT: s.pdt, End: p.end(),
		Part: p.limits.part, PartTarget: p.limits.partTarget, First: p.limits.first, Segment: p.limits.segment,
		Target: p.limits.target, Rate: p.line.Rate(), FrameRate: p.epoch.fps, Next: next, Clean: s.clean,
	}
	for _, l := range p.lanes {
		r.Tracks = append(r.Tracks, trackRecord{Track: l.track, Bits: l.rate.bits, Peak: l.rate.peak, Seconds: l.rate.dur.Seconds()})
	}
	return r
}

// Why a record is not used.
var (
	errRecordBroken = errors.New("not a record of this version")
	errRecordOld    = errors.New("older than the grace: the session is over")
)

// check looks at what came from a file, and how old that is.
func (r record) check(now time.Time, e *env) error {
	l := r.limits(Config{})
	id := regexp.MustCompile(`^[a-z0-9]{1,64}$`)
	broken := r.Version != recordVersion || !id.MatchString(r.Session) || !id.MatchString(r.Epoch) ||
		l.part <= 0 || l.partTarget < l.part || l.target < time.Second || l.target > maxTarget || l.target < l.part ||
		l.first <= 0 || l.segment <= 0 || r.End < 0 || r.End > 1<<60 || len(r.Tracks) < 1 || len(r.Tracks) > 2 ||
		len(r.Tracks) == 2 && (r.Tracks[0].Kind != media.Video || r.Tracks[1].Kind != media.Audio) ||
		r.Next.MSN < 2 || r.Next.Part < 2 || r.Next.Init < 2 || r.Next.reaches(numbers{1 << 50, 1 << 50, 1 << 50, 1 << 50})
	if broken {
		return errRecordBroken
	}
	// While somebody publishes the file is written anew at least every half block.
	limit := time.Duration(halfway().segments)*(l.target+time.Second) + e.waits(r.Clean)
	if age := now.Sub(r.Seen); age.Abs() > limit {
		return errRecordOld
	}
	return nil
}

func (r record) limits(cfg Config) limits {
	return limits{
		part: r.Part, partTarget: r.PartTarget, first: r.First, segment: r.Segment, target: r.Target,
		window: max(cfg.Window, 8*r.Target),
	}
}

// restoreStream takes a session up again that another process has left: it waits for
// its publisher, in the same epoch, and has no media yet. Its media and dates are
// taken to have gone on since the record was written.
func restoreStream(room string, e *env, r record) (*Stream, error) {
	now := e.now()
	if err := r.check(now, e); err != nil {
		return nil, fmt.Errorf("restore room %s: %w", room, err)
	}
	s := newStream(room, e)
	unseen := max(now.Round(0).Sub(r.Seen), 0)
	c := newClock(now)
	c.newest = r.PDT.Add(unseen) // the dates of a session may have run ahead of the clock
	s.session = &session{id: r.Session, clock: c, pdt: c.newest, seenAt: now, clean: r.Clean}
	p, err := s.resume(r, unseen)
	if err != nil {
		return nil, fmt.Errorf("restore room %s: %w", room, err)
	}
	expected, ok := e.budget.enter()
	if !ok {
		return nil, fmt.Errorf("restore room %s: %w", room, ErrFull)
	}
	s.packer, s.expected = p, expected
	s.setView([]*Epoch{p.epoch}, p.epoch)
	s.deadline = now.Add(e.waits(r.Clean))
	s.enter(PhaseAway)
	return s, nil
}

// resume makes the writer of the epoch that goes on.
func (s *Stream) resume(r record, unseen time.Duration) (*packer, error) {
	layout := make([]media.Track, len(r.Tracks))
	for i, t := range r.Tracks {
		if err := checkTrack(t.Track); err != nil {
			return nil, err
		}
		layout[i] = t.Track
	}
	p, err := s.newPacker(layout, measure{limits: r.limits(s.env.cfg), rate: r.Rate, fps: cmp.Or(r.FrameRate, r.Rate.Float())})
	if err != nil {
		return nil, err
	}
	p.epoch.ID, p.epoch.muxer.epoch = r.Epoch, r.Epoch
	p.begun, p.breaks = true, r.Next.Breaks
	for i, l := range p.lanes {
		l.init.number = r.Next.Init - 1 // the next one is the first that anybody sees
		l.shelf.nextMSN, l.shelf.nextPart, l.shelf.left = r.Next.MSN, r.Next.Part, r.Next.Breaks
		l.shelf.blind = true // what comes next lies behind a discontinuity
		t := r.Tracks[i]
		l.rate = bitrate{bits: t.Bits, peak: t.Peak, dur: time.Duration(t.Seconds * float64(time.Second))}
		p.epoch.publish(l)
	}
	p.restart(r.End + unseen)
	p.epoch.list(r.Rate.Float())
	p.epoch.muxer.foretell(measureLanes(p.lanes))
	return p, nil
}
