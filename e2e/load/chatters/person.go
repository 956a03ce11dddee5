//go:build load

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"barrage/e2e/load"
)

// Who speaks how often. A wave is the moment everybody shouts at once.
const (
	pace      = 14 * time.Second // mean time between two comments of one person
	wavePace  = 3 * time.Second
	likeShare = 0.25 // of all turns are likes
	comeBack  = 2 * time.Second
)

// person is one scripted viewer; used by one goroutine.
type person struct {
	url, room string
	nick      string
	voice     voice
	dice      *rand.Rand
}

func newPerson(i int, url, room string) *person {
	dice := rand.New(rand.NewPCG(uint64(i), 7)) //nolint:gosec // the same party every time
	v := voices()[i%len(voices())]
	return &person{url: url, room: room, nick: v.nick(dice, i), voice: v, dice: dice}
}

// stay keeps the person in the room until ctx ends, coming back when thrown out.
func (p *person) stay(ctx context.Context, log io.Writer) {
	for ctx.Err() == nil {
		if err := p.visit(ctx); err != nil && ctx.Err() == nil {
			_, _ = fmt.Fprintf(log, "chatters: %s: %v\n", p.nick, err)
		}
		if !wait(ctx, p.soon(comeBack)) {
			return
		}
	}
}

// visit is one connection: read everything, speak now and then.
func (p *person) visit(ctx context.Context) error {
	conn, err := load.Dial(ctx, p.url, p.room, load.Who{Nick: p.nick})
	if err != nil {
		return err
	}
	gone := make(chan error, 1)
	go func() {
		for {
			if _, ended := conn.Next(); ended != nil {
				gone <- ended
				return
			}
		}
	}()
	err = p.speak(ctx, conn)
	_ = conn.Close() // the reader reports why it ended
	if ended := <-gone; err == nil {
		err = ended
	}
	return err
}

func (p *person) speak(ctx context.Context, conn *load.Conn) error {
	for {
		turn := pace
		if _, surge := wave(time.Now()); surge {
			turn = wavePace
		}
		if !wait(ctx, p.soon(turn)) {
			return nil
		}
		var err error
		if p.dice.Float64() < likeShare {
			err = conn.Like(1 + p.dice.IntN(5))
		} else {
			_, err = conn.Send(p.voice.line(p.dice, time.Now()))
		}
		if err != nil {
			return err
		}
	}
}

// soon is a random time with the given mean, at most three times as long: people
// are not clocks, and nobody falls asleep.
func (p *person) soon(mean time.Duration) time.Duration {
	return time.Duration(min(p.dice.ExpFloat64(), 3) * float64(mean))
}
