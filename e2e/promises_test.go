//go:build e2e || clients || players || reliability

package e2e_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// fault is one row of FAULTS.md.
type fault struct{ who, where, sentence string }

// faults reads the table: what it promises is what the tests below ask for.
func faults(t *testing.T) map[string]fault {
	t.Helper()
	text, err := os.ReadFile("FAULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]fault{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || !strings.Contains(cells[3], "`") {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		rows[cells[0]] = fault{who: cells[1], where: cells[2], sentence: cells[3]}
	}
	return rows
}

// says returns nil when text holds the sentence promised for the fault.
func says(t *testing.T, name, text string) error {
	t.Helper()
	f, ok := faults(t)[name]
	if !ok {
		t.Fatalf("FAULTS.md has no row %q", name)
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(f.sentence), "…", "…?.*")
	if !regexp.MustCompile(pattern).MatchString(text) {
		return fmt.Errorf("want %q in:\n%s", f.sentence, tail(text, 20))
	}
	return nil
}
