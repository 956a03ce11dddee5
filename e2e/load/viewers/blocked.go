//go:build load && linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"barrage/e2e/load/cost"
	"barrage/e2e/load/histogram"
)

// blocked is what a crowd saw that waited for the same part, by rounds.
type blocked struct {
	Rounds      int       `json:"rounds"`
	TooSoon     int       `json:"rounds_too_soon"`    // the part came before everybody had asked
	LastMillis  []float64 `json:"last_release_ms"`    // after the first, by round
	CPUMicros   float64   `json:"cpu_us_per_waiter"`  // of the server: asked, looked at every part before, answered
	FreeMicros  float64   `json:"cpu_us_per_release"` // of the server from just before the part until everybody was answered
	RSSPerEach  int64     `json:"rss_bytes_per_each"` // most that the server grew by while all waited
	IdleCores   float64   `json:"idle_cores"`         // of the server without any waiter; subtracted from the CPU
	MedianLast  float64   `json:"median_last_ms"`
	afterFirst  histogram.Histogram
	cpu, free   time.Duration
	waiters     int
	parkedSince time.Time
}

func (b *blocked) print(p func(string, ...any)) {
	if b == nil {
		return
	}
	p("%d rounds (%d too soon): last released %.0f ms after the first (median), %.1f µs of the server's CPU to release (%.1f with asking and waiting) and %.1f KiB each",
		b.Rounds, b.TooSoon, b.MedianLast, b.FreeMicros, b.CPUMicros, float64(b.RSSPerEach)/1024)
	p("last release by round: %.0f ms; the server without waiters: %.3f cores", b.LastMillis, b.IdleCores)
}

var errNotBlocking = errors.New("the playlist has no blocked reloads: no CAN-BLOCK-RELOAD=YES or no PART-INF")

// hall is where n viewers wait.
type hall struct {
	settings
	blocked

	net   transport
	lists *library
	path  string
	pid   int
	tally tally
	empty cost.Usage // before anybody came
	rest  cost.Usage // the last look while all waited
}

// watchBlocked lets everybody wait for the same part of the first rendition, again
// and again.
func watchBlocked(ctx context.Context, s settings, base *url.URL, net transport, pid int) (*report, error) {
	h := &hall{settings: s, net: net, lists: newLibrary(base), pid: pid}
	h.tally.clear()
	a, err := h.one(ctx, kindIndex, base.RequestURI())
	if err != nil {
		return nil, err
	}
	body, err := plain(a.body)
	if err != nil {
		return nil, err
	}
	renditions, err := parseIndex(base, body)
	if err != nil {
		return nil, err
	}
	h.path = renditions[0]
	if err = h.gather(ctx); err != nil {
		return nil, err
	}
	m, err := begin(pid)
	if err != nil {
		return nil, err
	}
	h.tally.clear()
	for end := time.Now().Add(s.dur); time.Now().Before(end) && ctx.Err() == nil; {
		if err = h.round(ctx); err != nil {
			return nil, err
		}
	}
	r := &report{Mode: s.mode, HTTP: s.http, Viewers: s.n, Watching: s.n}
	r.sum(&h.tally)
	h.conclude(r)
	return r, m.end(r)
}

// one makes a single request.
func (h *hall) one(ctx context.Context, k kind, path string) (arrival, error) {
	h.net.send(order{kind: k, path: path, asked: time.Now()})
	for ctx.Err() == nil {
		if came := h.net.wait(time.Second); len(came) > 0 {
			a := came[0]
			if a.err == nil && a.status != http.StatusOK {
				a.err = fmt.Errorf("%s: %d", path, a.status)
			}
			return a, a.err
		}
	}
	return arrival{}, ctx.Err()
}

