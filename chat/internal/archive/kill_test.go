package archive_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"barrage/chat/internal/segment"
)

const (
	writerDir = "BARRAGE_TEST_WRITER_DIR"
	kills     = 8
	perEntry  = 50 // comments
)

// TestWriter is the other process of TestKill: it goes on behind the mark and
// writes entries until it is killed, a line for each round that Write has returned from.
func TestWriter(t *testing.T) {
	dir := os.Getenv(writerDir)
	if dir == "" {
		return // of its own it has nothing to do
	}
	a := open(t, dir)
	l := openLog(t, a)
	n := 0
	if m := l.Mark(); m != "" {
		if _, err := fmt.Sscanf(strings.TrimPrefix(m, fmt.Sprint(at, "-")), "%d", &n); err != nil {
			t.Fatal(err)
		}
		n++
	}
	for {
		for range 5 {
			var cids []string
			for i := range perEntry {
				cids = append(cids, fmt.Sprint("u-", n, ".", i))
			}
			if _, err := l.Add(entryID(n), batch(at, cids...)); err != nil {
				t.Fatal(err)
			}
			n++
		}
		if err := l.Write(); err != nil {
			t.Fatal(err)
		}
		if err := a.PutSegment("live", at, fmt.Appendf(nil, `{"t":%d,"c":[],"k":[]}`, at)); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintln(os.Stdout, "written", n)
	}
}

// TestKill kills a writer again and again, at moments of which it knows nothing: in
// the end every comment is there once.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	written := 0
	for round := range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriter$")
		cmd.Env = append(os.Environ(), writerDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err = cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n <= 3*round && lines.Scan(); n++ {
			if _, err = fmt.Sscanf(lines.Text(), "written %d", &written); err != nil {
				t.Fatal(lines.Text())
			}
		}
		_ = cmd.Process.Kill()
		for lines.Scan() { // what it said before it died
			_, _ = fmt.Sscanf(lines.Text(), "written %d", &written)
		}
		_ = cmd.Wait()
	}
	a := open(t, dir)
	l := openLog(t, a)
	_ = l.Close()
	f, err := os.Open(filepath.Join(dir, "log", "live", "2026-09-21.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	seen := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c struct{ CID string }
		if err = json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		if c.CID == "" {
			continue
		}
		if want := fmt.Sprint("u-", seen/perEntry, ".", seen%perEntry); c.CID != want {
			t.Fatalf("comment %s follows, want %s: one is missing or double", c.CID, want)
		}
		seen++
	}
	if seen < written*perEntry {
		t.Errorf("%d comments are there, of %d that were written", seen, written*perEntry)
	}
	body, err := a.Segment("live", at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = segment.Parse(body); err != nil {
		t.Errorf("the segment after %d kills: %v", kills, err)
	}
	t.Logf("%d kills, %d comments written, %d there, each once", kills, written*perEntry, seen)
}
