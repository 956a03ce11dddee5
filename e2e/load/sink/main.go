//go:build load

// Command sink is the server up to the packager and no further: it takes in
// publishers and throws their samples away. At SIGUSR1 it says what they cost.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"barrage/ingest"
	"barrage/packager/media"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:1935", "`HOST:PORT` of RTMP")
	idle := flag.Duration("media", ingest.DefaultConfig().Timeouts.Media, "ingest.timeouts.media")
	flag.Parse()
	cfg := ingest.DefaultConfig()
	cfg.RTMPAddr, cfg.Auth.Mode, cfg.Timeouts.Media = *addr, ingest.AuthOpen, *idle
	if err := run(cfg); err != nil {
		fmt.Fprintln(os.Stderr, "sink:", err)
		os.Exit(1)
	}
}

func run(cfg ingest.Config) error {
	server, err := ingest.New(cfg, ingest.Options{
		Logger:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Registerer: prometheus.NewRegistry(),
		Attach:     func(string) (ingest.Sink, error) { return hole{}, nil },
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGUSR1)
	defer signal.Stop(ask)
	fmt.Fprintln(os.Stderr, "pid", os.Getpid(), "listens on", server.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	for {
		select {
		case <-ask:
			tell()
		case err := <-ended:
			return err
		}
	}
}

// tell prints what lives after a collection.
func tell() {
	runtime.GC() // twice: pools let go at the second
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(os.Stderr, "heap %d KiB, stacks %d KiB, goroutines %d\n", m.HeapAlloc>>10, m.StackInuse>>10, runtime.NumGoroutine())
}

// hole is a sink without a packager behind it.
type hole struct{}

func (hole) Expect(media.Kind)              {}
func (hole) SetTrack(media.Track) error     { return nil }
func (hole) WriteSample(media.Sample) error { return nil }
func (hole) Detach(bool)                    {}
