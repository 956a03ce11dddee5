package brokertest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"barrage/chat"
)

func appendLogsThenPublishes(t contract) {
	a, b := t.join(), t.join()
	r := t.subscribe(b, "live")
	logged := make(chan []string, 1)
	t.subscribeHandler(b, "live", funcHandler(func([]byte) {
		entries, err := b.Tail(t.Context(), "live", 10)
		if err != nil {
			t.Errorf("Tail: %v", err)
		}
		var batches []string
		for _, e := range entries {
			batches = append(batches, string(e.Batch))
		}
		logged <- batches
	}))
	t.appendBatch(a, "live", "batch", "frame")
	if got := t.tail(a, 10); !slices.Equal(got, []string{"batch"}) {
		t.Errorf("Tail when Append had returned = %q, want the batch", got)
	}
	r.waitFrames(t, "frame")
	if got := <-logged; !slices.Equal(got, []string{"batch"}) {
		t.Errorf("Tail when the frame arrived = %q, want the batch", got)
	}
}

func appendEmpty(t contract) {
	a := t.join()
	r := t.subscribe(a, "live")
	t.appendBatch(a, "live", "", "frame alone")
	t.appendBatch(a, "live", "batch alone", "")
	t.appendBatch(a, "live", "", "")
	t.appendBatch(a, "live", "both", "last")
	r.waitFrames(t, "frame alone", "last")
	if got, want := t.tail(a, 10), []string{"batch alone", "both"}; !slices.Equal(got, want) {
		t.Errorf("Tail = %q, want %q", got, want)
	}
}

func appendBatchReused(t contract) {
	a := t.join()
	batch := []byte("first")
	for range 2 {
		if err := a.Append(t.Context(), "live", batch, nil); err != nil {
			t.Fatalf("Append: %v", err)
		}
		copy(batch, "again")
	}
	if got, want := t.tail(a, 2), []string{"first", "again"}; !slices.Equal(got, want) {
		t.Errorf("Tail = %q, want %q", got, want)
	}
}

func appendOpaque(t contract) {
	a, b := t.join(), t.join()
	for _, batch := range opaque() {
		t.appendBatch(a, "live", batch, "")
	}
	if got := t.tail(b, 100); !slices.Equal(got, opaque()) {
		t.Errorf("Tail = %.2000q, want %.2000q", got, opaque())
	}
}

func tailOrder(t contract) {
	a, b := t.join(), t.join()
	if got := t.tail(a, 5); len(got) != 0 {
		t.Errorf("Tail of an empty log = %q", got)
	}
	for i := range 10 {
		t.appendBatch([]Node{a, b}[i%2], "live", fmt.Sprint(i), "")
	}
	t.appendBatch(a, "live-2", "elsewhere", "")
	for n, want := range map[int]string{-1: "", 0: "", 1: "9", 3: "7 8 9", 10: "0 1 2 3 4 5 6 7 8 9", 99: "0 1 2 3 4 5 6 7 8 9"} {
		if got := strings.Join(t.tail(b, n), " "); got != want {
			t.Errorf("Tail(%d) = %q, want %q", n, got, want)
		}
	}
}

// position is an entry's ID as two numbers.
func position(tb testing.TB, e chat.Entry) []int64 {
	tb.Helper()
	ms, n, ok := strings.Cut(e.ID, "-")
	if !ok {
		tb.Fatalf("ID %q, want milliseconds-number", e.ID)
	}
	var p []int64
	for _, part := range []string{ms, n} {
		v, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			tb.Fatalf("ID %q: %v", e.ID, err)
		}
		p = append(p, v)
	}
	return p
}

func idsGrow(t contract) {
	a := t.join()
	for i := range 50 {
		t.appendBatch(a, "live", fmt.Sprint(i), "")
	}
	entries, err := a.Tail(t.Context(), "live", 50)
	if err != nil || len(entries) != 50 {
		t.Fatalf("Tail = %d entries, %v, want 50", len(entries), err)
	}
	for i := range entries[1:] {
		if before, after := position(t, entries[i]), position(t, entries[i+1]); slices.Compare(before, after) >= 0 {
			t.Errorf("ID %v before %v", before, after)
		}
	}
}

func appendConcurrently(t contract) {
	nodes := []Node{t.join(), t.join()}
	var all sync.WaitGroup
	var want []string
	for i := range 8 {
		for j := range 20 {
			want = append(want, fmt.Sprintf("%d/%02d", i, j))
		}
		all.Go(func() {
			for j := range 20 {
				if err := nodes[i%2].Append(t.Context(), "live", fmt.Appendf(nil, "%d/%02d", i, j), nil); err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		})
	}
	all.Wait()
	got := t.tail(nodes[0], 1000)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Tail has %d batches, want the %d that were appended", len(got), len(want))
	}
}
