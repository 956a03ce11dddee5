//go:build e2e

package redisbroker_test

import (
	"strings"
	"testing"
	"time"

	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// TestLogBounds: neither many batches nor large ones make a room's stream, and what
// counts its bytes, grow for ever; trimming makes room.
func TestLogBounds(t *testing.T) {
	r := brokertest.StartRedis(t)
	b := open(t, r, redisbroker.Options{LogBatches: 5, LogBytes: 1000})
	add := func(sizes ...int) {
		t.Helper()
		for _, size := range sizes {
			if _, err := b.Append(t.Context(), "live", []byte(strings.Repeat("x", size)), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(want ...int) {
		t.Helper()
		entries, err := b.Tail(t.Context(), "live", 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, e := range entries {
			got = append(got, len(e.Batch))
		}
		if len(got) != len(want) {
			t.Fatalf("kept %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("kept %v, want %v", got, want)
			}
		}
		for key, command := range map[string]string{"log": "XLEN", "log:sizes": "LLEN"} {
			if n := r.Do(t, command+" barrage:{live}:"+key); n != ":"+string(rune('0'+len(want))) {
				t.Errorf("%s of %s = %s, want %d", command, key, n, len(want))
			}
		}
	}
	add(1, 2, 3, 4, 5, 6, 7)
	check(3, 4, 5, 6, 7)
	add(500, 490)
	check(7, 500, 490)
	add(4000)
	check(4000)
	add(10)
	check(10)
	entries, err := b.Tail(t.Context(), "live", 1)
	if err != nil {
		t.Fatal(err)
	}
	add(900)
	if err := b.Trim(t.Context(), "live", entries[0].ID); err != nil {
		t.Fatal(err)
	}
	check(900)
	add(100)
	check(900, 100)
	r.Do(t, "DEL barrage:{live}:log:sizes") // evicted: counted from here on
	add(999, 2)
	if n := r.Do(t, "XLEN barrage:{live}:log"); n != ":1" {
		t.Errorf("the stream has %s entries after its list was lost, want 1", n)
	}
}

// TestTicksOfALostEpoch: frames of a numbering that Redis forgot are not taken for
// those of the new one.
func TestTicksOfALostEpoch(t *testing.T) {
	r := brokertest.StartRedis(t)
	b := open(t, r, redisbroker.Options{})
	lead := func() string {
		l, err := b.Lead(t.Context(), "live", "a", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return l.Epoch
	}
	old := lead()
	for seq := range uint64(9) {
		if err := b.Advance(t.Context(), "live", "a", seq+1, []byte("old")); err != nil {
			t.Fatal(err)
		}
	}
	r.Do(t, "DEL barrage:{live}:ticks")
	if lead() == old {
		t.Fatal("the epoch is back")
	}
	if err := b.Advance(t.Context(), "live", "a", 1, []byte("new")); err != nil {
		t.Fatal(err)
	}
	frames, err := b.Ticks(t.Context(), "live", 0, 100)
	if err != nil || len(frames) != 1 || string(frames[0]) != "new" {
		t.Errorf("Ticks = %q, %v, want the new epoch's alone", frames, err)
	}
}
