//go:build load && linux

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// How long a player waits after a failure, as hls.js does.
const retryDelay = time.Second

// player is one virtual viewer: which requests it makes, and whether it would have
// stalled. It does nothing by itself: it is told what arrived and when, and leaves
// orders behind.
type player struct {
	id       int
	round    int  // counts starts
	low      bool // low latency
	skip     bool
	index    string
	base     *url.URL
	lists    *library
	tally    *tally
	tracks   []*track
	playhead playhead
	from     time.Time // the first thing it plays
	joined   time.Time
	orders   []order
}

// track is one rendition of a player.
type track struct {
	path  string
	list  *playlist // the last one
	msn   uint64    // what is wanted next
	part  int
	queue []piece
	busy  bool      // a piece is on its way
	init  string    // init section that it has
	end   time.Time // media before this is there
}

func (p *player) order(o order) {
	o.viewer, o.round = p.id, p.round
	p.orders = append(p.orders, o)
}

// start begins at the multivariant playlist.
func (p *player) start(at time.Time) {
	p.round++
	p.tracks, p.playhead, p.from = nil, playhead{}, time.Time{}
	p.order(order{at: at, kind: kindIndex, path: p.index})
}

// arrived takes an answer in. The orders that follow from it are in p.orders.
func (p *player) arrived(a *arrival) {
	p.tally.count(a)
	switch {
	case a.round != p.round: // of before it started again
	case a.kind == kindIndex:
		p.choose(a)
	case a.kind.isPlaylist():
		p.reload(p.tracks[a.slot/2], a)
	default:
		p.loaded(p.tracks[a.slot/2], a)
	}
}

// choose takes the first variant.
func (p *player) choose(a *arrival) {
	var paths []string
	body, err := plain(a.body)
	if err == nil && a.err == nil && a.status == http.StatusOK {
		paths, err = parseIndex(p.base, body)
		if err != nil {
			p.tally.fail(err.Error())
		}
	}
	if len(paths) == 0 {
		p.start(a.done.Add(retryDelay))
		return
	}
	for i, path := range paths {
		p.tracks = append(p.tracks, &track{path: path})
		p.order(order{slot: 2 * i, kind: kindPlaylist, path: path})
	}
}

