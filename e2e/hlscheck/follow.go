package hlscheck

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// jobsQueued bounds the media that waits to be loaded: an hour of parts.
const jobsQueued = 16384

// follower watches one media playlist: run asks for playlists, load for media.
type follower struct {
	*watcher
	r    *Rendition
	jobs chan job
	wg   sync.WaitGroup // hints and removed media
}

// run reloads until the playlist ends or ctx does.
func (f *follower) run(ctx context.Context) {
	var loading sync.WaitGroup
	loading.Go(func() { f.load(ctx) })
	aside, cancel := context.WithCancel(ctx)
	ask := Ask{}
	for ctx.Err() == nil {
		now := f.reload(ctx, aside, ask)
		switch {
		case now == nil: // as players do, without directives
			ask = Ask{}
			pause(ctx, again)
			continue
		case now.Ended:
			f.afterEnd(ctx, aside)
			cancel()
			f.finish(&loading)
			return
		case !now.CanBlock:
			pause(ctx, now.TargetDuration/2)
		case !f.r.grew:
			pause(ctx, again) // a server that does not block must not make us spin
		}
		f.odd(ctx, aside)
		ask = f.next(f.r.now)
	}
	cancel()
	f.finish(&loading)
}

// again is how long to wait before an answer that was no good is asked for once more.
const again = 100 * time.Millisecond

func (f *follower) finish(loading *sync.WaitGroup) {
	f.wg.Wait()
	close(f.jobs)
	loading.Wait()
}

// next is the ordinary reload of a player, now zipped, now not, now as a delta
// update, and now and then for a part behind the end of its segment.
func (f *follower) next(now *Media) Ask {
	if now == nil || !now.CanBlock {
		return Ask{Identity: f.r.polls%4 == 1}
	}
	want := now.Next()
	if last := now.Last(); want.Part == 0 && last.Part >= 0 && f.r.polls%3 == 0 {
		want = Position{last.MSN, last.Part + 1}
	}
	return Ask{Want: &want, Skip: now.CanSkipUntil > 0 && f.r.polls%2 == 0, Identity: f.r.polls%4 == 1}
}

// reload asks for the playlist and takes what comes as its newest state.
func (f *follower) reload(ctx, aside context.Context, ask Ask) *Media {
	ask.Kind, ask.URL = KindPlaylist, f.r.url
	others := f.positions()
	answer := f.ask(ctx, f.r, ask)
	if answer == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.r.polls++
	before := f.r.now
	var now *Media
	if answer.Status == http.StatusOK {
		now = f.take(aside, answer, others)
	}
	if ask.Want != nil {
		f.see(&Probe{Name: probeReload, R: f.r, Answer: answer, Got: now, Before: before})
	}
	return now
}

func (f *follower) positions() map[*Rendition]Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := map[*Rendition]Position{}
	for _, r := range f.renditions {
		if p, ok := r.last(); ok && r != f.r {
			at[r] = p
		}
	}
	return at
}

// take makes a playlist that was sent the newest state of the rendition; mu is held.
func (f *follower) take(aside context.Context, answer *Answer, others map[*Rendition]Position) *Media {
	r := f.r
	raw := ParseMedia(string(answer.Body))
	f.sent(raw, answer)
	full := raw
	if raw.Skipped > 0 {
		if r.now == nil {
			return nil
		}
		var err error
		if full, err = raw.Merge(r.now); err != nil {
			f.see(&Delta{R: r, Raw: raw, Err: err})
			return nil
		}
	}
	event := &Reload{R: r, Old: r.now, Now: full, Answer: answer, Others: others, Blocking: answer.Ask.Want != nil, Jitter: f.opts.Jitter}
	for _, o := range f.renditions {
		if o != r {
			event.Peers = append(event.Peers, o)
		}
	}
	r.grew = r.now == nil || r.now.Last().Before(full.Last())
	if r.now == nil {
		r.started = answer.Arrived
	} else if r.grew {
		if !r.grown.IsZero() {
			event.Since = answer.Arrived.Sub(r.grown)
		}
		r.grown, r.before = answer.Arrived, r.now
	}
	event.Watched = answer.Arrived.Sub(r.started)
	r.now = full
	r.longest = max(r.longest, full.Listed())
	f.see(event)
	f.enqueue(full)
	if event.Old == nil || !full.Last().Before(event.Old.Last()) {
		f.hint(aside, full)
	}
	f.removed(aside, event)
	f.pair()
	r.forget()
	return full
}

// sent lets the rules see a playlist as it came.
func (f *follower) sent(raw *Media, answer *Answer) {
	delta := raw.Skipped > 0
	if f.r.versions[delta] == 0 {
		f.r.versions[delta] = raw.Version
	}
	event := &Sent{R: f.r, Raw: raw, Answer: answer, First: f.r.versions[delta], Offers: f.r.now == nil || f.r.now.CanSkipUntil > 0}
	if f.opts.Decode != nil {
		event.Second, event.Decode = true, f.opts.Decode(raw.Text)
	}
	f.see(event)
}

