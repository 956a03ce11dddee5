//go:build load && linux

package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"barrage/e2e/load/cost"
	"barrage/e2e/load/histogram"
)

// part is what one process reports to the conductor, and the sum of all of them.
type part struct {
	Arrived   int              `json:"arrived"`   // before it began
	Watching  int              `json:"connected"` // at the end
	Sent      int64            `json:"sent"`
	Fates     map[string]int64 `json:"fates"`
	Reasons   map[string]int64 `json:"rejected"`
	Frames    int64            `json:"frames"` // ticks received by all
	Bytes     int64            `json:"bytes"`
	Gaps      int64            `json:"gaps"`
	Missed    int64            `json:"ticks_in_gaps"`
	Holes     int64            `json:"holes"` // ticks missing without a gap
	Resets    int64            `json:"resets"`
	KeptBack  int64            `json:"kept_back"`
	Ends      map[string]int64 `json:"ends"`
	Errors    map[string]int64 `json:"errors"`
	Stalled   int64            `json:"stalled_closed"`
	Writing   time.Duration    `json:"writing_ns"` // from the first comment to the last
	Log       *audit           `json:"log,omitempty"`
	Observers []*observer      `json:"observers"`
	LeftAfter float64          `json:"stalled_left_after_s,omitempty"` // as the others' counts told

	Into     map[string]int       `json:"merged_into,omitempty"`
	Delivery *histogram.Histogram `json:"delivery"`
	Ack      *histogram.Histogram `json:"ack"`
	Back     *histogram.Histogram `json:"back"`
}

func newPart() *part {
	return &part{
		Fates: map[string]int64{}, Reasons: map[string]int64{}, Ends: map[string]int64{}, Errors: map[string]int64{}, Into: map[string]int{},
		Delivery: &histogram.Histogram{}, Ack: &histogram.Histogram{}, Back: &histogram.Histogram{},
	}
}

// report is what this process saw.
func (w *crowd) report() *part {
	t := &w.tally
	p := &part{
		Arrived: w.arrived, Watching: w.here, Sent: int64(len(w.ledger.records)), Fates: map[string]int64{}, Reasons: w.ledger.reasons,
		Frames: t.frames, Bytes: t.bytes, Gaps: t.gaps, Missed: t.missed, Holes: t.holes, Resets: t.resets, KeptBack: t.keptBack,
		Ends: t.ends, Errors: t.errors, Stalled: t.stalledGone, Writing: t.sentTill.Sub(t.sentFrom),
		Into: w.ledger.into, Delivery: &t.delivery, Ack: &t.ack, Back: &t.back,
	}
	for f, n := range w.ledger.counts() {
		if n > 0 {
			p.Fates[fate(f).String()] = n
		}
	}
	for _, c := range w.conns {
		if c.report == nil {
			continue
		}
		p.Observers = append(p.Observers, c.report)
		if left := c.report.left; !left.IsZero() {
			p.LeftAfter = max(p.LeftAfter, left.Sub(w.began).Seconds())
		}
	}
	return p
}

// report is what a run says; times are in milliseconds where nothing else is said.
type report struct {
	part

	settings     settings
	Processes    int               `json:"processes"`
	Seconds      float64           `json:"seconds"`
	DeliveryTime histogram.Summary `json:"delivery_time"`
	AckTime      histogram.Summary `json:"ack_time"`
	BackTime     histogram.Summary `json:"back_time"`
	Accepted     int64             `json:"accepted"`
	Combos       int               `json:"combos"`
	Wrong        []string          `json:"wrong,omitempty"` // what should not be
	Server       *spent            `json:"server,omitempty"`
	Generator    *spent            `json:"generator"`
	Redis        *redisSpent       `json:"redis,omitempty"`
	OtherCores   float64           `json:"other_cores"` // everything else on this machine
}

// spent is what processes cost meanwhile.
type spent struct {
	CPUSeconds float64   `json:"cpu_seconds"`
	Cores      float64   `json:"cores"`
	PerComment float64   `json:"us_per_comment"`
	PerFrame   float64   `json:"us_per_frame"`
	RSS        []int64   `json:"rss_bytes"`
	Each       []float64 `json:"cores_each"`
}

// redisSpent is what Redis cost, without our own reading.
type redisSpent struct {
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"` // our reading included
	Commands   int64   `json:"commands"`
}

