//go:build load && linux

package main

import (
	"fmt"
	"net/http"
	"time"
)

// parse takes in bytes of the server, which may begin and end anywhere.
func (w *crowd) parse(c *conn, b []byte) error {
	if len(c.carry) > 0 {
		c.carry = append(c.carry, b...)
		b = c.carry
	}
	now := time.Now()
	if c.state == upgrading {
		status, size, ok := parseUpgrade(b)
		switch {
		case !ok:
			c.keep(b)
			return nil
		case status != http.StatusSwitchingProtocols:
			return fmt.Errorf("refused: %d", status) //nolint:err113 // counted by its text
		}
		b = b[size:]
		c.state = joining
		w.send(c, c.hello(w.s.process))
	}
	for len(b) > 0 {
		h, ok, err := parseHeader(b)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		body := b[h.size:]
		if len(body) < h.body {
			if c.role != observe && h.op == opText && len(body) >= headSize && kindOf(body) == kindTick {
				c.tick, c.skip = parseTickHead(body), h.body-len(body)
				b = nil
			}
			break
		}
		w.hear(c, h.op, body[:h.body], now)
		if c.fd < 0 {
			return nil
		}
		b = body[h.body:]
	}
	c.keep(b)
	return nil
}

// keep remembers what is to be read again when more has come.
func (c *conn) keep(b []byte) {
	if len(b) == 0 {
		c.carry = nil // most never need it again
		return
	}
	c.carry = append(c.carry[:0], b...)
}

// hear takes in one whole frame.
func (w *crowd) hear(c *conn, op byte, body []byte, now time.Time) {
	switch op {
	case opText:
		w.message(c, body, now)
	case opPing:
		w.send(c, appendFrame(nil, opPong, body))
	case opClose:
		if c.bye == "" && len(body) >= 2 {
			w.end(c, fmt.Sprintf("close %d", int(body[0])<<8|int(body[1])), false)
			return
		}
		w.lost(c, errClosed)
	}
}

// message takes in one whole message.
func (w *crowd) message(c *conn, msg []byte, now time.Time) {
	switch kindOf(msg) {
	case kindOther: // events, pong, you
	case kindTick:
		if c.report != nil {
			c.report.take(msg, now)
		}
		w.ticked(c, parseTickHead(msg), now)
	case kindAcks:
		if !scanAcks(msg, func(a ack) { w.acked(c, a, now) }) {
			w.tally.errors["acks not understood"]++
		}
	case kindWelcome:
		w.welcome(c, msg, now)
	case kindBye:
		c.bye = fmt.Sprintf("%d %s", number(msg, `"code":`), word(msg, `"reason":`))
		c.retry = time.Duration(number(msg, `"retry_ms":`)) * time.Millisecond
	case kindGap:
		from, to := number(msg, `"from":`), number(msg, `"to":`)
		w.tally.gaps++
		w.tally.missed += to - from + 1
		c.seq = uint64(to)
		if c.report != nil {
			c.report.Gaps++
		}
	case kindReset:
		w.tally.resets++
		c.seq, c.epoch = uint64(number(msg, `"seq":`)), string(word(msg, `"epoch":`))
	case kindError:
		// too_fast stands beside an ack that says the same.
		if code := string(word(msg, `"code":`)); code != "too_fast" {
			w.tally.errors["error "+code]++
		}
	}
}

// welcome makes a connection one that is here.
func (w *crowd) welcome(c *conn, msg []byte, now time.Time) {
	resumed := after(msg, `"resumed":true`) != nil
	c.epoch = string(word(msg, `"epoch":`))
	if !resumed {
		c.seq = uint64(number(msg, `"seq":`))
	}
	you := after(msg, `"you":{`)
	w.ledger.authors[c.index] = hash(string(word(you, `"id":`)))
	c.token = string(word(you, `"token":`))
	c.state, c.tries = here, 0
	w.opening--
	w.here++
	if !w.cut.IsZero() && w.tally.measuring {
		w.tally.back.Add(now.Sub(w.cut))
	}
	if c.role == stall {
		_ = w.register(c, epollModify, 0) // hears of its end only
	}
	w.repeat(c)
}

const epollModify = 3 // EPOLL_CTL_MOD

// ticked counts a tick.
func (w *crowd) ticked(c *conn, t tickHead, now time.Time) {
	if t.seq != c.seq+1 {
		w.tally.holes++
	}
	c.seq = t.seq
	if w.tally.measuring {
		w.tally.frames++
		w.tally.delivery.Add(now.Sub(time.UnixMilli(t.time)))
	}
}

// acked takes in what became of one comment.
func (w *crowd) acked(c *conn, a ack, now time.Time) {
	n, first, ok := w.ledger.settle(a)
	if !ok {
		w.tally.errors["ack of a comment that nobody sent"]++
		return
	}
	c.settled(n)
	if first && w.ledger.records[n].fate.accepted() {
		w.tally.ack.Add(w.ledger.age(n, now))
	}
}