// enqueue has everything loaded that is new in the playlist; mu is held.
func (f *follower) enqueue(m *Media) {
	for i := range m.Segments {
		s := &m.Segments[i]
		for j, p := range s.Parts {
			seen := f.r.parts[p.URI]
			if seen == nil {
				seen = &seenPart{Part: p, msn: s.MSN, index: j}
				f.r.parts[p.URI] = seen
				f.queue(job{init: s.Map, part: seen, fresh: j == 0 && s.Discontinuity})
			}
			seen.last = s.URI != "" && j == len(s.Parts)-1
			seen.gapped = j+1 < len(s.Parts) && s.Parts[j+1].Gap
		}
		if s.URI != "" && f.r.segments[s.MSN] == nil {
			seen := &seenSegment{Segment: *s}
			f.r.segments[s.MSN] = seen
			f.queue(job{init: s.Map, segment: seen, fresh: s.Discontinuity})
		}
	}
}

func (f *follower) queue(j job) {
	select {
	case f.jobs <- j:
	default: // the watcher is an hour behind: what it does not load it does not judge
	}
}

// hint asks for the part that is announced and settles the hints before; mu is held.
func (f *follower) hint(aside context.Context, m *Media) {
	for uri, h := range f.r.hints {
		if uri != m.Hint && !h.resolved {
			h.resolved, h.listed = true, f.r.parts[uri] != nil
			f.settle(uri, h)
		}
	}
	if m.Hint == "" || f.r.hints[m.Hint] != nil || f.r.parts[m.Hint] != nil {
		return
	}
	h, uri := &hint{}, m.Hint
	f.r.hints[uri] = h
	f.wg.Go(func() {
		answer := f.ask(aside, f.r, Ask{Kind: KindPart, URL: f.r.at(uri)})
		f.mu.Lock()
		defer f.mu.Unlock()
		if answer == nil {
			delete(f.r.hints, uri)
			return
		}
		h.answer = answer
		f.settle(uri, h)
	})
}

// settle tells how a hint ended, once the answer and its fate are both known; mu is held.
func (f *follower) settle(uri string, h *hint) {
	if h.answer == nil || !h.resolved {
		return
	}
	f.see(&Hinted{R: f.r, URI: uri, Listed: h.listed, Ended: f.r.now.Ended, Answer: h.answer})
	if h.answer.Status == http.StatusOK && h.listed {
		known, same := f.r.same(uri, h.answer.Body)
		f.see(&Fetched{R: f.r, URI: uri, Answer: h.answer, Known: known, Same: same})
	}
	delete(f.r.hints, uri)
}

// pair compares segments with those of the other renditions; mu is held.
func (f *follower) pair() {
	for _, o := range f.renditions {
		if o == f.r || o.now == nil {
			continue
		}
		for i := range f.r.now.Segments {
			s := &f.r.now.Segments[i]
			if s.MSN <= f.r.paired[o.Name] || s.PDT.IsZero() {
				continue
			}
			twin, settled := o.now.closest(s.PDT)
			if !settled || s.URI == "" {
				break
			}
			f.r.paired[o.Name] = s.MSN
			if twin != nil {
				f.see(&Pair{A: f.r, B: o, SA: s, SB: twin, TA: f.r.now.TargetDuration, TB: o.now.TargetDuration, Unit: max(f.r.unit(), o.unit())})
			}
		}
	}
}

// unit is the longest sample seen, or what is common before there is one.
func (r *Rendition) unit() time.Duration {
	if r.lastSegment != nil && r.lastSegment.span.Unit > 0 {
		return r.lastSegment.span.Unit + time.Millisecond
	}
	return 45 * time.Millisecond
}

// closest is the segment that begins nearest to t; settled when no later one can be
// nearer, nil when t is before the playlist.
func (m *Media) closest(t time.Time) (near *Segment, settled bool) {
	for i := range m.Segments {
		s := &m.Segments[i]
		if s.PDT.IsZero() {
			continue
		}
		if s.PDT.After(t) {
			settled = true
		}
		if near == nil || s.PDT.Sub(t).Abs() < near.PDT.Sub(t).Abs() {
			near = s
		}
	}
	if near != nil && near.MSN == m.Segments[0].MSN && near.PDT.After(t.Add(near.Duration/2)) {
		return nil, true
	}
	return near, settled
}

// early is how long before it may be gone removed media is loaded again.
const early = 200 * time.Millisecond

// removed has media loaded again shortly before it may be gone; mu is held.
func (f *follower) removed(aside context.Context, e *Reload) {
	if e.Old == nil || e.Now.Ended {
		return
	}
	td := e.Now.TargetDuration
	for i := range e.Old.Segments {
		s := &e.Old.Segments[i]
		now := e.Now.segment(s.MSN)
		if now == nil && s.URI != "" && !s.Gap {
			// "[...] the duration of the segment plus the duration of the longest Playlist
			// containing that segment" (6.2.2)
			f.later(aside, KindSegment, s.URI, f.r.longest+s.Duration-early)
		}
		if len(s.Parts) > 0 && (now == nil || len(now.Parts) == 0) {
			f.later(aside, KindPart, s.Parts[0].URI, 3*td-early)
		}
	}
}

// later loads something after a while; one of a kind at a time.
func (f *follower) later(aside context.Context, kind Kind, uri string, after time.Duration) {
	if f.r.removing[kind] {
		return
	}
	f.r.removing[kind] = true
	f.wg.Go(func() {
		ok := pause(aside, after)
		var answer *Answer
		if ok {
			answer = f.ask(aside, f.r, Ask{Kind: kind, URL: f.r.at(uri)})
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.r.removing[kind] = false
		if answer != nil {
			f.see(&Removed{R: f.r, Kind: kind, Answer: answer, After: after})
		}
	})
}
