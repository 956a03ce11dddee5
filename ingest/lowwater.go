package ingest

import "time"

// Bounds of what a publisher's connection is woken for.
const (
	maxDelay   = 10 * time.Millisecond // of data, at the rate at which it comes
	leastWater = 256                   // bytes; less is not worth asking for
	mostWater  = 1024                  // between messages
	mostWanted = 16 << 10              // in a message: what one read takes
)

// lowWater is how many bytes must have come before the kernel wakes the reader of a
// connection (SO_RCVLOWAT, socket(7)). A wake-up costs more than all that is done with
// an ordinary message. So a message that has begun is waited for to its end, and a
// short one (audio) comes with the next, where the rate says that this is soon.
//
// What nothing follows would be left lying: the owner calls reset at a deadline.
type lowWater struct {
	set     func(bytes int) error // nil where it cannot be set
	now     int                   // in force; 0 = as the system made it, which is 1
	between int                   // between two messages
	since   time.Time
	bytes   int
}

// count notes what was read.
func (w *lowWater) count(n int) { w.bytes += n }

// measure sets between by what has come since the last call.
func (w *lowWater) measure(now time.Time) {
	if d := now.Sub(w.since); d > 0 && !w.since.IsZero() {
		w.between = int(min(int64(w.bytes)*int64(maxDelay)/int64(d), mostWater))
	}
	if w.between < leastWater {
		w.between = 0
	}
	w.since, w.bytes = now, 0
}

// await asks for the bytes that are missing of a message; 0 between two.
func (w *lowWater) await(missing int) {
	if w.between == 0 { // as long as the rate is low or unknown, every byte counts
		missing = 1
	} else if missing == 0 {
		missing = w.between
	}
	w.ask(min(missing, mostWanted))
}

// reset asks for every byte, until measured again.
func (w *lowWater) reset() {
	w.between = 0
	w.ask(1)
}

// patient reports whether bytes may lie there that nobody was woken for.
func (w *lowWater) patient() bool { return w.now > 1 }

func (w *lowWater) ask(bytes int) {
	if w.set == nil || bytes == max(w.now, 1) {
		return
	}
	if w.set(bytes) != nil {
		w.set = nil
		return
	}
	w.now = bytes
}
