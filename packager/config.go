package packager

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says how streams are cut and how much of them is kept.
type Config struct {
	// SegmentDuration is the least length of a segment; it ends at the next sync
	// sample. Longer segments mean fewer requests of regular players and a longer
	// way to the live edge for them (three target durations). Default 2s.
	SegmentDuration time.Duration `yaml:"segment_duration"`
	// PartDuration is the length of a part. Low-latency players stay three parts
	// behind and make two requests a part. Default 500ms.
	PartDuration time.Duration `yaml:"part_duration"`
	// Window is how far a viewer can go back, at least 8 target durations. It is
	// kept in RAM, and for as long again after it left the playlist. Default 60s.
	Window time.Duration `yaml:"window"`
	// WindowBytes bounds the RAM of one room, what is left of its ended epochs and
	// MPEG-TS included: when the media of a room exceeds it the oldest is dropped
	// early, down to three target durations, and ended epochs as a whole when that is
	// not enough. Default 192 MiB, which is 2 x 60 s at 12 Mbit/s.
	WindowBytes int64 `yaml:"window_bytes"`
	// TotalBytes bounds the RAM of all rooms together: a publisher that would begin
	// another room is refused, with the reason, while the windows of those that are
	// live will need all of it. 0 means no bound here; the server then takes 60 % of the
	// memory it may use. Default 0.
	TotalBytes int64 `yaml:"total_bytes"`
}

// DefaultConfig returns what a server runs with that was told nothing.
func DefaultConfig() Config {
	return Config{SegmentDuration: 2 * time.Second, PartDuration: 500 * time.Millisecond, Window: time.Minute, WindowBytes: 192 << 20}
}

// Validate names every key whose value cannot work.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, key string, value any, must string) {
		if !ok {
			errs = append(errs, fmt.Errorf("packager.%s: %v: must be %s", key, value, must))
		}
	}
	check(c.SegmentDuration >= time.Second && c.SegmentDuration <= maxTarget, "segment_duration", c.SegmentDuration, "between 1s and 10s")
	check(c.PartDuration >= 200*time.Millisecond && c.PartDuration <= 2*time.Second && c.PartDuration <= c.SegmentDuration/2,
		"part_duration", c.PartDuration, "between 200ms and 2s, and at most half of segment_duration")
	check(c.Window >= 10*time.Second && c.Window <= 2*time.Hour, "window", c.Window, "between 10s and 2h")
	check(c.WindowBytes >= 16<<20, "window_bytes", c.WindowBytes, "at least 16777216 (16 MiB)")
	check(c.TotalBytes == 0 || c.TotalBytes >= 64<<20, "total_bytes", c.TotalBytes, "0 (60 % of the memory there is) or at least 67108864 (64 MiB)")
	return errors.Join(errs...)
}

// Options wires a Registry.
type Options struct {
	Logger     *slog.Logger          // nil: silence
	Registerer prometheus.Registerer // nil: metrics are kept but not exported
	Now        func() time.Time      // nil: time.Now; must carry a monotonic reading
	Grace      time.Duration         // how long a lost publisher is waited for; 0: 60s
	CleanGrace time.Duration         // how long one that said goodbye is waited for; 0: 10s
	Records    *os.Root              // where sessions are written down, so that they survive a restart; nil: they do not
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Grace <= 0 {
		o.Grace = time.Minute
	}
	if o.CleanGrace <= 0 {
		o.CleanGrace = 10 * time.Second
	}
	return o
}