// reload takes a playlist in and orders the next one.
func (p *player) reload(t *track, a *arrival) {
	if a.err != nil || a.status != http.StatusOK {
		if a.status == http.StatusNotFound {
			p.start(a.done.Add(retryDelay)) // the stream has another epoch
			return
		}
		p.order(order{at: a.done.Add(retryDelay), slot: a.slot, kind: kindPlaylist, path: t.path})
		return
	}
	list, err := p.lists.read(a.path, a.body, a.done)
	if err != nil {
		p.tally.fail(err.Error())
		p.order(order{at: a.done.Add(retryDelay), slot: a.slot, kind: kindPlaylist, path: t.path})
		return
	}
	if a.kind == kindBlocked {
		p.tally.overshoot.Add(a.done.Sub(later(a.asked, list.seen)))
	}
	fresh := t.list == nil || list.msn != t.list.msn || list.part != t.list.part
	t.list = list
	p.again(t, a, fresh)
	switch {
	case !p.from.IsZero():
		t.take(list, p.low)
		p.feed(a.slot / 2)
	case p.everyList():
		p.begin(a.done)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// again orders the next playlist: at once and blocked, or after the target duration,
// half of it when nothing had changed (6.3.4).
func (p *player) again(t *track, a *arrival, fresh bool) {
	next := order{slot: a.slot, kind: kindPlaylist, path: t.path}
	switch {
	case t.list.ended:
		return
	case p.low && t.list.blocks && t.list.partTarget > 0:
		next.kind = kindBlocked
		next.path = fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", t.path, t.list.msn, t.list.part)
		if p.skip && t.list.skips {
			next.path += "&_HLS_skip=YES"
		}
		if !fresh { // the publisher is away: no server is asked in a circle
			next.at = a.done.Add(t.list.partTarget)
		}
	case fresh:
		next.at = a.asked.Add(t.list.target)
	default:
		next.at = a.asked.Add(t.list.target / 2)
	}
	p.order(next)
}

func (p *player) everyList() bool {
	for _, t := range p.tracks {
		if t.list == nil {
			return false
		}
	}
	return true
}

// begin chooses where to play from once every rendition's playlist is there: the hold
// back behind the youngest moment that all of them have.
func (p *player) begin(now time.Time) {
	p.joined = now
	p.playhead.hold = p.tracks[0].list.hold
	if p.low && p.tracks[0].list.partHold > 0 {
		p.playhead.hold = p.tracks[0].list.partHold
	}
	edge := p.tracks[0].list.newest(p.low)
	for _, t := range p.tracks[1:] {
		if e := t.list.newest(p.low); e.Before(edge) {
			edge = e
		}
	}
	p.from = edge.Add(-p.playhead.hold)
	for i, t := range p.tracks {
		t.seek(p.from, p.low)
		t.take(t.list, p.low)
		p.feed(i)
	}
}

// seek finds the last place to begin at that is not after from.
func (t *track) seek(from time.Time, low bool) {
	t.msn, t.part = t.list.msn, t.list.part
	for i, c := range t.list.pieces {
		usable := c.independent && (low || c.part < 0)
		if usable && (i == 0 || !c.start.After(from) && !c.start.Before(t.end)) {
			t.msn, t.part, t.end = c.msn, max(c.part, 0), c.start
		}
	}
}

// take queues what the playlist has from the wanted place on: parts where they are
// listed and low latency is wanted, else whole segments.
func (t *track) take(list *playlist, low bool) {
	for _, c := range list.pieces {
		switch {
		case c.msn < t.msn:
		case c.part < 0 && (c.msn > t.msn || t.part == 0):
			t.queue = append(t.queue, c)
			t.msn, t.part = c.msn+1, 0
		case c.part < 0: // the parts of it are all there
			t.msn, t.part = c.msn+1, 0
		case low && (c.msn > t.msn || c.part >= t.part):
			t.queue = append(t.queue, c)
			t.msn, t.part = c.msn, c.part+1
		}
	}
}

// feed orders the next piece of a rendition, one at a time, as hls.js does.
func (p *player) feed(i int) {
	t := p.tracks[i]
	if t.busy || len(t.queue) == 0 {
		return
	}
	t.busy = true
	next := order{slot: 2*i + 1, kind: kindPart, path: t.queue[0].uri}
	switch {
	case t.init != t.list.init:
		next.kind, next.path = kindInit, t.list.init
	case t.queue[0].part < 0:
		next.kind = kindSegment
	}
	p.order(next)
}

// loaded takes an init section or a piece in.
func (p *player) loaded(t *track, a *arrival) {
	t.busy = false
	switch {
	case a.err != nil || a.status >= http.StatusInternalServerError:
		t.busy = true
		p.order(order{at: a.done.Add(retryDelay), slot: a.slot, kind: a.kind, path: a.path})
		return
	case a.kind == kindInit:
		t.init = a.path
	default:
		got := t.queue[0]
		t.queue = t.queue[:copy(t.queue, t.queue[1:])]
		if a.status == http.StatusOK {
			p.play(t, got, a)
		}
	}
	p.feed(a.slot / 2)
}

// play moves the playhead to now and appends what has arrived.
func (p *player) play(t *track, got piece, a *arrival) {
	if listed := p.lists.listed[got.uri]; !listed.Before(p.joined) {
		p.tally.late.Add(a.done.Sub(listed))
		p.tally.age.Add(a.done.Sub(got.start))
	}
	p.playhead.advance(a.done, p.buffered())
	t.end = got.end
	if d := p.playhead.append(a.done, p.buffered(), p.from); d > 0 {
		p.tally.stall(p.id, d)
	}
	if p.playhead.running {
		p.tally.latency.Add(a.done.Sub(p.playhead.position(a.done)))
	}
}

// finish counts a stall that lasts at the end.
func (p *player) finish(now time.Time) {
	p.playhead.advance(now, p.buffered())
	if p.playhead.dry && !p.over() {
		p.tally.stall(p.id, now.Sub(p.playhead.since))
	}
}

// over says that the stream has ended and everything is there.
func (p *player) over() bool {
	for _, t := range p.tracks {
		if t.list == nil || !t.list.ended || len(t.queue) > 0 {
			return false
		}
	}
	return true
}

// buffered is up to where every rendition is there.
func (p *player) buffered() time.Time {
	if len(p.tracks) == 0 {
		return time.Time{}
	}
	end := p.tracks[0].end
	for _, t := range p.tracks[1:] {
		if t.end.Before(end) {
			end = t.end
		}
	}
	return end
}
