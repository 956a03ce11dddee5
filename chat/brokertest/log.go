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
		if _, err := a.Append(t.Context(), "live", batch, nil); err != nil {
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
				if _, err := nodes[i%2].Append(t.Context(), "live", fmt.Appendf(nil, "%d/%02d", i, j), nil); err != nil {
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

func appendReturnsID(t contract) {
	a, b := t.join(), t.join()
	var want []string
	for i := range 10 {
		id, err := []Node{a, b}[i%2].Append(t.Context(), "live", fmt.Append(nil, i), []byte("f"))
		if err != nil {
			t.Fatalf("Append: %v", err)
		}
		want = append(want, id)
	}
	id, err := a.Append(t.Context(), "live", nil, []byte("frame alone"))
	if err != nil || id != "" {
		t.Errorf("Append without a batch = %q, %v, want no id", id, err)
	}
	if got := ids(t.read(b, "", 100)); !slices.Equal(got, want) {
		t.Errorf("Read = %q, want %q", got, want)
	}
}

func ids(entries []chat.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.ID)
	}
	return all
}

func (t contract) read(n Node, after string, count int) []chat.Entry {
	t.Helper()
	entries, err := n.Read(t.Context(), "live", after, count)
	if err != nil {
		t.Fatalf("Read(%q, %d): %v", after, count, err)
	}
	return entries
}

func (t contract) trim(n Node, through string) {
	t.Helper()
	if err := n.Trim(t.Context(), "live", through); err != nil {
		t.Fatalf("Trim(%q): %v", through, err)
	}
}

func readAfter(t contract) {
	a, b := t.join(), t.join()
	if got := t.read(a, "", 5); len(got) != 0 {
		t.Errorf("Read of an empty log = %v", got)
	}
	for i := range 25 {
		t.appendBatch(a, "live", fmt.Sprint(i), "")
	}
	t.appendBatch(a, "live-2", "elsewhere", "")
	var got []string
	after := ""
	for {
		some := t.read(b, after, 7)
		if len(some) == 0 {
			break
		}
		if len(some) > 7 {
			t.Fatalf("Read of 7 = %d entries", len(some))
		}
		for _, e := range some {
			got, after = append(got, string(e.Batch)), e.ID
		}
	}
	if want := t.tail(a, 100); !slices.Equal(got, want) || len(got) != 25 {
		t.Errorf("all Reads = %q, want %q", got, want)
	}
	t.appendBatch(b, "live", "next", "")
	if some := t.read(a, after, 7); len(some) != 1 || string(some[0].Batch) != "next" {
		t.Errorf("Read behind the last = %v, want the one that came later", some)
	}
	for _, n := range []int{0, -1} {
		if some := t.read(a, "", n); len(some) != 0 {
			t.Errorf("Read of %d = %d entries", n, len(some))
		}
	}
}

func trim(t contract) {
	a, b := t.join(), t.join()
	t.trim(a, "5-0") // of an empty log
	for i := range 10 {
		t.appendBatch(a, "live", fmt.Sprint(i), "")
	}
	all := ids(t.read(a, "", 10))
	for _, c := range []struct{ through, want string }{
		{"1-0", "0 1 2 3 4 5 6 7 8 9"}, {all[0], "1 2 3 4 5 6 7 8 9"}, {all[3], "4 5 6 7 8 9"}, {all[1], "4 5 6 7 8 9"},
	} {
		t.trim(b, c.through)
		if got := strings.Join(t.tail(a, 100), " "); got != c.want {
			t.Errorf("after Trim(%q): %q, want %q", c.through, got, c.want)
		}
	}
	if got := ids(t.read(a, all[0], 1)); !slices.Equal(got, all[4:5]) {
		t.Errorf("Read behind a trimmed id = %q, want %q", got, all[4])
	}
}

func trimAll(t contract) {
	a, b := t.join(), t.join()
	t.appendBatch(a, "live", "1", "")
	last := ids(t.read(a, "", 1))[0]
	t.trim(b, last)
	if got := t.tail(a, 5); len(got) != 0 {
		t.Errorf("Tail of a trimmed log = %q", got)
	}
	t.appendBatch(b, "live", "2", "")
	if some := t.read(a, last, 5); len(some) != 1 || string(some[0].Batch) != "2" {
		t.Errorf("Read behind the trimmed id = %v, want the next batch", some)
	}
}

func badID(t contract) {
	a := t.join()
	for _, id := range []string{"x", "5", "5-", "-1-0", "5-x", "5-1-1"} {
		if _, err := a.Read(t.Context(), "live", id, 5); err == nil {
			t.Errorf("Read(%q) works", id)
		}
		if err := a.Trim(t.Context(), "live", id); err == nil {
			t.Errorf("Trim(%q) works", id)
		}
	}
}