// add adds what one more process saw.
func (r *report) add(p *part) {
	if r.Delivery == nil {
		r.part = *newPart()
	}
	r.Arrived += p.Arrived
	r.Watching += p.Watching
	r.Sent += p.Sent
	r.Frames += p.Frames
	r.Bytes += p.Bytes
	r.Gaps += p.Gaps
	r.Missed += p.Missed
	r.Holes += p.Holes
	r.Resets += p.Resets
	r.KeptBack += p.KeptBack
	r.Stalled += p.Stalled
	r.Writing = max(r.Writing, p.Writing)
	r.LeftAfter = max(r.LeftAfter, p.LeftAfter)
	r.Observers = append(r.Observers, p.Observers...)
	sum(r.Fates, p.Fates)
	sum(r.Reasons, p.Reasons)
	sum(r.Ends, p.Ends)
	sum(r.Errors, p.Errors)
	sum(r.Into, p.Into)
	r.Delivery.Merge(p.Delivery)
	r.Ack.Merge(p.Ack)
	r.Back.Merge(p.Back)
	if p.Log != nil {
		if r.Log == nil {
			r.Log = &audit{}
		}
		r.Log.add(p.Log)
	}
}

// micros is what one of n costs when nothing else does.
func micros(seconds float64, n int64) float64 {
	if n == 0 {
		return 0
	}
	return seconds * 1e6 / float64(n)
}

func sum[N int | int64](to, from map[string]N) {
	for k, n := range from {
		to[k] += n
	}
}

func (a *audit) add(b *audit) {
	a.Lines += b.Lines
	a.Lost += b.Lost
	a.Double += b.Double
	a.Author += b.Author
	a.Unacked += b.Unacked
	a.Refused += b.Refused
	a.Missing = append(a.Missing, b.Missing...)
}

// conclude holds what the observers saw against what the acks said.
func (r *report) conclude() {
	for f := shown; f < unknownFate; f++ {
		if f.accepted() {
			r.Accepted += r.Fates[f.String()]
		}
	}
	for _, s := range []*spent{r.Server, r.Generator} {
		if s != nil {
			s.PerComment, s.PerFrame = micros(s.CPUSeconds, r.Sent), micros(s.CPUSeconds, r.Frames)
		}
	}
	r.DeliveryTime, r.AckTime, r.BackTime = r.Delivery.Summary(), r.Ack.Summary(), r.Back.Summary()
	wrong := func(format string, a ...any) { r.Wrong = append(r.Wrong, fmt.Sprintf(format, a...)) }
	if want := r.settings.watch + r.settings.write + r.settings.stall + len(r.Observers); r.Arrived < want {
		wrong("only %d of %d had arrived when it began", r.Arrived, want)
	}
	if n := r.Fates[waiting.String()]; n > 0 {
		wrong("%d comments were never acked", n)
	}
	if r.Holes > 0 {
		wrong("%d times a tick did not follow the one before", r.Holes)
	}
	if l := r.Log; l != nil && l.Lost+l.Double+l.Author+l.Refused > 0 {
		wrong("the log: %d acked comments lost, %d double, %d of another author, %d although rejected", l.Lost, l.Double, l.Author, l.Refused)
	}
	for _, o := range r.Observers {
		r.observed(o, wrong)
	}
	if n := len(r.Wrong); n > 20 {
		r.Wrong = append(r.Wrong[:20], fmt.Sprintf("and %d more", n-20))
	}
}

// observed holds one observer against the acks.
func (r *report) observed(o *observer, wrong func(string, ...any)) {
	r.Combos = max(r.Combos, len(o.Totals))
	for _, w := range o.Wrong {
		wrong("%s: %s", o.Node, w)
	}
	if r.settings.reconnect != "" || o.Gaps > 0 {
		return // it has not seen everything
	}
	if o.comments() != r.Accepted {
		wrong("%s: shown %d + combined %d + rest %d = %d, and accepted are %d", o.Node, o.Shown, o.Deltas, o.Rest, o.comments(), r.Accepted)
	}
	for id, n := range r.Into {
		if total := o.Totals[id]; total < int64(n)+1 {
			wrong("%s: combo %s has a total of %d, and %d were merged into it", o.Node, id, total, n)
		}
	}
}

// clean says that nothing was lost and nothing contradicted.
func (r *report) clean() bool { return len(r.Wrong) == 0 && len(r.Errors) == 0 }

