//go:build load && linux

// Command crowd fills a room of a chat with writers and readers, and says what they
// saw, what was lost, and what the servers spent on them.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Who cuts the connections of mode reconnect.
const (
	cutByCrowd  = "crowd"
	cutByServer = "server" // somebody restarts it once the crowd says go
)

// settings are what the command line says.
type settings struct {
	nodes                []string
	room, text           string
	watch, stall, write  int
	rate                 float64
	batch                int
	burst                bool
	latencies            []time.Duration
	dur, ramp            time.Duration
	pids                 []int
	log, redis           string
	reconnect            string
	run                  int64  // names it
	process, processes   int    // which of how many; 0 is the one with the observers
	most                 int    // connections of one process
	begun                func() // when everybody begins
	urls, pidList, delay string
}

func (s *settings) flags(f *flag.FlagSet) {
	f.StringVar(&s.urls, "url", "http://127.0.0.1:8080", "chat nodes, as `URL,URL`")
	f.StringVar(&s.room, "room", "live", "the room to fill; nobody else may comment in it")
	f.IntVar(&s.watch, "watch", 100, "how many only watch")
	f.IntVar(&s.stall, "stall", 0, "how many never read after their welcome")
	f.IntVar(&s.write, "write", 10, "how many comment, and watch")
	f.Float64Var(&s.rate, "rate", 10, "comments a second, of all together")
	f.IntVar(&s.batch, "batch", 1, "comments in each write to a socket")
	f.BoolVar(&s.burst, "burst", false, "a second's comments at one instant, instead of -rate for as long as it goes")
	f.StringVar(&s.text, "text", textMany, "balse, many or unique")
	f.StringVar(&s.delay, "latency", "", "how far the writers' pictures are behind, by groups, as `2s,8s,25s`; empty: they do not say")
	f.DurationVar(&s.dur, "for", 30*time.Second, "how long to measure once everybody is here")
	f.DurationVar(&s.ramp, "ramp", 10*time.Second, "how long they take to arrive")
	f.StringVar(&s.pidList, "pid", "", "the servers' processes, to report what they cost, as `PID,PID`")
	f.StringVar(&s.log, "log", "", "the `DIR` of the comment log, to look for what was acked")
	f.StringVar(&s.redis, "redis", "", "`HOST:PORT` of the Redis whose stream is the comment log")
	f.StringVar(&s.reconnect, "reconnect", "", "cut all connections and wait until all are back: by the `crowd` itself, or by the server, which somebody restarts")
	f.Int64Var(&s.run, "run", 0, "the name of a run of several processes; they start each other")
	f.IntVar(&s.process, "process", 0, "which of them this is")
	f.IntVar(&s.processes, "processes", 0, "how many there are")
}

// check reads what is composed and refuses what cannot be.
func (s *settings) check() error {
	s.nodes = strings.Split(s.urls, ",")
	if s.delay != "" {
		for text := range strings.SplitSeq(s.delay, ",") {
			d, err := time.ParseDuration(text)
			if err != nil {
				return fmt.Errorf("-latency: %w", err)
			}
			s.latencies = append(s.latencies, d)
		}
	}
	if s.pidList != "" {
		for text := range strings.SplitSeq(s.pidList, ",") {
			pid, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("-pid: %w", err)
			}
			s.pids = append(s.pids, pid)
		}
	}
	switch {
	case s.watch < 0 || s.stall < 0 || s.write < 0 || s.watch+s.stall+s.write < 1:
		return fmt.Errorf("-watch %d -stall %d -write %d: nobody", s.watch, s.stall, s.write)
	case s.batch < 1 || s.rate < 0:
		return fmt.Errorf("-batch %d -rate %g: at least 1, at least 0", s.batch, s.rate)
	case s.reconnect != "" && s.reconnect != cutByCrowd && s.reconnect != cutByServer:
		return fmt.Errorf("-reconnect %q: only crowd and server are known", s.reconnect)
	case s.watch+s.stall+s.write > maxProcesses*s.most:
		return fmt.Errorf("%d connections are too many: at most %d", s.watch+s.stall+s.write, maxProcesses*s.most)
	}
	_, err := newScript(s.text, "", false)
	return err
}

func main() {
	s := settings{most: maxConns, begun: func() { fmt.Fprintln(os.Stderr, lineGo) }}
	s.flags(flag.CommandLine)
	flag.Parse()
	debug.SetGCPercent(400) // memory is cheaper here than the servers' time
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	clean, err := start(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
	}
	if err != nil || !clean {
		os.Exit(1)
	}
}

// start is one process: the one that was asked, or one that it has started.
func start(ctx context.Context, s settings) (clean bool, err error) {
	if err = s.check(); err != nil {
		return false, err
	}
	if s.processes > 0 {
		return true, work(ctx, s, os.Stdin, os.Stdout)
	}
	r, err := conduct(ctx, s)
	if err != nil {
		return false, err
	}
	r.print(os.Stderr)
	return r.clean(), json.NewEncoder(os.Stdout).Encode(r)
}
