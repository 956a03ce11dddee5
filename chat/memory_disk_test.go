package chat_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"barrage/chat"
	"barrage/chat/brokertest"
)

func TestDurableMemoryContract(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) func() brokertest.Node {
		t.Helper()
		m := openDurable(t, t.TempDir(), chat.MemoryOptions{})
		return func() brokertest.Node { return m }
	})
}

// openDurable opens a memory broker that keeps what it has in dir.
func openDurable(tb testing.TB, dir string, opts chat.MemoryOptions) *chat.Memory {
	tb.Helper()
	var err error
	if opts.Dir, err = os.OpenRoot(dir); err != nil {
		tb.Fatal(err)
	}
	m, err := chat.OpenMemory(opts)
	if err != nil {
		tb.Fatalf("OpenMemory: %v", err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(m.Close(), opts.Dir.Close()); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return m
}

func leadRoom(tb testing.TB, m *chat.Memory) chat.Lease {
	tb.Helper()
	l, err := m.Lead(tb.Context(), "live", "a", time.Minute)
	if err != nil {
		tb.Fatalf("Lead: %v", err)
	}
	return l
}

func tickRoom(tb testing.TB, m *chat.Memory, seqs ...uint64) {
	tb.Helper()
	for _, seq := range seqs {
		if err := m.Advance(tb.Context(), "live", "a", seq, fmt.Append(nil, "tick ", seq)); err != nil {
			tb.Fatalf("Advance(%d): %v", seq, err)
		}
	}
}

// contents is the room as a broker has it, in words.
func contents(tb testing.TB, m *chat.Memory) string {
	tb.Helper()
	entries, err := m.Read(tb.Context(), "live", "", 1000)
	if err != nil {
		tb.Fatalf("Read: %v", err)
	}
	ticks, err := m.Ticks(tb.Context(), "live", 0, 1000)
	if err != nil {
		tb.Fatalf("Ticks: %v", err)
	}
	rules, err := m.Rules(tb.Context(), "live")
	if err != nil {
		tb.Fatalf("Rules: %v", err)
	}
	var s strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&s, "%s %s\n", e.ID, e.Batch)
	}
	fmt.Fprintf(&s, "%s\n%s %d\n", bytes.Join(ticks, []byte("\n")), rules.Body, rules.Version)
	return s.String()
}

func TestMemoryGoesOn(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), time.UnixMilli(5000)
	opts := chat.MemoryOptions{Now: func() time.Time { return clock }}
	var epoch, want string
	var last chat.EntryID
	for start := range uint64(4) {
		m := openDurable(t, dir, opts)
		l := leadRoom(t, m)
		if start > 0 {
			if got := contents(t, m); got != want || l.Epoch != epoch || l.Seq != 3*start || l.RulesVersion != start {
				t.Fatalf("start %d: %+v, want epoch %s:\n%s\nwant\n%s", start, l, epoch, got, want)
			}
		}
		epoch = l.Epoch
		tickRoom(t, m, 3*start+1, 3*start+2, 3*start+3)
		for i := range 5 {
			memoryAppend(t, m, fmt.Sprint("batch ", start, i))
		}
		entries := memoryTail(t, m)
		for _, e := range entries[len(entries)-5:] {
			id, err := chat.ParseEntryID(e.ID)
			if err != nil || id.Compare(last) <= 0 {
				t.Errorf("id %s after %v", e.ID, last)
			}
			last = id
		}
		if err := m.Trim(t.Context(), "live", entries[1].ID); err != nil {
			t.Fatal(err)
		}
		if err := m.SetRules(t.Context(), "live", chat.Rules{Version: start, Body: fmt.Append(nil, "rules ", start)}); err != nil {
			t.Fatal(err)
		}
		want = contents(t, m)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(-time.Second) // whatever the clock does
	}
}

