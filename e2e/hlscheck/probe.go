package hlscheck

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// Names of odd requests.
const (
	probeReload      = "blocking reload"
	probePartAlone   = "_HLS_part without _HLS_msn"
	probeMSNTooFar   = "_HLS_msn too far ahead"
	probePartTooFar  = "_HLS_part too far ahead"
	probeStale       = "_HLS_msn long past"
	probeNothing     = "unknown address"
	probeEnd         = "directives after the end"
	unknownMedia     = "no-such-media-hlscheck.mp4"
	oddKinds         = 8
	farAhead         = 10 // segments; the limit is two
	advanceLimit     = 3  // parts, of a second and longer
	partsBeyondLimit = 4
)

// odd sends one of the requests that players do not send in every reload.
func (f *follower) odd(ctx, aside context.Context) {
	f.mu.Lock()
	now, before, turn := f.r.now, f.r.before, f.r.turns
	f.r.turns++
	f.mu.Unlock()
	if now == nil || now.Ended {
		return
	}
	last := now.Last()
	switch turn % oddKinds {
	case 0:
		f.encodings(ctx, aside)
	case 1:
		f.probe(ctx, probePartAlone, "_HLS_part=0")
	case 2:
		f.probe(ctx, probeMSNTooFar, fmt.Sprintf("_HLS_msn=%d", last.MSN+farAhead))
	case 3:
		if now.PartTarget > 0 {
			limit := advanceLimit
			if now.PartTarget < time.Second {
				limit = int((advanceLimit*time.Second + now.PartTarget - 1) / now.PartTarget)
			}
			f.probe(ctx, probePartTooFar, fmt.Sprintf("_HLS_msn=%d&_HLS_part=%d", last.MSN, max(last.Part, 0)+limit+partsBeyondLimit))
		}
	case 4:
		stale := uint64(0)
		if turn/oddKinds%2 == 1 && now.MediaSequence > 0 {
			stale = now.MediaSequence - 1
		}
		f.probe(ctx, probeStale, fmt.Sprintf("_HLS_msn=%d", stale))
	case 5:
		answer := f.ask(ctx, f.r, Ask{Kind: KindNothing, URL: f.r.at(unknownMedia)})
		f.report(&Probe{Name: probeNothing, R: f.r, Answer: answer, Before: now})
	case 6:
		f.delta(ctx, aside, before)
	case 7:
		f.seeIndex(ctx, f.r)
	}
}

// probe sends a query to the playlist. Servers that do not block are not asked.
func (f *follower) probe(ctx context.Context, name, query string) {
	f.mu.Lock()
	before := f.r.now
	f.mu.Unlock()
	if before == nil || !before.CanBlock {
		return
	}
	// One that waits for what will not come would hold up the watch.
	limited, cancel := context.WithTimeout(ctx, before.TargetDuration)
	defer cancel()
	answer := f.ask(limited, f.r, Ask{Kind: KindPlaylist, URL: f.r.url, Query: query})
	if answer == nil && ctx.Err() == nil {
		answer = &Answer{URL: f.r.url.String() + "?" + query, Header: http.Header{}} // status 0: it blocked
		f.mu.Lock()
		f.r.grown = time.Time{} // what came meanwhile was not seen coming
		f.mu.Unlock()
	}
	p := &Probe{Name: name, R: f.r, Answer: answer, Before: before}
	if answer != nil && answer.Status == http.StatusOK {
		p.Got = ParseMedia(string(answer.Body))
	}
	f.report(p)
}

func (f *follower) report(p *Probe) {
	if p.Answer == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.see(p)
}

// encodings loads the playlist zipped between two times that it is not.
func (f *follower) encodings(ctx, aside context.Context) {
	var answers [3]*Answer
	for i := range answers {
		answers[i] = f.ask(ctx, f.r, Ask{Kind: KindPlaylist, URL: f.r.url, Identity: i != 1})
		if answers[i] == nil || answers[i].Status != http.StatusOK {
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.see(&Encodings{Plain: answers[0], Zip: answers[1], Same: bytes.Equal(answers[0].Body, answers[2].Body)})
	f.take(aside, answers[2], nil)
}

// delta loads a delta update and the whole playlist after it, and completes the
// first with the state before the present one.
func (f *follower) delta(ctx, aside context.Context, before *Media) {
	short := f.ask(ctx, f.r, Ask{Kind: KindPlaylist, URL: f.r.url, Skip: true})
	whole := f.ask(ctx, f.r, Ask{Kind: KindPlaylist, URL: f.r.url})
	if short == nil || whole == nil || short.Status != http.StatusOK || whole.Status != http.StatusOK {
		return
	}
	raw, full := ParseMedia(string(short.Body)), ParseMedia(string(whole.Body))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent(raw, short)
	if raw.Skipped > 0 && full.Skipped == 0 && before != nil && raw.tail() == full.tail() {
		e := &Delta{R: f.r, Raw: raw, Full: full}
		e.Merged, e.Err = raw.Merge(before)
		f.see(e)
	}
	f.take(aside, whole, nil)
}

// tail tells states of a playlist apart, even when the numbers in one are wrong.
func (m *Media) tail() string {
	if len(m.Segments) == 0 {
		return ""
	}
	s := m.Segments[len(m.Segments)-1]
	return fmt.Sprint(s.URI, s.Parts, m.Hint, m.Ended)
}

// afterEnd asks what a stream that has ended must answer as if there were no
// directives, and waits for hints that are still open.
func (f *follower) afterEnd(ctx, aside context.Context) {
	f.mu.Lock()
	last, td := f.r.now.Last(), f.r.now.TargetDuration
	f.ended++
	f.mu.Unlock()
	for _, query := range []string{
		fmt.Sprintf("_HLS_msn=%d", last.MSN+farAhead), fmt.Sprintf("_HLS_msn=%d&_HLS_part=1", last.MSN+1), "_HLS_part=0",
	} {
		limited, cancel := context.WithTimeout(ctx, td)
		answer := f.ask(limited, f.r, Ask{Kind: KindPlaylist, URL: f.r.url, Query: query})
		cancel()
		if answer == nil && ctx.Err() == nil {
			answer = &Answer{URL: f.r.url.String() + "?" + query, Header: http.Header{}}
		}
		p := &Probe{Name: probeEnd, R: f.r, Answer: answer, Before: f.r.now}
		if answer != nil && answer.Status == http.StatusOK {
			p.Got = ParseMedia(string(answer.Body))
		}
		f.report(p)
	}
	f.reload(ctx, aside, Ask{Skip: true})
	for range 20 { // the hint that nobody needs any more is answered too
		f.mu.Lock()
		open := len(f.r.hints)
		f.mu.Unlock()
		if open == 0 || !pause(ctx, td/20) {
			return
		}
	}
}
