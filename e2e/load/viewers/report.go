//go:build load && linux

package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"barrage/e2e/load/cost"
	"barrage/e2e/load/histogram"
)

// report is what a run says, in milliseconds where nothing else is said.
type report struct {
	Mode         string           `json:"mode"`
	HTTP         string           `json:"http"`
	Viewers      int              `json:"viewers"`
	Watching     int              `json:"watching"`
	Seconds      float64          `json:"seconds"`
	StallsBefore int64            `json:"stalls_while_arriving"`
	Stalled      int              `json:"stalled_viewers"`
	Stalls       int64            `json:"stalls"`
	StallSeconds float64          `json:"stall_seconds"`
	Requests     map[string]int64 `json:"requests"`
	Bytes        int64            `json:"bytes"`
	Errors       map[string]int64 `json:"errors"`
	Times        []timing         `json:"times"`
	Blocked      *blocked         `json:"blocked,omitempty"`
	Server       *spent           `json:"server,omitempty"`
	Generator    *spent           `json:"generator"`
	OtherCores   float64          `json:"other_cores"` // everything else on this machine
}

// timing is one distribution by name.
type timing struct {
	Name string `json:"name"`
	histogram.Summary
}

// spent is what a process cost meanwhile.
type spent struct {
	CPUSeconds       float64 `json:"cpu_seconds"`
	Cores            float64 `json:"cores"`
	MicrosPerRequest float64 `json:"us_per_request"`
	SecondsPerGB     float64 `json:"cpu_seconds_per_gb"`
	RSS              int64   `json:"rss_bytes"`
	RSSBefore        int64   `json:"rss_bytes_before"`
}

// sum takes over what the viewers saw.
func (r *report) sum(t *tally) {
	r.Requests, r.Errors = map[string]int64{}, maps.Clone(t.errors)
	for k, n := range t.requests {
		if n > 0 {
			r.Requests[kind(k).String()] = n
		}
	}
	r.Bytes, r.Stalled, r.Stalls, r.StallSeconds = t.bytes, len(t.victims), t.stalls, t.stopped.Seconds()
	media := t.took[kindPart]
	media.Merge(&t.took[kindSegment])
	r.time("media request, from asking to the last byte", &media)
	r.time("playlist that need not wait", &t.took[kindPlaylist])
	r.time("blocked playlist, after anybody had it", &t.overshoot)
	r.time("media arrived, after anybody's playlist had it", &t.late)
	r.time("media arrived, after its beginning (playlist's clock)", &t.age)
	r.time("what is shown, behind the playlist's clock", &t.latency)
}

func (r *report) time(name string, h *histogram.Histogram) {
	if sum := h.Summary(); sum.Count > 0 {
		r.Times = append(r.Times, timing{name, sum})
	}
}

func (r *report) total() (n int64) {
	for _, count := range r.Requests {
		n += count
	}
	return n
}

// clean says that nobody missed anything.
func (r *report) clean() bool {
	return r.Stalls == 0 && len(r.Errors) == 0 && r.Watching == r.Viewers
}

// print writes the report for people.
func (r *report) print(w io.Writer) {
	p := func(format string, a ...any) { _, _ = fmt.Fprintf(w, format+"\n", a...) }
	n := float64(r.total())
	p("%s over HTTP/%s: %d of %d viewers for %.1f s: %d stalled %d times for %.1f s",
		r.Mode, r.HTTP, r.Watching, r.Viewers, r.Seconds, r.Stalled, r.Stalls, r.StallSeconds)
	p("%.0f requests/s, %.1f MB/s %v", n/r.Seconds, float64(r.Bytes)/1e6/r.Seconds, r.Requests)
	for _, t := range r.Times {
		p("%-56s p50 %8.1f  p90 %8.1f  p99 %8.1f  max %8.1f ms", t.Name, t.P50, t.P90, t.P99, t.Max)
	}
	r.Blocked.print(p)
	for _, who := range []struct {
		name string
		cost *spent
	}{{"server", r.Server}, {"generator", r.Generator}} {
		if c := who.cost; c != nil {
			p("%-9s %.2f CPU seconds = %.2f cores, %.1f µs a request, %.3f CPU seconds per GB, RSS %d MB (before: %d)",
				who.name, c.CPUSeconds, c.Cores, c.MicrosPerRequest, c.SecondsPerGB, c.RSS>>20, c.RSSBefore>>20)
		}
	}
	p("everything else on this machine took %.2f cores; the more, the less the times above say", r.OtherCores)
	for _, what := range slices.Sorted(maps.Keys(r.Errors)) {
		p("error: %s, %d times", what, r.Errors[what])
	}
}

// measurement is the beginning of what is measured.
type measurement struct {
	pid         int
	at          time.Time
	server, own cost.Usage
	machine     time.Duration
}

func begin(pid int) (m measurement, err error) {
	m.pid, m.at = pid, time.Now()
	if m.server, err = cost.Of(pid); err != nil {
		return m, err
	}
	if m.own, err = cost.Of(os.Getpid()); err != nil {
		return m, err
	}
	m.machine, err = cost.Machine()
	return m, err
}

// end writes what was spent since begin.
func (m measurement) end(r *report) error {
	now, err := begin(m.pid)
	if err != nil {
		return err
	}
	r.Seconds = now.at.Sub(m.at).Seconds()
	r.Generator = r.spent(m.own, now.own)
	r.OtherCores = (now.machine-m.machine).Seconds()/r.Seconds - r.Generator.Cores
	if m.pid != 0 {
		r.Server = r.spent(m.server, now.server)
		r.OtherCores -= r.Server.Cores
	}
	return nil
}

func (r *report) spent(before, after cost.Usage) *spent {
	cpu := (after.CPU - before.CPU).Seconds()
	s := &spent{CPUSeconds: cpu, Cores: cpu / r.Seconds, RSS: after.RSS, RSSBefore: before.RSS}
	if n := r.total(); n > 0 {
		s.MicrosPerRequest = cpu * 1e6 / float64(n)
	}
	if r.Bytes > 0 {
		s.SecondsPerGB = cpu * 1e9 / float64(r.Bytes)
	}
	return s
}

// parsePID reads a process id, or the file it is in; empty is 0.
func parsePID(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.Atoi(s); err == nil {
		return n, nil
	}
	b, err := os.ReadFile(s) //nolint:gosec // the person who runs this names the file
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}