// TestMemoryKilled: kill -9 in the middle of many appends loses nothing that was
// acknowledged, and no number.
func TestMemoryKilled(t *testing.T) {
	if dir := os.Getenv("BARRAGE_TEST_APPEND"); dir != "" {
		appendForEver(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	epoch := ""
	var acked []string
	seq := uint64(0)
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMemoryKilled$") //nolint:noctx // it is killed below
		cmd.Env = append(os.Environ(), "BARRAGE_TEST_APPEND="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			what, value, _ := strings.Cut(lines.Text(), " ")
			switch what {
			case "epoch":
				if epoch != "" && epoch != value {
					t.Errorf("round %d: epoch %s, want %s", round, value, epoch)
				}
				epoch = value
			case "tick":
				if _, err := fmt.Sscan(value, &seq); err != nil {
					t.Fatal(err)
				}
			case "batch":
				acked = append(acked, value)
			}
			if n == 3000 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed
	}
	m := openDurable(t, dir, chat.MemoryOptions{})
	entries, err := m.Read(t.Context(), "live", "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, e := range entries {
		there[e.ID+" "+string(e.Batch)] = true
	}
	for _, a := range acked {
		if !there[a] {
			t.Errorf("lost: %s", a)
		}
	}
	if l := leadRoom(t, m); l.Epoch != epoch || l.Seq < seq || len(acked) < 3000 {
		t.Errorf("lease = %+v, want epoch %s and at least seq %d; %d acked", l, epoch, seq, len(acked))
	}
	t.Logf("%d acknowledged in three lives, %d found, tick %d", len(acked), len(entries), seq)
}

// appendForEver says on stdout what was acknowledged.
func appendForEver(t *testing.T, dir string) {
	t.Helper()
	m := openDurable(t, dir, chat.MemoryOptions{})
	l := leadRoom(t, m)
	_, _ = fmt.Fprintf(os.Stdout, "epoch %s\n", l.Epoch)
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				batch := fmt.Sprintf("%d-%d-%d-%s", os.Getpid(), w, i, strings.Repeat("x", i%2000))
				id, err := m.Append(t.Context(), "live", []byte(batch), nil)
				if err != nil {
					return
				}
				_, _ = fmt.Fprintf(os.Stdout, "batch %s %s\n", id, batch)
			}
		})
	}
	for seq := l.Seq + 1; ; seq++ {
		if err := m.Advance(t.Context(), "live", "a", seq, []byte("frame")); err != nil {
			break
		}
		_, _ = fmt.Fprintf(os.Stdout, "tick %d\n", seq)
		if seq%500 == 0 {
			leadRoom(t, m)
		}
	}
	all.Wait()
}

