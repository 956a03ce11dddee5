package origin

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"barrage/packager"
)

// waiting counts the requests that wait, all of them and by household.
type waiting struct {
	limit int64
	all   atomic.Int64
	// A household's counter is found by a hash that nobody can foresee: two that
	// share one share their quarter of the places.
	of [4096]atomic.Int64
}

// sharePerHousehold is the fraction of all places that one household may take.
const sharePerHousehold = 4

// enter takes a place for a request from the household with that hash; ok is false
// when there is none.
func (w *waiting) enter(household uint64) (leave func(), ok bool) {
	own := &w.of[household%uint64(len(w.of))]
	leave = func() { w.all.Add(-1); own.Add(-1) }
	if all, mine := w.all.Add(1), own.Add(1); all > w.limit || mine > max(w.limit/sharePerHousehold, 1) {
		leave()
		return nil, false
	}
	return leave, true
}

// household is what one subscriber of a provider has: an IPv4 address, or the /64 of
// an IPv6 address, in which there are as many addresses as one likes.
func household(addr netip.Addr) [16]byte {
	place := addr.As16()
	if addr.Is6() {
		clear(place[8:])
	}
	return place
}

// retryAfter is for clients that find no place, in seconds.
const retryAfter = "1"

func stalled(kind, outcome string) reply {
	if outcome == blockedFull {
		return unavailable(kind, "too_many_waiting", "too many players are waiting here: come back in a second")
	}
	return unavailable(kind, "no_new_media", "the publisher has sent nothing for three target durations")
}

// hold waits until the rendition has a Window that is done, and looks in slices of
// time whether the publisher has gone away.
//
// hls.js waits max(3 x PART-TARGET, 0.8 x target duration) for the first byte of a
// blocking reload and leaves the low-latency mode when it times out. RFC 8216bis,
// 6.2.5.2: a request that is blocked for three target durations should get 503.
func (h *Handler) hold(r *request, at place, done func(*packager.Window) bool) (*packager.Window, string) {
	w := at.rendition.Window()
	leave, ok := h.waiting.enter(maphash.Comparable(h.seed, household(r.addr)))
	if !ok {
		return w, h.held(blockedFull)
	}
	h.metrics.waiting.Inc()
	defer func() { leave(); h.metrics.waiting.Dec() }()

	slice := max(3*w.PartTarget, w.TargetDuration*8/10) * 3 / 4
	left := 3 * w.TargetDuration
	timer := time.NewTimer(min(slice, left))
	defer timer.Stop()
	for {
		w = at.rendition.Window()
		if w.Ended || done(w) {
			return w, h.held(blockedServed)
		}
		if w.Closing {
			return w, h.held(blockedAway)
		}
		select {
		case <-w.Changed():
		case <-r.gone:
			return w, h.held(blockedGone)
		case <-timer.C:
			if r.left != nil && r.left() {
				return w, h.held(blockedGone)
			}
			if left -= slice; at.stream.Away() {
				return w, h.held(blockedAway)
			}
			if left <= 0 {
				return w, h.held(blockedTimeout)
			}
			timer.Reset(min(slice, left))
		}
	}
}

func (h *Handler) held(outcome string) string {
	h.metrics.held[outcome].Inc()
	return outcome
}
