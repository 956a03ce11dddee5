//go:build load && linux

package main

import "time"

// playhead plays in real time once there is enough, and stops when nothing is left.
type playhead struct {
	hold    time.Duration // how far behind the edge it begins
	running bool
	dry     bool      // it has nothing to play
	pos     time.Time // of the media, at since
	since   time.Time // by the clock
}

// position is the moment of the media that is shown at now.
func (h *playhead) position(now time.Time) time.Time {
	if h.dry {
		return h.pos
	}
	return h.pos.Add(now.Sub(h.since))
}

// advance finds out whether it has stopped before now, with media up to end.
func (h *playhead) advance(now, end time.Time) {
	if h.running && !h.dry && h.position(now).After(end) {
		h.since = h.since.Add(end.Sub(h.pos))
		h.pos, h.dry = end, true
	}
}

// append has media up to end at now. It begins when the hold back is there, not
// before from, and returns how long it had stopped.
func (h *playhead) append(now, end, from time.Time) (stall time.Duration) {
	switch {
	case !h.running && !end.Add(-h.hold).Before(from):
		h.running, h.pos, h.since = true, end.Add(-h.hold), now
	case h.dry && end.After(h.pos):
		stall = now.Sub(h.since)
		h.dry, h.since = false, now
	}
	return stall
}