// TestMemoryDamaged: what cannot be trusted begins a new numbering, and is said.
func TestMemoryDamaged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(data []byte) []byte
		fresh  bool // a new epoch
		kept   int  // batches
		said   string
	}{
		"nothing":             {func(d []byte) []byte { return d }, false, 20, ""},
		"an unfinished end":   {func(d []byte) []byte { return append(d, "\x20\x00\x00\x00half a rec"...) }, false, 20, ""},
		"another boot":        {func(d []byte) []byte { return otherBoot(cutClosed(d)) }, true, 20, "machine stopped without warning"},
		"another, but closed": {otherBoot, false, 20, ""},
		"killed":              {cutClosed, false, 20, ""},
		"a flipped bit":       {func(d []byte) []byte { d[bytes.Index(d, []byte("batch 7"))] ^= 4; return d }, true, 19, "damaged on disk"},
		"a lost header":       {func(d []byte) []byte { d[0] = 'x'; return d }, true, 20, "damaged on disk"},
		"zeroes":              {func(d []byte) []byte { return make([]byte, len(d)) }, true, 0, "machine stopped without warning"},
		"no file":             {func([]byte) []byte { return nil }, true, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			m := openDurable(t, dir, chat.MemoryOptions{})
			old := leadRoom(t, m)
			for i := range uint64(20) {
				memoryAppend(t, m, fmt.Sprint("batch ", i))
				tickRoom(t, m, i+1)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			damage(t, filepath.Join(dir, "00000001.log"), c.change)
			for start := range 2 { // a second start finds it as the first left it
				var log bytes.Buffer
				m = openDurable(t, dir, chat.MemoryOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				entries := memoryTail(t, m)
				l := leadRoom(t, m)
				if fresh := l.Epoch != old.Epoch; len(entries) != c.kept || fresh != (c.fresh && start == 0) || !fresh && l.Seq != old.Seq+20*uint64(1-start) && start == 0 {
					t.Errorf("start %d: %d batches and %+v after %+v", start, len(entries), l, old)
				}
				if said := log.String(); start == 0 && ((c.said == "") == strings.Contains(said, "hint=") || !strings.Contains(said, c.said)) {
					t.Errorf("said %q, want %q", said, c.said)
				}
				old = l
				memoryAppend(t, m, "more")
				c.kept++
				if err := m.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func damage(t *testing.T, file string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if data = change(data); data == nil {
		err = os.Remove(file)
	} else {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// otherBoot makes the file one of before the machine was started.
func otherBoot(data []byte) []byte {
	data[8] ^= 1
	return data
}

// cutClosed takes away the record that Close writes.
func cutClosed(data []byte) []byte { return data[:len(data)-17] }

// TestMemoryGivesUpWaiting: who does not wait for the disk hears that it may be there.
func TestMemoryGivesUpWaiting(t *testing.T) {
	t.Parallel()
	m := openDurable(t, t.TempDir(), chat.MemoryOptions{})
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := m.Append(ctx, "live", []byte("x"), nil); err != nil && !errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("Append = %v", err)
		}
		cancel()
	}
	memoryAppend(t, m, "last")
	entries := memoryTail(t, m)
	if !slices.IsSortedFunc(entries, func(a, b chat.Entry) int {
		x, _ := chat.ParseEntryID(a.ID)
		y, _ := chat.ParseEntryID(b.ID)
		return x.Compare(y)
	}) {
		t.Error("entries are not in the order of their ids")
	}
}

// BenchmarkDurableMemory measures an Append to its acknowledgement, with a batch of
// 100 comments, by as many rooms at once.
func BenchmarkDurableMemory(b *testing.B) {
	batch := make([]byte, 10_000)
	for _, rooms := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("rooms-%d", rooms), func(b *testing.B) {
			m := openDurable(b, b.TempDir(), chat.MemoryOptions{})
			b.ReportAllocs()
			b.SetBytes(int64(len(batch)))
			var left atomic.Int64
			left.Store(int64(b.N))
			var all sync.WaitGroup
			for room := range rooms {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if _, err := m.Append(b.Context(), fmt.Sprint("room-", room), batch, batch); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// TestRoomGoesOnAfterRestart: who was there before the server restarted resumes in
// the same numbering, sees what he missed, and the room's counts go on.
func TestRoomGoesOnAfterRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openDurable(t, dir, chat.MemoryOptions{})
	n := start(t, setup{broker: first})
	early, stays := n.join(t, "live", nil), n.join(t, "live", nil)
	early.say("1", "one")
	early.shown("one")
	seq := early.await("tick", func(m message) bool { return len(m.C) == 1 }).Seq
	early.leave()
	for i := range 5 {
		stays.say(cid(i), cid(i))
		stays.ack(cid(i))
	}
	n.stop()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	n = start(t, setup{broker: openDurable(t, dir, chat.MemoryOptions{})})
	back := n.join(t, "live", map[string]any{"resume": map[string]any{"epoch": early.welcome.Epoch, "seq": seq}})
	for i := range 5 {
		back.shown(cid(i))
	}
	if w := back.welcome; !w.Resumed || w.Epoch != early.welcome.Epoch || w.Counters.Comments != 6 {
		t.Errorf("welcome after the restart = %+v, want resumed in %s and 6 comments", w, early.welcome.Epoch)
	}
	back.say("next", "next")
	back.shown("next")
	back.welcome.Seq = seq
	inOrder(t, back)
	fresh := n.join(t, "live", nil)
	if h := fresh.welcome.History; len(h) != 7 || h[0][4] != "one" || h[6][4] != "next" {
		t.Errorf("history of %d: %v", len(h), h)
	}
}
