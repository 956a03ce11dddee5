package hlscheck

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Level is how binding a rule is.
type Level string

// Levels of RFC 2119.
const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
)

// Rule is one rule as data.
type Rule struct {
	Name  string
	Ref   string // section of draft-pantos-hls-rfc8216bis, or rule of Apple's authoring specification
	Level Level
	Needs string // what a stream must have or do for the rule to be evaluated
	check func(t *Tally, event any)
}

// Rules returns all rules.
func Rules() []Rule {
	var all []Rule
	for _, group := range [][]Rule{
		playlistRules(), numberRules(), partRules(), edgeRules(), reloadRules(), probeRules(), headerRules(), mediaRules(), variantRules(), transportRules(),
	} {
		all = append(all, group...)
	}
	return all
}

// on makes a check of a function that looks at one kind of event.
func on[E any](f func(t *Tally, e E)) func(*Tally, any) {
	return func(t *Tally, event any) {
		if e, ok := event.(E); ok {
			f(t, e)
		}
	}
}

// examplesKept bounds the violations of one rule that are remembered.
const examplesKept = 3

// Tally is what became of one rule.
type Tally struct {
	Rule       Rule
	Evaluated  int
	Violations int
	Examples   []string // the first few
	since      time.Time
}

// expect counts one evaluation and, unless good, one violation.
func (t *Tally) expect(good bool, format string, args ...any) {
	t.Evaluated++
	if good {
		return
	}
	t.Violations++
	if len(t.Examples) < examplesKept {
		t.Examples = append(t.Examples, fmt.Sprintf("%.1f s: ", time.Since(t.since).Seconds())+fmt.Sprintf(format, args...))
	}
}

// Result is what a watch found.
type Result struct {
	Tallies []Tally
	Ended   bool // the stream wrote EXT-X-ENDLIST
}

// Violated returns the rules of a level that were broken.
func (r *Result) Violated(level Level) (broken []Tally) {
	for _, t := range r.Tallies {
		if t.Violations > 0 && t.Rule.Level == level {
			broken = append(broken, t)
		}
	}
	return broken
}

// Print writes one line for each rule, and the examples below those that were broken.
func (r *Result) Print(w io.Writer) error {
	var b strings.Builder
	for _, t := range r.Tallies {
		verdict := fmt.Sprintf("%6d evaluated", t.Evaluated)
		switch {
		case t.Violations > 0:
			verdict += fmt.Sprintf(", %d VIOLATIONS", t.Violations)
		case t.Evaluated == 0:
			verdict = "   not evaluated: needs " + t.Rule.Needs
		}
		fmt.Fprintf(&b, "%-6s %-28s %-22s %s\n", t.Rule.Level, t.Rule.Name, t.Rule.Ref, verdict)
		for _, e := range t.Examples {
			fmt.Fprintf(&b, "         %s\n", e)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
