package chat

import (
	"slices"
	"time"

	"barrage/chat/internal/wire"
)

// maxGrowing is how many combos that are on the screens already grow in one
// tick; those that grow least wait for their next comment to tell their total.
const maxGrowing = 64

// longestWait is the wait for a turn for which the last of the budget is kept.
const longestWait = 2 * time.Minute

// tally is all partials of one tick, merged.
type tally struct {
	keys  map[uint64]wire.Key
	said  [][]byte
	count uint64 // of comments
}

func (t *tally) reset() {
	if t.keys == nil {
		t.keys = make(map[uint64]wire.Key)
	}
	clear(t.keys)
	t.said, t.count = nil, 0
}

// add merges the partial of one node.
func (t *tally) add(p *wire.Partial) {
	t.count += p.Count()
	t.said = append(t.said, p.Said...)
	for _, k := range p.Keys {
		sum, again := t.keys[k.Hash]
		if !again {
			t.keys[k.Hash] = k
			continue
		}
		sum.Count += k.Count
		if sum.Comment == nil || k.Comment != nil && string(wire.CommentID(k.Comment)) < string(wire.CommentID(sum.Comment)) {
			sum.Comment = k.Comment
		}
		t.keys[k.Hash] = sum
	}
	for key := range p.Singles.All() {
		sum := t.keys[key]
		sum.Hash, sum.Count = key, sum.Count+1
		t.keys[key] = sum
	}
}

// fullBudget is two seconds' worth: what comes in one gasp is shown when it was
// quiet before.
func (r *room) fullBudget() float64 { return 2 * float64(r.hub.cfg.MaxShownPerSecond) }

// earn adds to the budget what the time since the last tick allows.
func (l *leadership) earn(now time.Duration, r *room) {
	rate := float64(r.hub.cfg.MaxShownPerSecond)
	l.budget = min(r.fullBudget(), l.budget+rate*(now-l.ticked).Seconds())
}

// price is how long an author must have waited for his next turn. Above half of
// the budget nobody has to; below it, the less is left, the longer: what would go to
// those who happen to speak in a quiet moment is kept for those who spoke in a crowd.
func (l *leadership) price(full float64) time.Duration {
	return time.Duration(float64(longestWait) * max(0, 1-2*l.budget/full))
}

// choose fills the tick with what is shown and spends the budget: the host's and
// the moderators' comments, without limit; then what several say, the loudest first;
// then single comments, turn by turn. Needs mu.
func (r *room) choose(l *leadership, f *wire.Finished) {
	growing, loud, quiet := r.sort(&l.tally)
	chosen := make([]entrant, 0, len(l.tally.said)+min(len(loud)+len(quiet), int(l.budget)))
	for _, c := range l.tally.said {
		chosen = append(chosen, entrant{comment: c})
		l.budget--
	}
	slices.SortFunc(loud, louder)
	slices.SortFunc(quiet, older)
	r.turn(quiet)
	slices.SortFunc(quiet, fairer)
	for _, e := range append(loud, quiet...) {
		if l.budget < 1 {
			break
		}
		if e.total == 1 && e.waited(f.Tick.T) < l.price(r.fullBudget()) {
			break
		}
		l.budget--
		chosen = append(chosen, e)
	}
	l.budget = max(l.budget, 0)

	slices.SortFunc(chosen, older)
	f.Tick.Combos = growing
	rest := l.tally.count
	for _, k := range growing {
		rest -= k.Delta
	}
	for _, e := range chosen {
		f.Tick.Comments, f.Keys = append(f.Tick.Comments, e.comment), append(f.Keys, e.key)
		rest--
		if e.total > 1 {
			f.Tick.Combos = append(f.Tick.Combos, wire.Combo{
				Key: e.key, ID: string(wire.CommentID(e.comment)), Delta: e.count - 1, Total: e.total,
			})
			rest -= e.count - 1
		}
	}
	f.Tick.Rest = int(rest)
}

// waited is how long e's author has not been shown, at now.
func (e *entrant) waited(now int64) time.Duration {
	if e.nth > 0 {
		return 0
	}
	return time.Duration(now-e.turn) * time.Millisecond
}

// sort divides what was said into combos that are on the screens already, new
// ones, and single comments. Needs mu.
func (r *room) sort(t *tally) (growing []wire.Combo, loud, quiet []entrant) {
	for key, k := range t.keys {
		known := r.combos[key]
		e := entrant{key: key, count: k.Count, total: known.total + k.Count, comment: k.Comment}
		switch {
		case known.id != "":
			growing = append(growing, wire.Combo{Key: key, ID: known.id, Delta: k.Count, Total: e.total})
		case k.Comment == nil:
		case e.total > 1:
			loud = append(loud, e)
		default:
			quiet = append(quiet, e)
		}
	}
	slices.SortFunc(growing, func(a, b wire.Combo) int {
		return louder(entrant{key: a.Key, total: a.Delta}, entrant{key: b.Key, total: b.Delta})
	})
	return growing[:min(len(growing), maxGrowing)], loud, quiet
}

// turn finds out whose turn it is; quiet is in the order in which it was said.
// Needs mu.
func (r *room) turn(quiet []entrant) {
	nth := make(map[uint64]int)
	for i := range quiet {
		e := &quiet[i]
		from := r.hub.hash(wire.CommentAuthor(e.comment))
		e.nth, e.turn, e.lot = nth[from], r.turns[from], lot(e.comment)
		nth[from]++
	}
}

// learn takes a confirmed partial into the table of combos. Needs mu.
func (r *room) learn(p *wire.Partial, now time.Duration) {
	for _, k := range p.Keys {
		r.combos.add(k.Hash, k.Count, now)
	}
	for key := range p.Singles.All() {
		r.combos.add(key, 1, now)
	}
}

// see takes a finished tick into the tables. Needs mu.
func (r *room) see(f *wire.Finished, now time.Duration) {
	for i, c := range f.Tick.Comments {
		if key := f.Keys[i]; key != 0 {
			r.combos.show(key, string(wire.CommentID(c)), 1, now)
		}
		r.turns[r.hub.hash(wire.CommentAuthor(c))] = f.Tick.T
	}
	for _, k := range f.Tick.Combos {
		r.combos.show(k.Key, k.ID, k.Total, now)
	}
	if len(r.combos) > maxCombos || now-r.swept >= comboSlack {
		r.swept = now
		window := time.Duration(defaultWindow) * time.Millisecond
		if v := r.video.Load(); v.state.PDT > 0 {
			window = time.Duration(v.state.Window) * time.Millisecond
		}
		// A comment's moment is at most the window ago, and a second ahead.
		r.combos.sweep(now, window+time.Duration(comboBucket)*time.Millisecond+comboSlack, maxCombos)
		r.turns.sweep(f.Tick.T, maxTurns)
	}
}
