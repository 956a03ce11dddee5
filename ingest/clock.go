package ingest

// clock turns the 32-bit millisecond timestamps of RTMP into times that go on.
// All tracks of a connection share one, so that they wrap together.
type clock struct {
	started bool
	raw     uint32
	now     int64
}

const (
	wrap31 = int64(1) << 31 // ffmpeg and OBS mask their timestamps to 31 bits: 24.8 days
	wrap32 = int64(1) << 32 // the field's own width: 49.7 days
	// A step further than this is a wrap and not a jump: 12.4 days.
	maxStep = int64(1) << 30
)

// next returns the time of raw in milliseconds. A step that is too long to be
// true is taken as a wrap of 31 or 32 bits, whichever leaves the shorter step;
// that works in both directions, because one track still sends times of before
// the wrap when the other is past it.
func (c *clock) next(raw uint32) int64 {
	if !c.started {
		*c = clock{started: true, raw: raw, now: int64(raw)}
		return c.now
	}
	step := int64(raw) - int64(c.raw)
	switch {
	case step < -maxStep:
		step = shorter(step+wrap31, step+wrap32)
	case step > maxStep:
		step = shorter(step, shorter(step-wrap31, step-wrap32))
	}
	c.raw = raw
	c.now += step
	return c.now
}

func shorter(a, b int64) int64 {
	if max(a, -a) <= max(b, -b) {
		return a
	}
	return b
}
