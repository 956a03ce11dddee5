package packager

import (
	"fmt"
	"time"

	"barrage/packager/fmp4"
	"barrage/packager/media"
	"barrage/packager/segmenter"
	"barrage/packager/timeline"
)

// packer makes one stream epoch: samples in, windows out. It is the one writer of
// its renditions; its Stream's mutex guards it.
type packer struct {
	env    *env
	epoch  *Epoch
	lanes  []*lane // the epoch's
	shed   func()  // keeps the memory of the room, and of all rooms, under its bound
	line   *timeline.Timeline
	lead   *segmenter.Leader
	follow *segmenter.Follower // nil for a single track
	limits limits
	clock  *clock
	next   change        // takes effect at the next anchor
	ahead  time.Duration // pictures are shown this much after they are decoded
	breaks uint64        // discontinuities so far
	begun  bool
	quiet  bool  // replaying: publish later
	stale  bool  // a segment has ended or a configuration changed since the multivariant playlist was made
	grown  int64 // bytes taken in since a segment ended
	cuts   []segmenter.Cut
	marks  []segmenter.Cut
}

// maxGrown bounds the bytes of a segment that does not end, where window_bytes is not
// more: ten seconds at 100 Mbit/s.
const maxGrown = 128 << 20

// change is what an anchor finds different.
type change struct {
	tracks map[media.Kind]media.Track
	reason string // of the discontinuity
}

// newPacker starts an epoch of the session with a layout of input tracks.
func (s *Stream) newPacker(layout []media.Track, m measure) (*packer, error) {
	p := &packer{
		env: s.env, shed: s.shed, clock: s.session.clock, limits: m.limits, line: timeline.New(layout, m.rate),
		next: change{tracks: map[media.Kind]media.Track{}},
	}
	p.epoch = &Epoch{ID: newID(s.env.now()), env: s.env, share: &s.share, fps: m.fps, renditions: map[string]*Rendition{}}
	for _, in := range layout {
		l := &lane{name: laneName(in.Kind), rendition: newRendition(), shelf: newShelf(m.limits), seen: s.env.now()}
		if err := l.retrack(in); err != nil {
			return nil, err
		}
		p.lanes = append(p.lanes, l)
		p.epoch.renditions[l.name] = l.rendition
	}
	p.epoch.lanes = p.lanes
	p.epoch.muxer = newMuxer(p, m.fps)
	p.lead = segmenter.NewLeader(p.rules(p.lanes[0]), 0)
	if len(p.lanes) > 1 {
		l := p.lanes[1]
		p.follow = segmenter.NewFollower(p.rules(l), timeline.AudioUnit(l.track), 0)
	}
	return p, nil
}

func (p *packer) rules(l *lane) segmenter.Rules {
	m := p.limits
	r := segmenter.NewRules(m.part, m.partTarget, m.first, m.segment, m.target, l.track.TimeScale)
	if len(p.lanes) > 1 { // the follower's segments can be a unit longer than the leader's
		unit := timeline.Duration(timeline.AudioUnit(p.lanes[1].track), p.lanes[1].track.TimeScale)
		r.Half -= timeline.Ticks(unit, l.track.TimeScale)
	}
	return r
}

// retrack takes over a configuration: the media that follows has an init section of its own.
func (l *lane) retrack(in media.Track) error {
	out := in
	out.TimeScale = timeline.OutputScale(in)
	data, err := fmp4.AppendInit(nil, out)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTrack, err)
	}
	number := uint64(1)
	if l.init != nil {
		number = l.init.number + 1
	}
	l.track, l.init = out, &section{number: number, data: data, track: out}
	return nil
}

func (p *packer) lane(k media.Kind) *lane {
	for _, l := range p.lanes {
		if l.track.Kind == k {
			return l
		}
	}
	return nil
}

// coming returns the track of the lane as it was announced last.
func (p *packer) coming(l *lane) media.Track {
	if t, ok := p.next.tracks[l.track.Kind]; ok {
		return t
	}
	return l.track
}

