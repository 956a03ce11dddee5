//go:build e2e

package redisbroker_test

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"barrage/chat"
	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// counter is a handler that only counts.
type counter struct{ frames atomic.Int64 }

func (c *counter) Frame([]byte)         { c.frames.Add(1) }
func (c *counter) State(chat.RoomState) {}
func (c *counter) Link(bool)            {}

// cpu is what this process has used, Redis not included.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRedis measures round trips with batches of 10 KB (100 comments) and
// ticks of 2 KB, with one subscriber on a second broker.
func BenchmarkRedis(b *testing.B) {
	r := brokertest.StartRedis(b)
	writer, reader := open(b, r, redisbroker.Options{}), open(b, r, redisbroker.Options{})
	batch, tick := make([]byte, 10_000), make([]byte, 2_000)
	if _, err := writer.Lead(b.Context(), "live", "w", time.Hour); err != nil {
		b.Fatal(err)
	}
	var seq uint64
	for name, f := range map[string]func() error{
		"append": func() error {
			_, err := writer.Append(b.Context(), "live", batch, tick)
			return err
		},
		"publish": func() error { return writer.Publish(b.Context(), "live", tick) },
		"advance": func() error { seq++; return writer.Advance(b.Context(), "live", "w", seq, tick) },
		"lead": func() error {
			_, err := writer.Lead(b.Context(), "live", "w", time.Hour)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			var c counter
			s, err := reader.Subscribe(b.Context(), "live", &c)
			if err != nil {
				b.Fatal(err)
			}
			begin := cpu(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu(b)-begin)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
