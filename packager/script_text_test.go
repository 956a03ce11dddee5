package packager_test

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// text writes what a script came to, short enough to be reviewed at a glance: equal
// segments in a row are one line, equal parts in a row one word.
func (w *witness) text(sent string) string {
	var b strings.Builder
	for _, line := range w.events {
		b.WriteString(line + "\n")
	}
	for i, e := range w.epochs {
		fmt.Fprintf(&b, "epoch %d: target duration %d, part target %.3f%s\n", i+1, e.lanes[0].now.target, e.lanes[0].now.partTarget, shape(e.index))
		bases := map[int]float64{}
		for _, l := range e.lanes {
			for _, r := range w.rows(e, l) {
				b.WriteString("  " + l.name + " " + r.String() + "\n")
			}
			fmt.Fprintf(&b, "  %s %s\n", l.name, l.served(bases))
		}
	}
	b.WriteString(sent)
	return b.String()
}

// shape is what the multivariant playlist says of the picture.
func shape(index string) string {
	var out strings.Builder
	for _, attr := range []string{"CODECS", "RESOLUTION", "FRAME-RATE"} {
		if m := regexp.MustCompile(attr + `=("[^"]*"|[^,\n]*)`).FindStringSubmatch(index); m != nil {
			out.WriteString(", " + strings.Trim(m[1], `"`))
		}
	}
	return out.String()
}

// row is a run of segments that are alike.
type row struct {
	first, n int
	start    float64
	seconds  span
	parts    []partRun
	notes    []string
}

// partRun is a run of parts that are alike.
type partRun struct {
	n       int
	sync    bool
	seconds span
}

// span is the least and the greatest of some durations.
type span struct{ least, most float64 }

// alike is how far durations in one run may be apart: a unit of audio.
const alike = 0.0241

func (s span) with(d span) span { return span{min(s.least, d.least), max(s.most, d.most)} }
func (s span) takes(d span) bool {
	all := s.with(d)
	return all.most-all.least <= alike
}

func (s span) String() string {
	if s.most-s.least < 0.0005 {
		return fmt.Sprintf("%.3f", s.least)
	}
	return fmt.Sprintf("%.3f~%.3f", s.least, s.most)
}

func (r row) String() string {
	msn, count := fmt.Sprint(r.first), ""
	if r.n > 1 {
		msn, count = fmt.Sprintf("%d-%d", r.first, r.first+r.n-1), fmt.Sprintf("%dx", r.n)
	}
	var line strings.Builder
	fmt.Fprintf(&line, "%-6s at %8.3f %7s =", msn, r.start, count+r.seconds.String())
	for _, p := range r.parts {
		line.WriteString(" ")
		if p.sync {
			line.WriteString("I")
		}
		if p.n > 1 {
			fmt.Fprintf(&line, "%dx", p.n)
		}
		line.WriteString(p.seconds.String())
	}
	if len(r.notes) > 0 {
		line.WriteString("  " + strings.Join(r.notes, ", "))
	}
	return line.String()
}

// rows describes a rendition.
func (w *witness) rows(e *watchedEpoch, l *watchedLane) []row {
	var out []row
	init := ""
	for _, s := range l.segments {
		r := row{first: s.msn, n: 1, start: s.fragments[0].start, seconds: span{s.dur, s.dur}, parts: runs(s.fragments)}
		if s.discontinuity {
			r.notes = append(r.notes, strings.TrimSuffix(strings.Repeat("DISCONTINUITY, ", s.breaks), ", "))
		}
		if s.init != init {
			init = s.init
			r.notes = append(r.notes, strings.TrimSuffix(strings.TrimPrefix(init, l.name+"/"), ".mp4")+" "+e.inits[init])
		}
		if !s.fragments[0].sync {
			r.notes = append(r.notes, "no sync sample at its start")
		}
		if len(out) == 0 || s.discontinuity {
			r.notes = append(r.notes, fmt.Sprintf("date %.3f", s.pdt.Sub(w.start).Seconds()))
		}
		if n := len(out); n == 0 || !out[n-1].join(r) {
			out = append(out, r)
		}
	}
	return out
}

func runs(fragments []fragment) []partRun {
	var out []partRun
	for _, f := range fragments {
		d := span{f.dur, f.dur}
		if n := len(out); n > 0 && out[n-1].sync == f.sync && out[n-1].seconds.takes(d) {
			out[n-1].n, out[n-1].seconds = out[n-1].n+1, out[n-1].seconds.with(d)
			continue
		}
		out = append(out, partRun{1, f.sync, d})
	}
	return out
}

// join adds next to the run if it is alike.
func (r *row) join(next row) bool {
	const forced = "no sync sample at its start"
	same := len(next.notes) == 0
	if slices.Contains(r.notes, forced) {
		same = slices.Equal(next.notes, []string{forced})
	}
	if !same || !r.seconds.takes(next.seconds) || len(r.parts) != len(next.parts) {
		return false
	}
	for i, p := range r.parts {
		q := next.parts[i]
		if p.sync != q.sync || !p.seconds.takes(q.seconds) || p.n != q.n {
			return false
		}
	}
	r.n++
	r.seconds = r.seconds.with(next.seconds)
	for i := range r.parts {
		r.parts[i].seconds = r.parts[i].seconds.with(next.parts[i].seconds)
	}
	return true
}

// apart is how far from where it belongs audio may be that is counted.
const apart = 0.062

// served counts the samples that players get and says how far any of them is shown
// from where it should be, compared with the first picture behind the same
// discontinuity; bases are what that is compared with, by discontinuity.
func (l *watchedLane) served(bases map[int]float64) string {
	n, line, far, off, worst := 0, 0, 0, 0.0, 0.0
	for _, s := range l.segments {
		line += s.breaks
		for _, f := range s.fragments {
			for _, x := range f.samples {
				n++
				if _, known := bases[line]; !known {
					bases[line] = x.shown - x.said
				}
				switch d := math.Abs(x.shown - x.said - bases[line]); {
				case d > apart:
					far, worst = far+1, max(worst, d)
				default:
					off = max(off, d)
				}
			}
		}
	}
	text := fmt.Sprintf("%d samples, shown where they belong to %.0f ms", n, off*1000)
	if far > 0 {
		text += fmt.Sprintf(", but %d of them by up to %.0f ms", far, worst*1000)
	}
	return text
}
