package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"barrage/chat/internal/journal"
)

// reader opens a journal in dir and returns what was in it.
func reader(tb testing.TB, dir string, opts journal.Options) (*journal.Journal, journal.Found, []string) {
	tb.Helper()
	var records []string
	root, err := os.OpenRoot(dir)
	if err != nil {
		tb.Fatal(err)
	}
	opts.Root = root
	opts.Replay = func(_ journal.Position, payload []byte) { records = append(records, string(payload)) }
	j, found, err := journal.Open(opts)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(j.Close(), root.Close()); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return j, found, records
}

// put appends a record and waits for it.
func put(tb testing.TB, j *journal.Journal, payload string, keep bool) journal.Position {
	tb.Helper()
	type outcome struct {
		p   journal.Position
		err error
	}
	done := make(chan outcome, 1)
	err := j.Append(journal.Record{Payload: []byte(payload), Keep: keep, Done: func(p journal.Position, err error) { done <- outcome{p, err} }})
	if err != nil {
		tb.Fatalf("Append: %v", err)
	}
	o := <-done
	if o.err != nil {
		tb.Fatalf("Done: %v", o.err)
	}
	return o.p
}

func TestOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	for start := range 3 {
		j, found, got := reader(t, dir, journal.Options{SegmentBytes: 2000})
		if !slices.Equal(got, want) || found.Lost || found.Cut != 0 || found.Records != len(want) {
			t.Fatalf("start %d: %d records, %+v, want the %d that were appended", start, len(got), found, len(want))
		}
		var mu sync.Mutex
		var writers sync.WaitGroup
		places := make(map[string]journal.Position)
		for w := range 4 {
			writers.Go(func() {
				for i := range 100 {
					payload := fmt.Sprintf("%d-%d-%d-%s", start, w, i, strings.Repeat("x", i))
					done := make(chan struct{})
					err := j.Append(journal.Record{Payload: []byte(payload), Done: func(p journal.Position, err error) {
						mu.Lock()
						defer mu.Unlock()
						want, places[payload] = append(want, payload), p
						if err != nil {
							t.Errorf("Done: %v", err)
						}
						close(done)
					}})
					if err != nil {
						t.Errorf("Append: %v", err)
						return
					}
					<-done
				}
			})
		}
		writers.Wait()
		for payload, p := range places {
			if got, err := j.Load(p); err != nil || string(got) != payload {
				t.Errorf("Load(%v) = %.20q, %v, want %.20q", p, got, err, payload)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if err := j.Append(journal.Record{Payload: []byte("x")}); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Append after Close = %v", err)
		}
	}
}

// TestCutAnywhere: whatever is left of the last file, what stands before the cut is
// read, and nothing else.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	first := t.TempDir()
	j, _, _ := reader(t, first, journal.Options{})
	var ends []int
	for i := range 5 {
		p := put(t, j, fmt.Sprint("record ", i), false)
		ends = append(ends, int(p.Offset)+16+int(p.Length))
	}
	data, err := os.ReadFile(filepath.Join(first, "00000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(data) + 1 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "00000001.log"), data[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		want := 0
		for want < len(ends) && ends[want] <= size {
			want++
		}
		j, found, got := reader(t, dir, journal.Options{})
		if len(got) != want || found.Damaged != "" {
			t.Errorf("cut at %d: %q, %+v, want %d records", size, got, found, want)
		}
		put(t, j, "after", false)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if _, found, got = reader(t, dir, journal.Options{}); len(got) != want+1 || got[want] != "after" || found.Cut != 0 {
			t.Errorf("cut at %d, next start: %q, %+v", size, got, found)
		}
	}
}

