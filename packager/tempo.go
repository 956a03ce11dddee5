package packager

import "time"

// fall is how fast a tempo gives way to a publisher that has fallen behind. Players
// that follow it play 5 % slower at most, which nobody hears.
const fall = 0.05

// tempo is the program date time of now: that of the newest sample, without the
// unsteadiness of its way here. Of the samples those that came soonest count, so
// that one that was held up moves nothing. All viewers of a room steer by it; what
// matters is that it is one and smooth. Its clock is the monotonic one alone.
type tempo struct {
	pdt time.Time // at `at`; zero before the first sample
	at  time.Time
}

// see takes a sample that came at `at`.
func (t *tempo) see(pdt, at time.Time) {
	if now := t.now(at); !t.pdt.IsZero() {
		late := time.Duration(fall * float64(at.Sub(t.at)))
		if now = now.Add(-late); now.After(pdt) {
			pdt = now
		}
	}
	t.pdt, t.at = pdt, at
}

// now is the program date time of at.
func (t *tempo) now(at time.Time) time.Time {
	if t.pdt.IsZero() {
		return time.Time{}
	}
	return t.pdt.Add(at.Sub(t.at))
}
