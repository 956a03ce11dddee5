//go:build load

// Command publishers sends one FLV file to many rooms at once over RTMP, in real
// time, and says what the server made of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"barrage/e2e/load/encoder"
	"barrage/ingest/auth"
)

// settings are what the command line says.
type settings struct {
	server, flv, state string
	n, chunk, pid      int
	dur, window        time.Duration
	silent             bool
}

func main() {
	var s settings
	flag.StringVar(&s.server, "server", "127.0.0.1:1935", "`HOST:PORT` of RTMP")
	flag.StringVar(&s.flv, "flv", "", "the `FILE` to send, again and again; it begins with a sync sample")
	flag.StringVar(&s.state, "state", "", "state `DIR` of the server, to make stream keys; empty: the keys are the rooms' names (ingest.auth.mode open)")
	flag.IntVar(&s.n, "n", 60, "how many publishers; rooms load-0000, load-0001, …")
	flag.IntVar(&s.chunk, "chunk", 4096, "chunk size in `bytes`; OBS uses 4096")
	flag.DurationVar(&s.dur, "for", time.Minute, "how long to go on once everybody publishes")
	flag.DurationVar(&s.window, "window", 10*time.Second, "how often to report")
	flag.IntVar(&s.pid, "pid", 0, "the server's process, to report what it costs (Linux)")
	flag.BoolVar(&s.silent, "silent", false, "publish and send nothing, to see what a connection costs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	clean, err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "publishers:", err)
	}
	if err != nil || !clean {
		os.Exit(1)
	}
}

// run publishes until the time is over and returns false when a connection was
// lost or refused.
func run(ctx context.Context, s settings) (clean bool, err error) {
	script, err := encoder.ReadScript(s.flv, s.chunk)
	if err != nil {
		return false, fmt.Errorf("-flv: %w", err)
	}
	keys, err := streamKeys(s.state, s.n)
	if err != nil {
		return false, err
	}
	rate := float64(script.Bytes) * 8 / script.Dur.Seconds() / 1000
	fmt.Fprintf(os.Stderr, "%d publishers of %.0f kb/s, %.0f messages/s each, chunks of %d bytes\n",
		s.n, rate, float64(len(script.Loop))/script.Dur.Seconds(), s.chunk)
	c := newCrowd(ctx, script, s)
	defer c.leave()
	if err = c.arrive(ctx, keys); err != nil {
		return false, err
	}
	r := &report{pid: s.pid}
	if err = r.watch(ctx, c, s); err != nil {
		return false, err
	}
	return r.conclude(c, s.n), nil
}

// streamKeys makes a key for each room.
func streamKeys(state string, n int) ([]string, error) {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("load-%04d", i)
	}
	if state == "" {
		return out, nil
	}
	keys, err := auth.Open(filepath.Join(state, "keys.json"))
	if err != nil {
		return nil, fmt.Errorf("-state: %w", err)
	}
	for i, room := range out {
		if out[i], err = keys.Mint(room, 0); err != nil {
			return nil, fmt.Errorf("-state: %w", err)
		}
	}
	return out, nil
}
