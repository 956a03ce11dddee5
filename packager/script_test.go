package packager_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"barrage/packager"
	"barrage/packager/media"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package")

// A script is a txtar file: words on what it shows, what a publisher does, and what
// came of it. The diff of the latter is the review. Every script ends with the clean
// goodbye of a publisher and its grace, so that everything ends in complete segments.
const (
	publishMark   = "-- publish --\n"
	decisionsMark = "-- decisions --\n"
)

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, script, ok := strings.Cut(string(text), publishMark)
			if !ok {
				t.Fatalf("%s: no line %q", file, publishMark)
			}
			script, want, _ := strings.Cut(script, decisionsMark)
			got := perform(t, strings.Split(script, "\n"))
			if *update {
				if err = os.WriteFile(file, []byte(head+publishMark+script+decisionsMark+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// perform runs a script against a registry and returns what came of it. What no
// script may break is a failure of t.
func perform(t *testing.T, script []string) (text string) {
	t.Helper()
	var stepped atomic.Int64
	began := sync.OnceValue(time.Now) // inside of the bubble
	now := func() time.Time { return machine(began(), time.Duration(stepped.Load())) }
	serve(t, packager.DefaultConfig(), now, func(r *room) {
		w := newWitness(r)
		a := newActor(r, w.look, &stepped)
		for _, line := range append(slices.Insert(script, 0, "attach"), "") {
			line, _, _ = strings.Cut(line, "#")
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			if err := a.do(line); err != nil {
				t.Fatal(err)
			}
		}
		if a.attached {
			if err := errors.Join(a.do("detach clean"), a.do("wait 11s")); err != nil {
				t.Fatal(err)
			}
		}
		w.holes = slices.ContainsFunc(script, func(line string) bool { return strings.HasPrefix(line, "stop ") })
		w.verdict()
		for _, f := range w.faults {
			t.Error(f)
		}
		text = w.text(fmt.Sprintf("sent %d pictures, %d units%s\n", a.sent[media.Video], a.sent[media.Audio], w.counters()))
	})
	return text
}

// counters lists the metrics that rose and that an operator would look at.
func (w *witness) counters() string {
	var out strings.Builder
	all, err := w.prom.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range all {
		name := strings.TrimPrefix(f.GetName(), "barrage_packager_")
		if !slices.Contains([]string{"discontinuities_total", "dropped_samples_total", "forced_cuts_total", "shed_segments_total", "render_errors_total"}, name) {
			continue
		}
		for _, m := range f.GetMetric() {
			if n := m.GetCounter().GetValue(); n > 0 {
				out.WriteString("\n" + name)
				for _, l := range m.GetLabel() {
					out.WriteString(" " + l.GetValue())
				}
				fmt.Fprintf(&out, " %v", n)
			}
		}
	}
	return out.String()
}
