//go:build load && linux

// Command viewers watches a stream as many players would, and says what they saw and
// what the server spent on them.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// What the viewers do.
const (
	modeLow     = "ll"      // Low-Latency HLS: blocked reloads and parts
	modePlain   = "plain"   // reload every target duration, whole segments
	modeBlocked = "blocked" // wait for a part of one rendition, all at once
	modeLatency = "latency" // ll, and publish: how old is a frame when its part has come?
)

// settings are what the command line says.
type settings struct {
	url, mode, http, pid string
	n                    int
	dur, ramp, settle    time.Duration
	skip, keep           bool
	publish              publication
}

func main() {
	s := settings{settle: 5 * time.Second}
	flag.StringVar(&s.url, "url", "http://127.0.0.1:8080/hls/load-0000/index.m3u8", "the multivariant playlist")
	flag.StringVar(&s.mode, "mode", modeLow, "ll, plain, blocked or latency")
	flag.StringVar(&s.http, "http", "1.1", "1.1, or 2: over TLS to https://, in clear text to http://")
	flag.IntVar(&s.n, "n", 100, "how many viewers")
	flag.DurationVar(&s.dur, "for", 30*time.Second, "how long to measure once everybody watches")
	flag.DurationVar(&s.ramp, "ramp", 10*time.Second, "how long they take to arrive")
	flag.StringVar(&s.pid, "pid", "", "the server's process, to report what it costs: `PID` or a file with it")
	flag.BoolVar(&s.skip, "skip", false, "ask for delta updates where the server has them")
	flag.StringVar(&s.publish.server, "rtmp", "127.0.0.1:1935", "mode latency: `HOST:PORT` of RTMP")
	flag.StringVar(&s.publish.flv, "flv", "", "mode latency: the `FILE` to send, again and again")
	flag.StringVar(&s.publish.key, "key", "load-0000", "mode latency: stream key")
	flag.Parse()
	debug.SetGCPercent(400) // memory is cheaper here than the server's time
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	r, err := run(ctx, s)
	stop()
	if err == nil {
		r.print(os.Stderr)
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "viewers:", err)
	}
	if err != nil || !r.clean() {
		os.Exit(1)
	}
}

// maxFiles is what a process may have open where nothing was set up.
const maxFiles = 19000

// run measures in the mode that was asked for.
func run(ctx context.Context, s settings) (*report, error) {
	base, err := url.Parse(s.url)
	if err != nil {
		return nil, fmt.Errorf("-url: %w", err)
	}
	pid, err := parsePID(s.pid)
	if err != nil {
		return nil, fmt.Errorf("-pid: %w", err)
	}
	files := s.n
	if s.http == "1.1" && s.mode != modeBlocked {
		files *= slots
	}
	if s.n < 1 || files > maxFiles {
		return nil, fmt.Errorf("-n %d: at least 1, and %d connections are too many for one process", s.n, files)
	}
	s.keep = s.mode == modeLatency
	net, err := dialTransport(s, base)
	if err != nil {
		return nil, err
	}
	defer net.close()
	switch s.mode {
	case modeBlocked:
		return watchBlocked(ctx, s, base, net, pid)
	case modeLatency:
		return watchLatency(ctx, s, base, net, pid)
	case modeLow, modePlain:
		return watch(ctx, s, newCrowd(s, base, net), pid)
	}
	return nil, fmt.Errorf("-mode %q: only ll, plain, blocked and latency are known", s.mode)
}

// watch lets everybody arrive and begin, and then measures.
func watch(ctx context.Context, s settings, c *crowd, pid int) (*report, error) {
	c.run(ctx, s.ramp+s.settle)
	fmt.Fprintf(os.Stderr, "%d of %d watch; %d stalls while they arrived\n", c.watching(), s.n, c.tally.stalls)
	m, err := begin(pid)
	if err != nil {
		return nil, err
	}
	r := &report{Mode: s.mode, HTTP: s.http, Viewers: s.n, StallsBefore: c.tally.stalls}
	c.tally.clear()
	c.run(ctx, s.dur)
	c.finish()
	r.Watching = c.watching()
	r.sum(c.tally)
	return r, m.end(r)
}