// gather connects everybody, a few at a time.
func (h *hall) gather(ctx context.Context) (err error) {
	if h.empty, err = cost.Of(h.pid); err != nil {
		return err
	}
	begun := time.Now()
	if err = h.idle(ctx, 3*time.Second); err != nil {
		return err
	}
	before := h.empty
	if h.empty, err = cost.Of(h.pid); err != nil {
		return err
	}
	h.IdleCores = (h.empty.CPU - before.CPU).Seconds() / time.Since(begun).Seconds()
	const together = 100
	for from := 0; from < h.n; from += together {
		to := min(from+together, h.n)
		for i := from; i < to; i++ {
			h.send(i, kindPlaylist, h.path)
		}
		if _, err = h.collect(ctx, to-from); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "%d are connected\n", h.n)
	return nil
}

// send asks for viewer i, on one connection each.
func (h *hall) send(i int, k kind, path string) {
	h.net.send(order{viewer: i, kind: k, path: path, asked: time.Now()})
}

func (h *hall) idle(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; {
		h.net.wait(time.Until(end))
	}
	return ctx.Err()
}

// collect waits for n answers and returns when they came.
func (h *hall) collect(ctx context.Context, n int) (came []time.Time, err error) {
	for len(came) < n && ctx.Err() == nil {
		for _, a := range h.net.wait(20 * time.Millisecond) {
			h.tally.count(&a)
			came = append(came, a.done)
		}
		if len(came) == 0 && !h.parkedSince.IsZero() {
			if err = h.parked(); err != nil {
				return nil, err
			}
		}
	}
	return came, ctx.Err()
}

// parked notes what everybody who waits takes of memory.
func (h *hall) parked() (err error) {
	h.rest, err = cost.Of(h.pid)
	h.RSSPerEach = max(h.RSSPerEach, (h.rest.RSS-h.empty.RSS)/int64(h.n))
	return err
}

// target is the part to wait for: as far ahead as a server must allow, three seconds
// (6.2.5.2), less one part.
func (h *hall) target(ctx context.Context) (string, error) {
	a, err := h.one(ctx, kindPlaylist, h.path)
	if err != nil {
		return "", err
	}
	list, err := h.lists.read(h.path, a.body, a.done)
	if err != nil {
		return "", err
	}
	if !list.blocks || list.partTarget <= 0 {
		return "", errNotBlocking
	}
	ahead := 2
	if list.partTarget < time.Second {
		ahead = int(3*time.Second/list.partTarget) - 2
	}
	return fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", h.path, list.msn, list.part+ahead), nil
}

// round is one part.
func (h *hall) round(ctx context.Context) error {
	path, err := h.target(ctx)
	if err != nil {
		return err
	}
	before, err := cost.Of(h.pid)
	if err != nil {
		return err
	}
	begun := time.Now()
	for i := range h.n {
		h.send(i, kindBlocked, path)
	}
	h.parkedSince, h.rest = time.Now(), before
	came, err := h.collect(ctx, h.n)
	if err != nil {
		return err
	}
	after, err := cost.Of(h.pid)
	if err != nil {
		return err
	}
	slices.SortFunc(came, time.Time.Compare)
	if came[0].Before(h.parkedSince) {
		h.TooSoon++
		return nil
	}
	for _, at := range came {
		h.afterFirst.Add(at.Sub(came[0]))
	}
	h.LastMillis = append(h.LastMillis, histogram.Millis(came[len(came)-1].Sub(came[0])))
	h.Rounds++
	h.waiters += h.n
	h.free += after.CPU - h.rest.CPU
	h.cpu += after.CPU - before.CPU - time.Duration(h.IdleCores*float64(time.Since(begun)))
	return nil
}

// conclude writes what the rounds had.
func (h *hall) conclude(r *report) {
	if h.Rounds > 0 {
		h.CPUMicros = h.cpu.Seconds() * 1e6 / float64(h.waiters)
		h.FreeMicros = h.free.Seconds() * 1e6 / float64(h.waiters)
		sorted := slices.Sorted(slices.Values(h.LastMillis))
		h.MedianLast = sorted[len(sorted)/2]
	}
	r.Times = nil // from asking to the answer is the part's time, not the server's
	r.time("released, after the first", &h.afterFirst)
	r.Blocked = &h.blocked
}
