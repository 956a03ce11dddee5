//go:build load

// Command chatters fills a room with scripted people who comment and like in
// Chinese, English and Japanese, until it is stopped.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	url := flag.String("url", "http://127.0.0.1:8080", "where chat is")
	room := flag.String("room", "live", "the room to fill")
	n := flag.Int("n", 200, "how many people")
	ramp := flag.Duration("ramp", 10*time.Second, "how long they take to arrive")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var everybody sync.WaitGroup
	for i := range *n {
		p := newPerson(i, *url, *room)
		arrival := *ramp * time.Duration(i) / time.Duration(*n)
		everybody.Go(func() {
			if wait(ctx, arrival) {
				p.stay(ctx, os.Stderr)
			}
		})
	}
	everybody.Wait()
	fmt.Fprintln(os.Stderr, "chatters: everybody went home")
}

// wait returns false when ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
