package packager

import "time"

// clock gives program date times: one wall clock per session, read once, advanced
// by the monotonic clock at every anchor and by media time in between.
type clock struct {
	wall    time.Time // of the session's start, without monotonic reading
	started time.Time
	base    time.Time     // PDT of media time at
	at      time.Duration // of the epoch's line
	newest  time.Time     // end of the newest media: PDT never goes back
}

func newClock(now time.Time) *clock {
	return &clock{wall: now.Round(0).UTC().Truncate(time.Millisecond), started: now}
}

// anchor says that media time at was received at now.
func (c *clock) anchor(now time.Time, at time.Duration) {
	c.base, c.at = c.wall.Add(now.Sub(c.started)), at
	if c.base.Before(c.newest) {
		c.base = c.newest
	}
}

// pdt returns the program date time of media time t.
func (c *clock) pdt(t time.Duration) time.Time {
	p := c.base.Add(t - c.at)
	if p.After(c.newest) {
		c.newest = p
	}
	return p
}