// end returns where the leader's media ends.
func (p *packer) end() time.Duration {
	return timeline.Duration(p.lead.End(), p.lanes[0].track.TimeScale)
}

// retrack announces another configuration of a track of the layout: it takes
// effect, for all renditions, at the next sync sample.
func (p *packer) retrack(in media.Track, reason string) {
	p.next.tracks[in.Kind], p.next.reason = in, reason
	rate := timeline.Promise(in.FrameRate)
	if !rate.Known() {
		rate = p.line.Rate()
	}
	p.line.SetTrack(in, rate)
	p.line.Interrupt()
}

// write takes one sample that arrived at that time and returns when it is visible.
func (p *packer) write(s media.Sample, at time.Time) error {
	if l := p.lane(s.Kind); l != nil {
		l.seen = at
	}
	placed, verdict := p.line.Place(s, p.end())
	switch verdict {
	case timeline.Keep:
	case timeline.Anchor:
		if err := p.anchor(at); err != nil {
			return err
		}
	default:
		p.env.metrics.dropped.WithLabelValues(dropReason(verdict)).Inc()
		return nil
	}
	if p.grown += int64(len(s.Data)); p.grown > max(p.env.cfg.WindowBytes, maxGrown) {
		return fmt.Errorf("%w: %d MB and no segment is complete", ErrClock, p.grown>>20)
	}
	if placed.Kind == p.lanes[0].track.Kind {
		p.pushLeader(placed)
	} else {
		p.cuts = p.follow.Push(p.cuts[:0], placed)
		p.apply(p.lanes[1], p.cuts)
	}
	p.publish(at)
	return nil
}

func (p *packer) pushLeader(s media.Sample) {
	l := p.lanes[0]
	p.cuts = p.lead.Push(p.cuts[:0], s)
	p.apply(l, p.cuts)
	p.mark(p.cuts)
	p.clock.pdt(p.end() + p.ahead)
	if s.Sync && s.Kind == media.Video {
		if gop := p.lead.GOP(); gop > 0 {
			p.env.metrics.gop.Observe(timeline.Duration(gop, l.track.TimeScale).Seconds())
		}
	}
}

// mark tells the follower where the leader cut.
func (p *packer) mark(cuts []segmenter.Cut) {
	if p.follow == nil {
		return
	}
	l := p.lanes[1]
	for _, c := range cuts {
		at := timeline.Ticks(timeline.Duration(c.End, p.lanes[0].track.TimeScale)+p.ahead, l.track.TimeScale)
		p.marks = p.follow.Mark(p.marks[:0], at, c.Ends)
		p.apply(l, p.marks)
	}
}

// anchor begins a new line of times at the end of the old one.
func (p *packer) anchor(at time.Time) error {
	base, ahead := p.end(), p.line.Ahead()
	if !p.begun {
		p.begun, p.ahead = true, ahead
		p.clock.anchor(at, base+ahead)
		p.restart(base)
		return nil
	}
	reason := p.next.reason
	if reason == "" {
		reason = reasonJump
	}
	p.next.reason = ""
	p.breaks++
	p.env.metrics.discontinuities.WithLabelValues(reason).Inc()
	p.breakOff()
	for _, l := range p.lanes {
		l.breaks++
		if in, ok := p.next.tracks[l.track.Kind]; ok {
			if err := l.retrack(in); err != nil {
				return err
			}
			p.stale = true // who comes for the new init section is told its codec
		}
	}
	clear(p.next.tracks)
	p.ahead = ahead
	p.clock.anchor(at, base+ahead)
	p.restart(base)
	return nil
}

// restart begins the cuts of a line whose first picture is decoded at base.
func (p *packer) restart(base time.Duration) {
	p.lead.Restart(p.rules(p.lanes[0]), timeline.Ticks(base, p.lanes[0].track.TimeScale))
	if p.follow != nil {
		l := p.lanes[1]
		p.follow.Restart(p.rules(l), timeline.AudioUnit(l.track), timeline.Ticks(base+p.ahead, l.track.TimeScale))
	}
}

