//go:build load && linux

package main

import (
	"time"
)

// lane is writers who keep in step: those of one latency.
type lane struct {
	latency time.Duration
	writers []*conn
	from    time.Time
	rate    float64 // comments a second; 0: all at once
	total   int     // with rate 0
	next    int     // writer
	sent    int
}

// maxWrites bounds how long nobody is heard while many speak.
const maxWrites = 256

// maxOut is when a writer whose server does not read has said enough.
const maxOut = 256 << 10

// start lets the writers speak from a moment on.
func (w *crowd) start(at time.Time) {
	w.lanes = make([]lane, max(len(w.s.latencies), 1))
	for i := range w.lanes {
		l := &w.lanes[i]
		l.from = at
		if len(w.s.latencies) > 0 {
			l.latency = w.s.latencies[i]
		}
		if w.s.burst {
			// All shout at one moment of the show, which each sees later.
			l.from = at.Add(l.latency)
			l.total = share(int(w.s.rate), i, len(w.lanes))
		} else {
			l.rate = w.s.rate / float64(len(w.lanes))
		}
	}
	n := 0
	for _, c := range w.conns {
		if c.role == write {
			l := &w.lanes[n%len(w.lanes)]
			l.writers = append(l.writers, c)
			n++
		}
	}
}

// share is part i of n of a total.
func share(total, i, n int) int { return (i+1)*total/n - i*total/n }

// speak writes what is due and returns how long nothing is.
func (w *crowd) speak(now time.Time) time.Duration {
	wait := time.Hour
	for i := range w.lanes {
		l := &w.lanes[i]
		if len(l.writers) == 0 || now.Before(l.from) {
			continue
		}
		due := l.total
		if l.rate > 0 {
			due = int(now.Sub(l.from).Seconds() * l.rate)
		}
		for range maxWrites {
			if due-l.sent < 1 || l.rate > 0 && due-l.sent < w.s.batch {
				break
			}
			n := min(w.s.batch, due-l.sent)
			if !w.say(l, n) {
				break
			}
			l.sent += n
		}
		if left := due - l.sent; l.rate > 0 {
			wait = min(wait, time.Duration(float64(w.s.batch-left)/l.rate*float64(time.Second)))
		} else if left > 0 {
			wait = 0
		}
	}
	return wait
}

// say lets the next writer who can send n comments in one write. It returns false when
// nobody can.
func (w *crowd) say(l *lane, n int) bool {
	for range l.writers {
		c := l.writers[l.next]
		l.next = (l.next + 1) % len(l.writers)
		if c.state != here || len(c.out) > maxOut {
			continue
		}
		now := time.Now()
		if w.tally.sentFrom.IsZero() {
			w.tally.sentFrom = now
		}
		w.tally.sentTill = now
		w.scratch = w.scratch[:0]
		for range n {
			i := w.ledger.add(c.index, now)
			c.open = append(c.open, int32(i))
			w.scratch = w.script.append(w.scratch, i, w.pdt(i, l.latency))
		}
		w.send(c, w.scratch)
		return true
	}
	return false
}

// pdt is what a writer so far behind saw when comment n was first sent.
func (w *crowd) pdt(n int, latency time.Duration) int64 {
	at := w.ledger.begun.Add(time.Duration(w.ledger.records[n].at) * recordUnit)
	return at.Add(-latency).UnixMilli()
}

// repeat sends again what had no ack when a connection ended.
func (w *crowd) repeat(c *conn) {
	if len(c.open) == 0 {
		return
	}
	var latency time.Duration
	for _, l := range w.lanes {
		for _, writer := range l.writers {
			if writer == c {
				latency = l.latency
			}
		}
	}
	var frames []byte
	for _, n := range c.open {
		frames = w.script.append(frames, int(n), w.pdt(int(n), latency))
	}
	w.send(c, frames)
}
