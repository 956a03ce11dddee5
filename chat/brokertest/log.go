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

func appendLogsThenPublishes(t *testing.T, join func() Node) {
	a, b := join(), join()
	r := subscribe(t, b, "live")
	logged := make(chan []string, 1)
	subscribeHandler(t, b, "live", funcHandler(func([]byte) {
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
	appendBatch(t, a, "live", "batch", "frame")
	if got := tail(t, a, "live", 10); !slices.Equal(got, []string{"batch"}) {
		t.Errorf("Tail when Append had returned = %q, want the batch", got)
	}
	r.waitFrames(t, "frame")
	if got := <-logged; !slices.Equal(got, []string{"batch"}) {
		t.Errorf("Tail when the frame arrived = %q, want the batch", got)
	}
}

func appendEmpty(t *testing.T, join func() Node) {
	a := join()
	r := subscribe(t, a, "live")
	appendBatch(t, a, "live", "", "frame alone")
	appendBatch(t, a, "live", "batch alone", "")
	appendBatch(t, a, "live", "", "")
	appendBatch(t, a, "live", "both", "last")
	r.waitFrames(t, "frame alone", "last")
	if got, want := tail(t, a, "live", 10), []string{"batch alone", "both"}; !slices.Equal(got, want) {
		t.Errorf("Tail = %q, want %q", got, want)
	}
}

func appendBatchReused(t *testing.T, join func() Node) {
	a := join()
	batch := []byte("first")
	for range 2 {
		if err := a.Append(t.Context(), "live", batch, nil); err != nil {
			t.Fatalf("Append: %v", err)
		}
		copy(batch, "again")
	}
	if got, want := tail(t, a, "live", 2), []string{"first", "again"}; !slices.Equal(got, want) {
		t.Errorf("Tail = %q, want %q", got, want)
	}
}

func appendOpaque(t *testing.T, join func() Node) {
	a, b := join(), join()
	for _, batch := range opaque() {
		appendBatch(t, a, "live", batch, "")
	}
	if got := tail(t, b, "live", 100); !slices.Equal(got, opaque()) {
		t.Errorf("Tail = %.2000q, want %.2000q", got, opaque())
	}
}

func tailOrder(t *testing.T, join func() Node) {
	a, b := join(), join()
	if got := tail(t, a, "live", 5); len(got) != 0 {
		t.Errorf("Tail of an empty log = %q", got)
	}
	for i := range 10 {
		appendBatch(t, []Node{a, b}[i%2], "live", fmt.Sprint(i), "")
	}
	appendBatch(t, a, "live-2", "elsewhere", "")
	for n, want := range map[int]string{-1: "", 0: "", 1: "9", 3: "7 8 9", 10: "0 1 2 3 4 5 6 7 8 9", 99: "0 1 2 3 4 5 6 7 8 9"} {
		if got := strings.Join(tail(t, b, "live", n), " "); got != want {
			t.Errorf("Tail(%d) = %q, want %q", n, got, want)
		}
	}
}

// position is an entry's ID as two numbers.
func position(t *testing.T, e chat.Entry) []int64 {
	t.Helper()
	ms, n, ok := strings.Cut(e.ID, "-")
	if !ok {
		t.Fatalf("ID %q, want milliseconds-number", e.ID)
	}
	var p []int64
	for _, part := range []string{ms, n} {
		v, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			t.Fatalf("ID %q: %v", e.ID, err)
		}
		p = append(p, v)
	}
	return p
}

func idsGrow(t *testing.T, join func() Node) {
	a := join()
	for i := range 50 {
		appendBatch(t, a, "live", fmt.Sprint(i), "")
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

func appendConcurrently(t *testing.T, join func() Node) {
	nodes := []Node{join(), join()}
	var all sync.WaitGroup
	var want []string
	for i := range 8 {
		for j := range 20 {
			want = append(want, fmt.Sprintf("%d/%02d", i, j))
		}
		all.Go(func() {
			for j := range 20 {
				if err := nodes[i%2].Append(t.Context(), "live", []byte(fmt.Sprintf("%d/%02d", i, j)), nil); err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		})
	}
	all.Wait()
	got := tail(t, nodes[0], "live", 1000)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Tail has %d batches, want the %d that were appended", len(got), len(want))
	}
}
