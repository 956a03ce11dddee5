package archive_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"barrage/chat/internal/archive"
	"barrage/chat/internal/wire"
)

// at is ms at which entries of these tests were logged, on 2026-09-21.
const at int64 = 1_790_000_000_000

func open(t *testing.T, dir string) *archive.Archive {
	t.Helper()
	a, err := archive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func openLog(t *testing.T, a *archive.Archive) *archive.Log {
	t.Helper()
	l, err := a.Log("live")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// batch is an entry with one comment for each cid; its author is what stands before the dash.
func batch(pdt int64, cids ...string) []byte {
	var said, names []string
	for _, cid := range cids {
		author, _, _ := strings.Cut(cid, "-")
		said = append(said, string(wire.AppendComment(nil, wire.Comment{
			ID: "id." + cid, PDT: pdt, Author: author, Nick: "小明", Text: "\"quoted\"\n{\"mark\":\"1-1\"}", Mode: "scroll", Color: "#ffffff", Role: "viewer",
		})))
		names = append(names, `"`+cid+`"`)
	}
	return fmt.Appendf(nil, `{"v":1,"node":"n","n":1,"t":%d,"c":[%s],"cid":[%s]}`, at+1, strings.Join(said, ","), strings.Join(names, ","))
}

func line(pdt int64, cid string) string {
	author, _, _ := strings.Cut(cid, "-")
	return fmt.Sprintf(`{"id":"id.%s","cid":"%s","author":"%s","nick":"小明","text":"\"quoted\"\u000a{\"mark\":\"1-1\"}","pdt":%d,"t":%d,"mode":"scroll","color":"#ffffff","role":"viewer"}`,
		cid, cid, author, pdt, at+1)
}

func entryID(n int) string { return fmt.Sprintf("%d-%d", at, n) }

func mark(id string) string { return `{"mark":"` + id + `"}` }

func wantLog(t *testing.T, dir, day string, want ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "log", "live", day+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"); !slices.Equal(got, want) {
		t.Errorf("the log of %s has\n%s\nwant\n%s", day, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func add(t *testing.T, l *archive.Log, id string, entry []byte) archive.Added {
	t.Helper()
	n, err := l.Add(id, entry)
	if err = errors.Join(err, l.Write()); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLog(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	l := openLog(t, a)
	if l.Mark() != "" {
		t.Errorf("a new log has the mark %s", l.Mark())
	}
	if got, want := add(t, l, entryID(0), batch(at+12_345, "u-1", "v-1")), (archive.Added{Comments: 2, Newest: at + 10_000}); got != want {
		t.Errorf("two comments: %+v, want %+v", got, want)
	}
	stat := `{"v":1,"node":"n","t":5,"stat":{"viewers":3}}`
	add(t, l, entryID(1), []byte(stat))
	if got, want := add(t, l, entryID(2), batch(at, "u-1", "u-2", "v-2", "u-2")), (archive.Added{Comments: 2, Doubles: 2, Newest: at}); got != want {
		t.Errorf("two comments and two doubles: %+v, want %+v", got, want)
	}
	add(t, l, entryID(3), []byte("not JSON"))
	_, err := a.Log("live")
	if !errors.Is(err, archive.ErrBusy) {
		t.Errorf("opened twice: %v, want ErrBusy", err)
	}
	rooms, err := a.Unfinished()
	if err != nil || !slices.Equal(rooms, []string{"live"}) {
		t.Errorf("unfinished: %v, %v, want live", rooms, err)
	}
	if err = errors.Join(l.Sync(), l.Finish()); err != nil {
		t.Fatal(err)
	}
	if rooms, err = a.Unfinished(); err != nil || rooms != nil {
		t.Errorf("unfinished: %v, %v, want none", rooms, err)
	}

	l = openLog(t, a)
	if l.Mark() != entryID(3) {
		t.Errorf("opened again at %s, want %s", l.Mark(), entryID(3))
	}
	if got := add(t, l, entryID(4), batch(at, "v-2", "w-1")); got.Doubles != 1 || got.Comments != 1 {
		t.Errorf("a double of another process: %+v", got)
	}
	const nextDay = "1790035200000-0"
	add(t, l, nextDay, batch(at, "x-1"))
	wantLog(t, dir, "2026-09-21",
		line(at+12_345, "u-1"), line(at+12_345, "v-1"), mark(entryID(0)), stat, mark(entryID(1)),
		line(at, "u-2"), line(at, "v-2"), mark(entryID(2)), mark(entryID(3)), line(at, "w-1"), mark(entryID(4)))
	wantLog(t, dir, "2026-09-22", line(at, "x-1"), mark(nextDay))
	if err = l.Close(); err != nil {
		t.Fatal(err)
	}
	if l = openLog(t, a); l.Mark() != nextDay {
		t.Errorf("opened at %s, want %s", l.Mark(), nextDay)
	}
	_ = l.Close()
}

// TestWhatAKilledWriterLeaves cuts a log at every byte of its last two entries.
func TestWhatAKilledWriterLeaves(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	l := openLog(t, a)
	long := make([]string, 700) // longer than what is read at once, backwards
	for i := range long {
		long[i] = fmt.Sprint("a-", i)
	}
	add(t, l, entryID(0), batch(at, "first-1"))
	add(t, l, entryID(1), batch(at, long...))
	_ = l.Close()
	name := filepath.Join(dir, "log", "live", "2026-09-21.ndjson")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	begin := len(line(at, "first-1")) + 1
	marked := begin + len(mark(entryID(0))) + 1
	for cut := 0; cut < len(whole); cut++ {
		if cut > marked+100 && cut < len(whole)-100 {
			cut += 997 // in the long entry not every byte
		}
		cut = min(cut, len(whole)-1)
		if err = os.WriteFile(name, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l = openLog(t, a)
		want, size := "", 0
		if cut >= marked {
			want, size = entryID(0), marked
		}
		info, bad := os.Stat(name)
		if bad != nil || l.Mark() != want || info.Size() != int64(size) {
			t.Fatalf("cut at %d: mark %q, %d bytes, %v, want %q and %d", cut, l.Mark(), info.Size(), bad, want, size)
		}
		_ = l.Close()
	}
	if err = os.WriteFile(name, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if l = openLog(t, a); l.Mark() != entryID(1) {
		t.Errorf("the whole log is at %s", l.Mark())
	}
	_ = l.Close()
}

func TestWriteErrorsLeaveNothingHalf(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	l := openLog(t, a)
	add(t, l, entryID(0), batch(at, "u-1"))
	_ = l.Close()
	if _, err := l.Add(entryID(1), batch(at, "u-2")); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(); err == nil {
		t.Fatal("a write to a closed file succeeded")
	}
	l = openLog(t, a)
	if l.Mark() != entryID(0) {
		t.Errorf("mark %s, want %s", l.Mark(), entryID(0))
	}
	_ = l.Close()
}

func TestSegments(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	body, err := a.Segment("live", at)
	if body != nil || err != nil {
		t.Errorf("a segment that is not there: %s, %v", body, err)
	}
	day := int64(24 * 60 * 60 * 1000)
	for _, s := range []int64{at, at + 10_000, at + day} {
		if err = a.PutSegment("live", s, fmt.Appendf(nil, "%d", s)); err != nil {
			t.Fatal(err)
		}
	}
	if err = a.PutSegment("live", at, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if body, err = a.Segment("live", at); string(body) != "new" || err != nil {
		t.Errorf("segment = %s, %v", body, err)
	}
	for from, want := range map[int64][]int64{0: {at, at + 10_000, at + day}, at + 1: {at + 10_000, at + day}, at + 2*day: nil} {
		if got, err := a.Segments("live", from); err != nil || !slices.Equal(got, want) {
			t.Errorf("segments from %d: %d, %v, want %d", from, got, err, want)
		}
	}
	l := openLog(t, a)
	add(t, l, entryID(0), batch(at, "u-1"))
	_ = l.Finish()
	if n, err := a.Prune(time.UnixMilli(at)); n != 0 || err != nil {
		t.Errorf("pruned %d, %v on the day itself", n, err)
	}
	if n, err := a.Prune(time.UnixMilli(at + day)); n != 2 || err != nil {
		t.Errorf("pruned %d, %v, want the log and the segments of the first day", n, err)
	}
	if got, err := a.Segments("live", 0); err != nil || !slices.Equal(got, []int64{at + day}) {
		t.Errorf("segments left: %d, %v", got, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.new")); left != nil || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func BenchmarkAdd(b *testing.B) {
	a, err := archive.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	l, err := a.Log("live")
	if err != nil {
		b.Fatal(err)
	}
	const each = 5000
	batches := make([][]byte, 20)
	for i := range batches {
		cids := make([]string, each)
		for j := range cids {
			cids[j] = fmt.Sprint("author", j%977, "-", i, ".", j)
		}
		batches[i] = batch(at, cids...)
	}
	b.SetBytes(int64(len(batches[0])))
	n := 0
	for b.Loop() {
		if _, err = l.Add(entryID(n), batches[n%len(batches)]); err == nil {
			err = l.Write()
		}
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*each), "ns/comment")
}
