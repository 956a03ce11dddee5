//go:build load

package main

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"barrage/e2e/load/encoder"
)

// publisher is one connection and where it is in the script. It belongs to a shard.
type publisher struct {
	*encoder.Conn

	start time.Duration
	next  int           // message of the script
	base  time.Duration // media time at which this round of the script began
}

// shard keeps the time of some publishers on one goroutine. Which message is due
// next comes from a heap; between messages it sleeps.
type shard struct {
	script *encoder.Script // its own copy: timestamps are written into it
	begun  time.Time
	silent bool // publish, and send nothing
	joins  chan *publisher
	due    queue
	tally  tally
}

// tally is what a shard did. It belongs to the shard's goroutine until run ends;
// others ask for a copy.
type tally struct {
	bytes, messages int64
	late            [lateBuckets]int64 // messages by milliseconds behind their time
	backlogged      int64              // messages that the socket did not take at once
	dropped         []error            // connections that the server closed
}

// lateBuckets ends with everything later.
const lateBuckets = 1001

func newShard(s *encoder.Script, begun time.Time, silent bool) *shard {
	return &shard{script: s.Clone(), begun: begun, silent: silent, joins: make(chan *publisher, 64)}
}

// run plays until ctx ends. reports asks for a copy of the tally.
func (s *shard) run(ctx context.Context, reports <-chan chan<- tally) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.wait())
		select {
		case <-ctx.Done():
			return
		case p := <-s.joins:
			s.join(p)
		case answer := <-reports:
			t := s.tally
			t.dropped = slices.Clone(t.dropped)
			answer <- t
		case <-timer.C:
		}
		s.play(time.Since(s.begun))
	}
}

// join begins a publisher's show now.
func (s *shard) join(p *publisher) {
	p.start = time.Since(s.begun)
	for _, m := range s.script.Intro {
		if err := p.Send(m.Wire); err != nil {
			s.drop(p, err)
			return
		}
	}
	heap.Push(&s.due, entry{s.dueAt(p), p})
}

// dueAt is when a publisher's next message is to be sent. A silent one only has
// its connection looked at.
func (s *shard) dueAt(p *publisher) time.Duration {
	if s.silent {
		p.base += time.Second
		return p.start + p.base
	}
	return p.start + p.base + s.script.Loop[p.next].At
}

// wait is how long nothing is due.
func (s *shard) wait() time.Duration {
	if len(s.due) == 0 {
		return time.Hour
	}
	return max(s.due[0].at-time.Since(s.begun), 0)
}

// play sends everything that is due at now.
func (s *shard) play(now time.Duration) {
	for len(s.due) > 0 && s.due[0].at <= now {
		e := s.due[0]
		if err := s.step(e, now); err != nil {
			heap.Pop(&s.due)
			s.drop(e.p, err)
			continue
		}
		s.due[0].at = s.dueAt(e.p)
		heap.Fix(&s.due, 0)
	}
}

// step sends one message of a publisher.
func (s *shard) step(e entry, now time.Duration) error {
	p := e.p
	if why := p.Gone(); why != nil {
		return why
	}
	if s.silent {
		return nil
	}
	m := s.script.Loop[p.next]
	m.Stamp(p.base + m.At)
	if err := p.Send(m.Wire); err != nil {
		return err
	}
	s.tally.messages++
	s.tally.bytes += int64(len(m.Wire))
	s.tally.late[min((now-e.at).Milliseconds(), lateBuckets-1)]++
	if p.Late() > 0 {
		s.tally.backlogged++
	}
	if p.next++; p.next == len(s.script.Loop) {
		p.next = 0
		p.base += s.script.Dur.Round(time.Millisecond)
	}
	return nil
}

func (s *shard) drop(p *publisher, why error) {
	s.tally.dropped = append(s.tally.dropped, why)
	_ = p.Close()
}

// entry says when a publisher has something to send.
type entry struct {
	at time.Duration // since the shard's beginning
	p  *publisher
}

// queue is a heap of entries, the earliest first.
type queue []entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(entry)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = entry{}
	*q = (*q)[:last]
	return e
}