// TestFlippedBits: a flipped bit costs the record it is in, and is said unless it is
// in the last.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	first := t.TempDir()
	j, _, _ := reader(t, first, journal.Options{})
	for i := range 4 {
		put(t, j, fmt.Sprint("record ", i), false)
	}
	data, err := os.ReadFile(filepath.Join(first, "00000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.Index(data, []byte("record 3")) - 16
	for at := range data {
		dir, changed := t.TempDir(), bytes.Clone(data)
		changed[at] ^= 1
		if err := os.WriteFile(filepath.Join(dir, "00000001.log"), changed, 0o600); err != nil {
			t.Fatal(err)
		}
		_, found, got := reader(t, dir, journal.Options{})
		inName := at >= 8 && at < 48 // of the boot, which ends in zeroes
		if want := map[bool]int{true: 4, false: 3}[at < 48]; len(got) != want {
			t.Errorf("bit in byte %d: %q, want %d records", at, got, want)
		}
		if (found.Damaged != "") != (at < last && !inName) || !found.Lost && at < last {
			t.Errorf("bit in byte %d: %+v", at, found)
		}
	}
}

func files(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestRemoval: a file goes when nobody has needed anything in it for a while, or when
// there is too much.
func TestRemoval(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bytes   int64
		release int // records that are released, of the first file's four
		wait    time.Duration
		files   int
	}{
		"needed":            {1 << 20, 3, time.Hour, 3},
		"needed no more":    {1 << 20, 4, 11 * time.Minute, 2},
		"a moment ago":      {1 << 20, 4, time.Minute, 3},
		"above the bound":   {9000, 0, 2 * time.Second, 2},
		"far above":         {100, 0, 2 * time.Second, 1},
		"exactly the bound": {1 << 20, 0, 2 * time.Second, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				var removed []uint32
				var mu sync.Mutex
				heads := 0
				j, _, _ := reader(t, dir, journal.Options{
					SegmentBytes: 4000, Bytes: c.bytes,
					Head: func() [][]byte { heads++; return [][]byte{fmt.Append(nil, "head ", heads)} },
					Removed: func(segment uint32) {
						mu.Lock()
						defer mu.Unlock()
						removed = append(removed, segment)
					},
				})
				var all []journal.Position
				for range 12 {
					all = append(all, put(t, j, strings.Repeat("x", 1000), true))
				}
				for _, p := range all[:c.release] {
					j.Release(p)
				}
				<-time.After(c.wait)
				synctest.Wait()
				if got := files(t, dir); len(got) != c.files {
					t.Errorf("files %v, want %d", got, c.files)
				}
				mu.Lock()
				defer mu.Unlock()
				if len(removed) != 3-c.files {
					t.Errorf("told of %v", removed)
				}
				_, err := j.Load(all[0])
				if gone := errors.Is(err, journal.ErrGone); gone != (c.files < 3) {
					t.Errorf("Load of the first record = %v", err)
				}
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				_, _, got := reader(t, dir, journal.Options{})
				if want := fmt.Sprint("head ", 4-c.files); got[0] != want {
					t.Errorf("begins with %.20q, want %q", got[0], want)
				}
			})
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	j, _, _ := reader(t, t.TempDir(), journal.Options{})
	for _, size := range []int{0, 16<<20 + 1} {
		if err := j.Append(journal.Record{Payload: make([]byte, size)}); !errors.Is(err, journal.ErrTooLong) {
			t.Errorf("Append of %d bytes = %v", size, err)
		}
	}
	if _, err := j.Load(journal.Position{Segment: 9, Offset: 1, Length: 1}); !errors.Is(err, journal.ErrGone) {
		t.Errorf("Load from a file that is not = %v", err)
	}
	p := put(t, j, "record", true)
	p.Offset++
	if _, err := j.Load(p); err == nil {
		t.Error("Load of a wrong place works")
	}
}

// FuzzOpen: no file is too strange to be opened.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	j, _, _ := reader(f, dir, journal.Options{})
	put(f, j, "one", false)
	put(f, j, "two", false)
	data, err := os.ReadFile(filepath.Join(dir, "00000001.log"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "00000001.log"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		j, _, before := reader(t, dir, journal.Options{})
		put(t, j, "after", false)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, got := reader(t, dir, journal.Options{}); !slices.Equal(got, append(before, "after")) {
			t.Errorf("next start: %q, want %q and one more", got, before)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 100} {
		for _, size := range []int{300, 10_000} {
			b.Run(fmt.Sprintf("writers-%d/bytes-%d", writers, size), func(b *testing.B) {
				j, _, _ := reader(b, b.TempDir(), journal.Options{})
				b.SetBytes(int64(size))
				b.SetParallelism(max(writers/2, 1))
				b.RunParallel(func(pb *testing.PB) {
					done := make(chan struct{}, 1)
					for pb.Next() {
						payload := make([]byte, size)
						payload[0] = 'b'
						if err := j.Append(journal.Record{Payload: payload, Done: func(journal.Position, error) { done <- struct{}{} }}); err != nil {
							b.Error(err)
							return
						}
						<-done
					}
				})
			})
		}
	}
}
