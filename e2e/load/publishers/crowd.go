//go:build load

package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"barrage/e2e/load/encoder"
)

const (
	perShard = 500 // publishers that one goroutine can keep the time of
	arriving = 16  // connections being made at once
)

// crowd is all publishers and the shards that play them.
type crowd struct {
	settings settings
	shards   []*shard
	reports  []chan chan<- tally
	stop     context.CancelFunc
	playing  sync.WaitGroup // shards
	hearing  sync.WaitGroup // readers

	mu      sync.Mutex
	all     []*publisher
	refused []error
}

// newCrowd starts the shards, which go on until leave.
func newCrowd(ctx context.Context, s *encoder.Script, cfg settings) *crowd {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &crowd{settings: cfg, stop: stop}
	begun := time.Now()
	for range 1 + (cfg.n-1)/perShard {
		sh, reports := newShard(s, begun, cfg.silent), make(chan chan<- tally)
		c.shards, c.reports = append(c.shards, sh), append(c.reports, reports)
		c.playing.Go(func() { sh.run(ctx, reports) })
	}
	return c
}

// arrive connects everybody. Who is refused is counted, not an error.
func (c *crowd) arrive(ctx context.Context, keys []string) error {
	begun := time.Now()
	var doors errgroup.Group
	doors.SetLimit(arriving)
	for i, key := range keys {
		doors.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			conn, err := encoder.Publish(ctx, c.settings.server, key, i, c.settings.chunk)
			c.mu.Lock()
			defer c.mu.Unlock()
			if err != nil {
				c.refused = append(c.refused, err)
				return nil
			}
			p := &publisher{Conn: conn}
			c.all = append(c.all, p)
			c.hearing.Go(conn.Listen)
			c.shards[i%len(c.shards)].joins <- p
			return nil
		})
	}
	err := doors.Wait()
	fmt.Fprintf(os.Stderr, "%d publish, %d refused, after %v\n", len(c.all), len(c.refused), time.Since(begun).Round(time.Millisecond))
	return err
}

// tally adds up what the shards did so far.
func (c *crowd) tally() (sum tally) {
	for _, reports := range c.reports {
		answer := make(chan tally, 1)
		reports <- answer
		t := <-answer
		sum.bytes += t.bytes
		sum.messages += t.messages
		sum.backlogged += t.backlogged
		sum.dropped = append(sum.dropped, t.dropped...)
		for i, n := range t.late {
			sum.late[i] += n
		}
	}
	return sum
}

// leave ends everything: the goodbye of an encoder, then the connection.
func (c *crowd) leave() {
	c.stop()
	c.playing.Wait()
	for _, p := range c.all {
		p.Leave()
	}
	c.hearing.Wait()
}
