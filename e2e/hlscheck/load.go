package hlscheck

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

// job is media to load.
type job struct {
	init    string
	part    *seenPart // one of the two
	segment *seenSegment
	fresh   bool // a discontinuity is before it
}

// load loads what is listed, in order.
func (f *follower) load(ctx context.Context) {
	for j := range f.jobs {
		if ctx.Err() != nil || j.part != nil && j.part.Gap || j.segment != nil && j.segment.Gap {
			continue
		}
		track := f.track(ctx, j.init)
		ask := Ask{Kind: KindPart}
		var uri string
		if j.part != nil {
			uri = j.part.URI
		} else {
			ask.Kind, uri = KindSegment, j.segment.URI
		}
		ask.URL = f.r.at(uri)
		answer := f.ask(ctx, f.r, ask)
		if answer == nil {
			continue
		}
		f.mu.Lock()
		e := &Fetched{R: f.r, Part: j.part, Segment: j.segment, URI: uri, Answer: answer}
		if answer.Status == http.StatusOK {
			e.Known, e.Same = f.r.same(uri, answer.Body)
			if j.part != nil {
				f.r.loadedPart(e, j, track)
			} else {
				f.r.loadedSegment(e, j, track)
			}
		}
		f.see(e)
		f.mu.Unlock()
	}
}

// track returns the init section of that address, loading it once; nil without one.
func (f *follower) track(ctx context.Context, uri string) *Track {
	f.mu.Lock()
	t, known := f.r.tracks[uri]
	f.mu.Unlock()
	if known || uri == "" {
		return t
	}
	answer := f.ask(ctx, f.r, Ask{Kind: KindInit, URL: f.r.at(uri)})
	if answer == nil {
		return nil
	}
	track, err := parseInit(answer.Body)
	if f.changed() {
		f.seeIndex(ctx, f.r)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.r.tracks[uri] = track
	f.see(&Init{R: f.r, Answer: answer, Track: track, Err: err, Codecs: f.codecs(f.r)})
	return track
}

// changed says that the rendition had another init section before: the multivariant
// playlist from the beginning of the watch cannot tell of this one, a new one must.
func (f *follower) changed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.r.tracks) > 0
}

func (r *Rendition) loadedPart(e *Fetched, j job, t *Track) {
	p, before := j.part, r.lastPart
	p.body, p.loaded = e.Answer.Body, true
	r.lastPart = p
	e.Gap = true
	if t == nil {
		return
	}
	if p.span, e.Err = t.span(e.Answer.Body); e.Err != nil {
		r.lastPart = nil
		return
	}
	if before != nil && !j.fresh && (before.msn == p.msn && before.index+1 == p.index || before.msn+1 == p.msn && p.index == 0 && before.last) {
		e.Gap, e.Expect = false, before.span.End
	}
}

func (r *Rendition) loadedSegment(e *Fetched, j job, t *Track) {
	s, before := j.segment, r.lastSegment
	s.loaded, s.bytes = true, len(e.Answer.Body)
	r.lastSegment = s
	r.join(e, s)
	if s.Duration > 0 {
		r.bits += float64(s.bytes) * 8
		r.took += s.Duration
		if r.now != nil && s.Duration >= r.now.TargetDuration/2 {
			r.peak = max(r.peak, float64(s.bytes)*8/s.Duration.Seconds())
		}
	}
	e.Gap = before == nil || j.fresh || before.MSN+1 != s.MSN
	if t == nil {
		r.loadedPackets(e, s, before)
		return
	}
	if s.span, e.Err = t.span(e.Answer.Body); e.Err != nil {
		r.lastSegment = nil
		return
	}
	if e.Gap {
		r.extinf, r.base = 0, s.span.Start
	} else {
		e.Expect = before.span.End
	}
	r.extinf += s.Duration
	e.Drift, e.Summed = r.extinf-(s.span.End-r.base), true
}

// join compares a segment with its parts, which are then no longer needed.
func (r *Rendition) join(e *Fetched, s *seenSegment) {
	e.Complete = len(s.Parts) > 0
	var joined []byte
	for _, p := range s.Parts {
		seen := r.parts[p.URI]
		if seen == nil || seen.body == nil {
			e.Complete = false
			continue
		}
		joined = append(joined, seen.body...)
		seen.body = nil
	}
	e.Joined = bytes.Equal(joined, e.Answer.Body)
}

func (r *Rendition) loadedPackets(e *Fetched, s, before *seenSegment) {
	if s.Map != "" {
		return // its init section could not be read, which has a rule of its own
	}
	if s.packets, e.Err = parsePackets(e.Answer.Body); e.Err != nil {
		r.lastSegment = nil
		return
	}
	e.Continues = e.Gap || s.packets.follows(before.packets)
	if !e.Gap && s.packets.Timed && before.packets.Timed && !s.PDT.IsZero() && !before.PDT.IsZero() {
		e.PTSTimed = true
		e.PTSDrift = sincePTS(before.packets.Start, s.packets.Start) - s.PDT.Sub(before.PDT).Round(time.Millisecond)
	}
}