// print writes the report for people.
func (r *report) print(to io.Writer) {
	p := func(format string, a ...any) { _, _ = fmt.Fprintf(to, format+"\n", a...) }
	s := &r.settings
	p("%d watch, %d write, %d never read; %d processes; %d connected at the end; %.1f s", s.watch, s.write, s.stall, r.Processes, r.Watching, r.Seconds)
	if r.Sent > 0 {
		p("%d comments sent in %.2f s, %d to each write: %d accepted %v", r.Sent, r.Writing.Seconds(), s.batch, r.Accepted, r.Fates)
	}
	if len(r.Reasons) > 0 {
		p("rejected: %v", r.Reasons)
	}
	if l := r.Log; l != nil && r.Sent > 0 {
		p("log: %d lines, %d acked lost, %d double, %d of another author, %d although rejected, %d without an ack %v",
			l.Lines, l.Lost, l.Double, l.Author, l.Refused, l.Unacked, l.Missing)
	}
	p("%d ticks received (%.0f/s), %d gaps of %d ticks, %d holes, %d resets; ends %v", r.Frames, float64(r.Frames)/r.Seconds,
		r.Gaps, r.Missed, r.Holes, r.Resets, r.Ends)
	for _, t := range []struct {
		name string
		histogram.Summary
	}{{"tick, from its time to here", r.DeliveryTime}, {"ack, after sending", r.AckTime}, {"back, after the cut", r.BackTime}} {
		if t.Count > 0 {
			p("%-30s p50 %8.1f  p90 %8.1f  p99 %8.1f  max %8.1f ms (%d)", t.name, t.P50, t.P90, t.P99, t.Max, t.Count)
		}
	}
	if s.stall > 0 {
		p("who never reads: %d heard that they were closed; by the others' counts all had gone after %.1f s", r.Stalled, r.LeftAfter)
	}
	for _, o := range r.Observers {
		p("%s: ticks %d to %d, %.0f bytes each (at most %d): shown %d + combined %d in %d combos + rest %d = %d", o.Node, o.First, o.Last,
			float64(o.Bytes)/float64(max(o.Ticks, 1)), o.Biggest, o.Shown, o.Deltas, len(o.Totals), o.Rest, o.comments())
	}
	r.Server.print(p, "server")
	r.Generator.print(p, "generator")
	if d := r.Redis; d != nil {
		p("redis     %.3f CPU seconds with our reading, %.0f commands/s without", d.CPUSeconds, float64(d.Commands)/d.Seconds)
	}
	p("everything else on this machine took %.2f cores; the more, the less the times above say", r.OtherCores)
	for _, what := range slices.Sorted(maps.Keys(r.Errors)) {
		p("error: %s, %d times", what, r.Errors[what])
	}
	for _, what := range r.Wrong {
		p("WRONG: %s", what)
	}
}

func (c *spent) print(p func(string, ...any), name string) {
	if c == nil {
		return
	}
	var total int64
	rss := make([]string, len(c.RSS))
	for i, n := range c.RSS {
		total += n
		rss[i] = fmt.Sprint(n >> 20)
	}
	p("%-9s %.2f CPU seconds = %.3f cores %.2f, %.1f µs a comment, %.1f µs a frame, RSS %d MB (%s)",
		name, c.CPUSeconds, c.Cores, c.Each, c.PerComment, c.PerFrame, total>>20, strings.Join(rss, " + "))
}

// measurement is the beginning of what is measured.
type measurement struct {
	at          time.Time
	pids, crowd []int
	server, own []cost.Usage
	machine     time.Duration
}

func begin(pids []int, members []*member) (m measurement, err error) {
	m.pids, m.crowd = pids, []int{os.Getpid()}
	for _, one := range members {
		if one.pid != 0 {
			m.crowd = append(m.crowd, one.pid)
		}
	}
	err = m.look()
	return m, err
}

func (m *measurement) look() (err error) {
	m.at = time.Now()
	if m.server, err = costs(m.pids); err != nil {
		return err
	}
	if m.own, err = costs(m.crowd); err != nil {
		return err
	}
	m.machine, err = cost.Machine()
	return err
}

func costs(pids []int) (all []cost.Usage, err error) {
	for _, pid := range pids {
		u, err := cost.Of(pid)
		if os.IsNotExist(err) {
			u, err = cost.Usage{}, nil // it was restarted, or has died: its CPU is not counted
		}
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// end writes what was spent since begin.
func (m measurement) end(r *report) error {
	now := m
	if err := now.look(); err != nil {
		return err
	}
	r.Seconds = now.at.Sub(m.at).Seconds()
	r.Generator = difference(m.own, now.own, r.Seconds)
	r.OtherCores = (now.machine-m.machine).Seconds()/r.Seconds - r.Generator.Cores
	if len(m.pids) > 0 {
		r.Server = difference(m.server, now.server, r.Seconds)
		r.OtherCores -= r.Server.Cores
	}
	return nil
}

func difference(before, after []cost.Usage, seconds float64) *spent {
	s := &spent{}
	for i := range after {
		cpu := max(after[i].CPU-before[i].CPU, 0).Seconds()
		s.CPUSeconds += cpu
		s.Each = append(s.Each, cpu/seconds)
		s.RSS = append(s.RSS, after[i].RSS)
	}
	s.Cores = s.CPUSeconds / seconds
	return s
}
