package timeline

import "math"

// Rate is a frame rate: Num frames in Den seconds. The zero value means unknown.
type Rate struct{ Num, Den int64 }

// Known says whether r is a rate at all.
func (r Rate) Known() bool { return r.Num > 0 && r.Den > 0 }

// Float returns frames per second, 0 when unknown.
func (r Rate) Float() float64 {
	if !r.Known() {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// at returns when frame n starts, in ticks of scale.
func (r Rate) at(n, scale int64) int64 { return n * r.Den * scale / r.Num }

func standardRates() []Rate {
	return []Rate{
		{30, 1},
		{60, 1},
		{25, 1},
		{24, 1},
		{50, 1},
		{30000, 1001},
		{60000, 1001},
		{24000, 1001},
		{15, 1},
		{20, 1},
		{10, 1},
		{12, 1},
		{48, 1},
		{120, 1},
		{90, 1},
		{144, 1},
		{5, 1},
		{8, 1},
		{1, 1},
	}
}

// Promise turns a rate that the bitstream or the encoder states into a Rate:
// the standard rate it means, else thousandths.
func Promise(fps float64) Rate {
	if fps < 0.5 || fps > 300 || math.IsNaN(fps) {
		return Rate{}
	}
	for _, r := range standardRates() {
		if math.Abs(r.Float()-fps) < fps*2e-4 {
			return r
		}
	}
	return Rate{Num: int64(math.Round(fps * 1000)), Den: 1000}
}

// Detection needs a few frames to mean anything.
const minDetect = 6

// Detect finds the grid that explains times (ascending, ticks of scale, each
// rounded or truncated to a tick), some frames of which may be missing. The
// promised rate wins when it fits; otherwise the tightest standard rate, then
// the nearest whole rate. ok is false for a variable frame rate.
func Detect(times []int64, scale int64, promised Rate) (Rate, bool) {
	if len(times) < minDetect {
		return promised, promised.Known()
	}
	span := float64(times[len(times)-1] - times[0])
	if span <= 0 {
		return Rate{}, false
	}
	mean := float64(len(times)-1) * float64(scale) / span
	if promised.Known() && fits(times, scale, promised) < math.Inf(1) {
		return promised, true
	}
	best, tightest := Rate{}, math.Inf(1)
	for _, r := range append(standardRates(), Rate{Num: int64(math.Round(mean)), Den: 1}) {
		if spread := fits(times, scale, r); spread < tightest-1e-9 {
			best, tightest = r, spread
		}
	}
	return best, best.Known()
}

// fits returns how far the times spread around the grid of r, in ticks, or +Inf
// when they do not lie on it: two on one slot, more than a third of the slots
// empty (then r is a multiple of the true rate), or spread beyond rounding.
func fits(times []int64, scale int64, r Rate) float64 {
	if !r.Known() {
		return math.Inf(1)
	}
	frame := float64(scale) * float64(r.Den) / float64(r.Num)
	lo, hi, prev := 0.0, 0.0, 0.0
	for _, x := range times[1:] {
		d := float64(x - times[0])
		n := math.Round(d / frame)
		if n <= prev {
			return math.Inf(1)
		}
		prev = n
		lo, hi = min(lo, d-n*frame), max(hi, d-n*frame)
	}
	if spread := hi - lo; prev <= 1.5*float64(len(times)-1) && spread <= min(1.5, frame/3) {
		return spread
	}
	return math.Inf(1)
}

// Tuning of the grid.
const (
	missCost   = 8  // what a time off the grid costs
	missBudget = 64 // a grid that costs more is given up: the rate varies
	relearn    = 64 // frames looked at before a grid is taken up again
)

// grid snaps the rounded times of frames to where the frames are. A grid
// without a rate passes times through and learns.
type grid struct {
	rate     Rate
	promised Rate
	in, out  int64 // ticks per second of the rounding and of the times
	base, n  int64 // frame n of the grid starts at base + rate.at(n)
	started  bool
	cost     int
	seen     []int64 // times in rounding ticks since the grid was lost
	mean     int64   // running mean of the distances, in ticks, for a rate that varies
	last     int64
}

// snap returns the time of the frame that was said to start at x (ticks of out).
func (g *grid) snap(x int64) int64 {
	if !g.started {
		g.restart(x)
		return x
	}
	g.learn(x)
	if !g.rate.Known() {
		return x
	}
	here := g.base + g.rate.at(g.n, g.out)
	frame := float64(g.out) / g.rate.Float()
	k := max(1, int64(math.Round(float64(x-here)/frame)))
	t := g.base + g.rate.at(g.n+k, g.out)
	if miss := max(x-t, t-x); miss > min(2*g.out/g.in, int64(frame/3)) {
		g.cost += missCost
		if g.cost > missBudget {
			g.rate, g.cost, g.seen = Rate{}, 0, g.seen[:0]
		}
		g.base, g.n = x, 0
		return x
	}
	g.n += k
	g.cost = max(0, g.cost-1)
	return t
}

// learn keeps the mean distance, and tries for a rate while there is none.
func (g *grid) learn(x int64) {
	if d := x - g.last; d > 0 && d < g.out {
		if g.mean == 0 {
			g.mean = d
		}
		g.mean += (d - g.mean) / 16
	}
	g.last = x
	if g.rate.Known() {
		return
	}
	g.seen = append(g.seen, x*g.in/g.out)
	if len(g.seen) < relearn {
		return
	}
	if r, ok := Detect(g.seen, g.in, g.promised); ok {
		g.rate, g.base, g.n = r, x, 0
	}
	g.seen = g.seen[:0]
}

func (g *grid) restart(x int64) {
	g.started, g.base, g.n, g.last = true, x, 0, x
}

// frame returns how long the frame last snapped lasts, in ticks, as far as one
// can know without the next: that is what lets a part leave with its last frame.
func (g *grid) frame() int64 {
	switch {
	case g.rate.Known():
		return g.rate.at(g.n+1, g.out) - g.rate.at(g.n, g.out)
	case g.mean > 0:
		return g.mean
	}
	return g.out / 30
}

// offset snaps a composition offset to whole frames of the grid.
func (g *grid) offset(cts int64) int64 {
	if !g.rate.Known() {
		return cts
	}
	frame := float64(g.out) / g.rate.Float()
	k := math.Round(float64(cts) / frame)
	if math.Abs(float64(cts)-k*frame) > float64(2*g.out/g.in) {
		return cts
	}
	return g.rate.at(g.n+int64(k), g.out) - g.rate.at(g.n, g.out)
}
