//go:build load && linux

package main

import (
	"container/heap"
	"context"
	"net/url"
	"time"
)

// crowd is all viewers and their time, on one goroutine.
type crowd struct {
	net     transport
	players []*player
	tally   *tally
	due     queue
	begun   time.Time
	heard   func(*arrival) // every answer, before its player; may be nil
}

// newCrowd makes n viewers who arrive one after the other within ramp.
func newCrowd(s settings, base *url.URL, net transport) *crowd {
	c := &crowd{net: net, tally: &tally{}, begun: time.Now()}
	c.tally.clear()
	lists := newLibrary(base)
	for i := range s.n {
		p := &player{
			id: i, low: s.mode != modePlain, skip: s.skip, index: base.RequestURI(), base: base,
			lists: lists, tally: c.tally,
		}
		p.start(c.begun.Add(s.ramp * time.Duration(i) / time.Duration(s.n)))
		c.players = append(c.players, p)
		c.take(p)
	}
	return c
}

// run goes on for d, or until ctx ends.
func (c *crowd) run(ctx context.Context, d time.Duration) {
	const step = 50 * time.Millisecond // how late the end of ctx is noticed
	for end := time.Now().Add(d); ctx.Err() == nil; {
		now := time.Now()
		if !now.Before(end) {
			return
		}
		c.send(now)
		wait := min(step, end.Sub(now))
		if len(c.due) > 0 {
			wait = min(wait, c.due[0].at.Sub(now))
		}
		arrivals := c.net.wait(max(wait, 0))
		for i := range arrivals {
			a := &arrivals[i]
			if c.heard != nil {
				c.heard(a)
			}
			p := c.players[a.viewer]
			p.arrived(a)
			c.take(p)
		}
	}
}

// take sends what a player has ordered, or keeps it until its time.
func (c *crowd) take(p *player) {
	for _, o := range p.orders {
		if o.at.IsZero() {
			o.asked = time.Now()
			c.net.send(o)
			continue
		}
		heap.Push(&c.due, o)
	}
	p.orders = p.orders[:0]
}

// send sends everything that is due.
func (c *crowd) send(now time.Time) {
	for len(c.due) > 0 && !c.due[0].at.After(now) {
		o := heap.Pop(&c.due).(order)
		if o.round != c.players[o.viewer].round {
			continue
		}
		o.asked = time.Now()
		c.net.send(o)
	}
}

// watching counts who plays.
func (c *crowd) watching() (n int) {
	for _, p := range c.players {
		if p.playhead.running {
			n++
		}
	}
	return n
}

// finish counts the stalls that have not ended.
func (c *crowd) finish() {
	for _, p := range c.players {
		p.finish(time.Now())
	}
}

// queue is a heap of orders, the earliest first.
type queue []order

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(order)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	o := (*q)[last]
	(*q)[last] = order{}
	*q = (*q)[:last]
	return o
}
