//go:build load

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"barrage/e2e/load/cost"
)

// settle is how long a server is left alone after the last one has arrived.
const settle = 3 * time.Second

// tooLate is from when a message counts as late, in milliseconds.
const tooLate = 20

// report is what the windows of a run had.
type report struct {
	pid   int
	perMB []float64 // milliseconds of the server's CPU for each megabyte, by window
	cores []float64 // of the server, by window
	first tally     // when the first window began
}

// watch prints one line for each window.
func (r *report) watch(ctx context.Context, c *crowd, s settings) error {
	if !pause(ctx, settle) {
		return ctx.Err()
	}
	before, spent, err := r.look(c)
	if err != nil {
		return err
	}
	r.first = before
	for begun := time.Now(); time.Since(begun)+s.window/2 < s.dur; {
		at := time.Now()
		if !pause(ctx, s.window) {
			return nil
		}
		after, now, err := r.look(c)
		if err != nil {
			return err
		}
		r.window(before, after, now.CPU-spent.CPU, time.Since(at))
		fmt.Fprintf(os.Stderr, "%6.1f MB/s  server %.2f cores, %d MB RSS  late %d  dropped %d\n",
			float64(after.bytes-before.bytes)/1e6/time.Since(at).Seconds(), last(r.cores), now.RSS>>20,
			lateIn(before, after), len(after.dropped))
		before, spent = after, now
	}
	return nil
}

func (r *report) look(c *crowd) (tally, cost.Usage, error) {
	u, err := cost.Of(r.pid)
	return c.tally(), u, err
}

func (r *report) window(before, after tally, cpu, dur time.Duration) {
	r.cores = append(r.cores, cpu.Seconds()/dur.Seconds())
	if sent := float64(after.bytes-before.bytes) / 1e6; sent > 0 {
		r.perMB = append(r.perMB, float64(cpu.Milliseconds())/sent)
	}
}

// conclude prints the whole run and returns false when somebody was lost.
func (r *report) conclude(c *crowd, n int) bool {
	t := c.tally()
	fmt.Fprintf(os.Stderr, "sent %d MB in %d messages; late by more than %d ms: %d, 99.9 %% within %d ms; kept back by the socket: %d\n",
		t.bytes/1e6, t.messages, tooLate, lateIn(r.first, t), percentile(t.late[:], 0.999), t.backlogged)
	if r.pid != 0 && len(r.perMB) > 0 {
		fmt.Fprintf(os.Stderr, "server CPU per MB: min %.2f ms, median %.2f ms, max %.2f ms\n",
			slices.Min(r.perMB), median(r.perMB), slices.Max(r.perMB))
	}
	fmt.Fprintf(os.Stderr, "connected %d of %d, refused %d, dropped %d\n", len(c.all), n, len(c.refused), len(t.dropped))
	for _, err := range slices.Concat(head(c.refused), head(t.dropped)) {
		fmt.Fprintln(os.Stderr, "  ", err)
	}
	return len(c.refused) == 0 && len(t.dropped) == 0
}

// lateIn counts the late messages between two tallies.
func lateIn(before, after tally) (n int64) {
	for i := tooLate + 1; i < lateBuckets; i++ {
		n += after.late[i] - before.late[i]
	}
	return n
}

// percentile returns the bucket within which the share of all counts lies.
func percentile(counts []int64, share float64) int {
	var sum int64
	for _, n := range counts {
		sum += n
	}
	rest := sum - int64(float64(sum)*share)
	for i, n := range slices.Backward(counts) {
		if rest -= n; rest < 0 {
			return i
		}
	}
	return 0
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

func head(errs []error) []error { return errs[:min(len(errs), 5)] }

func last(x []float64) float64 { return x[len(x)-1] }

// pause returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
