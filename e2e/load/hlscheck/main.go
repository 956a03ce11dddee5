//go:build load

// Command hlscheck watches a live HLS stream and prints what breaks which rule.
// It exits with 1 when a MUST is broken or there is no stream.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"barrage/e2e/hlscheck"
)

func main() {
	var opts hlscheck.Options
	flag.StringVar(&opts.URL, "url", "http://127.0.0.1:8080/hls/live/index.m3u8", "multivariant playlist")
	flag.DurationVar(&opts.For, "for", time.Minute, "how long")
	flag.DurationVar(&opts.Jitter, "jitter", 150*time.Millisecond, "what a part may be late by")
	flag.Parse()
	broken, err := watch(opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hlscheck:", err)
	}
	if err != nil || broken > 0 {
		os.Exit(1)
	}
}

func watch(opts hlscheck.Options) (broken int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result, err := hlscheck.Watch(ctx, opts)
	if err != nil {
		return 0, err
	}
	if err = result.Print(os.Stdout); err != nil {
		return 0, err
	}
	broken, advice := len(result.Violated(hlscheck.Must)), len(result.Violated(hlscheck.Should))
	_, err = fmt.Fprintf(os.Stdout, "\n%d rules; broken: %d MUST, %d SHOULD; stream ended: %v\n", len(result.Tallies), broken, advice, result.Ended)
	return broken, err
}