// flush ends the segments that are growing.
func (p *packer) flush() {
	p.cuts = p.lead.Flush(p.cuts[:0])
	p.apply(p.lanes[0], p.cuts)
	if p.follow == nil {
		return
	}
	p.mark(p.cuts)
	l := p.lanes[1]
	p.marks = p.follow.Flush(p.marks[:0], timeline.Ticks(p.end()+p.ahead, l.track.TimeScale))
	p.apply(l, p.marks)
}

// breakOff ends the segments because a discontinuity follows.
func (p *packer) breakOff() {
	p.flush()
	for _, l := range p.lanes {
		l.shelf.breakOff(l.rendition.Window())
		l.dirty = true
	}
}

// apply turns cuts into bytes on the shelf.
func (p *packer) apply(l *lane, cuts []segmenter.Cut) {
	kind := l.track.Kind
	for _, c := range cuts {
		l.dirty = true
		if len(c.Samples) > 0 {
			p.addPart(l, c)
		}
		if !c.Ends {
			continue
		}
		if seg := l.shelf.close(); seg != nil {
			l.rate.add(seg)
			p.stale, p.grown = true, 0
			p.env.metrics.segments.WithLabelValues(kind.String()).Inc()
		}
		if c.Forced {
			p.env.metrics.forced.Inc()
		}
	}
}

func (p *packer) addPart(l *lane, c segmenter.Cut) {
	scale := l.track.TimeScale
	start, end := timeline.Duration(c.Start, scale), timeline.Duration(c.End, scale)
	if l.shelf.open == nil {
		shown := start
		if l.track.Kind == media.Video {
			shown += p.ahead
		}
		l.shelf.begin(start, p.clock.pdt(shown), l.init, l.breaks)
		l.breaks = 0
	}
	l.fresh++
	l.shelf.add(part{
		start: start, end: end, independent: c.Samples[0].Sync,
		data: fmp4.AppendFragment(nil, fmp4.Fragment{Sequence: uint32(l.shelf.nextPart), Samples: c.Samples}),
	})
}

// publish makes visible what apply put on the shelves. at is when the sample came
// that completed it.
func (p *packer) publish(at time.Time) {
	if p.quiet {
		return
	}
	p.foresee()
	p.shed()
	for _, l := range p.lanes {
		if l.dirty {
			p.epoch.publish(l)
		}
		for ; l.fresh > 0; l.fresh-- {
			p.env.metrics.sawPart(l.track.Kind, p.env.now().Sub(at))
		}
	}
	p.epoch.report()
	p.list()
}

// list gives the epoch its multivariant playlist once every rendition lists a
// segment, and another with each segment and configuration: what was measured has changed.
func (p *packer) list() {
	if !p.stale || !p.playable() {
		return
	}
	p.stale = false
	p.epoch.list(p.line.Rate().Float())
}

// playable says that every rendition lists a segment.
func (p *packer) playable() bool {
	return !p.epoch.Empty()
}

// silent says that a track of the layout delivers nothing any longer while another
// does: players would wait for it for ever.
func (p *packer) silent(now time.Time) bool {
	for _, l := range p.lanes {
		if now.Sub(l.seen) > silence {
			return true
		}
	}
	return false
}

// pause ends the segments with what has come so far; the epoch may go on, behind a
// discontinuity. A part left short in an open segment would break the promise that
// all but the last of a segment last 85 % of the target (RFC 8216bis, 4.4.4.9).
func (p *packer) pause(at time.Time) {
	p.breakOff()
	p.line.Interrupt()
	p.next.reason = reasonPublish
	p.publish(at)
}

// suspend is a pause that another process will end: whoever waits is answered.
func (p *packer) suspend(at time.Time) {
	for _, l := range p.lanes {
		l.shelf.closing, l.dirty = true, true
	}
	p.pause(at)
}

// finish ends the epoch: its playlists say ENDLIST and nobody waits any longer.
func (p *packer) finish() {
	p.quiet = false
	p.flush()
	for _, l := range p.lanes {
		l.shelf.close()
		l.shelf.ended, l.dirty = true, true
	}
	p.publish(p.env.now())
}
