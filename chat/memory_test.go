package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barrage/chat"
	"barrage/chat/brokertest"
)

func TestMemoryContract(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) func() brokertest.Node {
		t.Helper()
		m := openMemory(t, chat.MemoryOptions{})
		return func() brokertest.Node { return m }
	})
}

func openMemory(t *testing.T, opts chat.MemoryOptions) *chat.Memory {
	t.Helper()
	m := chat.NewMemory(opts)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

func memoryTail(t *testing.T, m *chat.Memory) []chat.Entry {
	t.Helper()
	entries, err := m.Tail(t.Context(), "live", 1000)
	if err != nil {
		t.Fatalf("Tail: %v", err)
	}
	return entries
}

func memoryAppend(t *testing.T, m *chat.Memory, batch string) {
	t.Helper()
	if _, err := m.Append(t.Context(), "live", []byte(batch), nil); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

func TestMemoryLogBound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts   chat.MemoryOptions
		append []string
		want   string
	}{
		"batches":              {chat.MemoryOptions{Batches: 3}, []string{"1", "2", "3", "4", "5"}, "3 4 5"},
		"bytes":                {chat.MemoryOptions{Bytes: 10}, []string{"aaaa", "bbbb", "cccc", "dd"}, "bbbb cccc dd"},
		"bytes, a large batch": {chat.MemoryOptions{Bytes: 10}, []string{"aaaa", "bbbbbbbbbbbb"}, "bbbbbbbbbbbb"},
		"neither":              {chat.MemoryOptions{}, []string{"1", "2"}, "1 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := openMemory(t, c.opts)
			for _, batch := range c.append {
				memoryAppend(t, m, batch)
			}
			var got []string
			for _, e := range memoryTail(t, m) {
				got = append(got, string(e.Batch))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("Tail = %q, want %s", got, c.want)
			}
		})
	}
}

// TestMemoryIDs: the wall clock steps back, the IDs do not.
func TestMemoryIDs(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(5000)
	m := openMemory(t, chat.MemoryOptions{Now: func() time.Time { return now }})
	for _, ms := range []int64{5000, 5000, 4000, 5001, 1} {
		now = time.UnixMilli(ms)
		memoryAppend(t, m, "x")
	}
	var got []string
	for _, e := range memoryTail(t, m) {
		got = append(got, e.ID)
	}
	if want := []string{"5000-0", "5000-1", "5000-2", "5001-0", "5001-1"}; !slices.Equal(got, want) {
		t.Errorf("IDs = %q, want %q", got, want)
	}
}

func TestMemoryLeaseClock(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	m := openMemory(t, chat.MemoryOptions{Now: func() time.Time { return now }})
	for _, step := range []struct {
		after time.Duration // since the beginning
		node  string
		held  bool
	}{
		{0, "a", true},
		{9 * time.Second, "b", false},
		{9 * time.Second, "a", true}, // until 19 s now
		{18999 * time.Millisecond, "b", false},
		{19 * time.Second, "b", true},
		{19 * time.Second, "a", false},
	} {
		now = time.Unix(1000, 0).Add(step.after)
		lease, err := m.Lead(t.Context(), "live", step.node, 10*time.Second)
		if err != nil || lease.Held != step.held {
			t.Errorf("%v: Lead(%s) = %+v, %v, want held %t", step.after, step.node, lease, err, step.held)
		}
	}
	now = now.Add(10 * time.Second)
	if err := m.Advance(t.Context(), "live", "b", 1, nil); !errors.Is(err, chat.ErrNotLeader) {
		t.Errorf("Advance at the lease's end = %v, want ErrNotLeader", err)
	}
}

// TestMemoryForgetsRooms: opening rooms by the thousand costs no memory for ever.
func TestMemoryForgetsRooms(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	m := openMemory(t, chat.MemoryOptions{Now: func() time.Time { return now }})
	lead := func(room string) string {
		lease, err := m.Lead(t.Context(), room, "a", time.Second)
		if err != nil {
			t.Fatalf("Lead: %v", err)
		}
		return lease.Epoch
	}
	openMany := func(gap time.Duration) {
		for i := range 5000 {
			lead("room-" + strconv.Itoa(i))
			now = now.Add(gap)
		}
	}
	idle, numbered, watched, logged := lead("idle"), lead("numbered"), lead("watched"), lead("live")
	if err := m.Advance(t.Context(), "numbered", "a", 1, nil); err != nil {
		t.Fatal(err)
	}
	s, err := m.Subscribe(t.Context(), "watched", &diary{})
	if err != nil {
		t.Fatal(err)
	}
	memoryAppend(t, m, "x")
	openMany(100 * time.Millisecond)
	if lead("idle") == idle {
		t.Error("an idle room in which nothing ever happened is kept")
	}
	if lead("numbered") != numbered || lead("watched") != watched || lead("live") != logged {
		t.Error("a room with ticks, subscribers or a log was forgotten")
	}
	now = now.Add(10 * time.Minute)
	openMany(time.Second)
	if lead("numbered") == numbered {
		t.Error("a room that only had visitors is kept for ever")
	}
	if lead("live") != logged {
		t.Error("a room with a log was forgotten")
	}
	now = now.Add(25 * time.Hour)
	openMany(time.Second)
	if lead("live") == logged {
		t.Error("a room is kept a day after its last use")
	}
	if lead("watched") != watched {
		t.Error("a room with subscribers was forgotten")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestMemoryStateTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := openMemory(t, chat.MemoryOptions{})
		var d diary
		s, err := m.Subscribe(t.Context(), "live", &d)
		if err != nil {
			t.Fatal(err)
		}
		put := func() {
			if err := m.PutState(t.Context(), chat.RoomState{Room: "live", Phase: "live"}, 10*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		put()
		passTime(8 * time.Second)
		put()
		passTime(9999 * time.Millisecond)
		if got, want := d.read(), []string{"state live", "state live"}; !slices.Equal(got, want) {
			t.Errorf("before the second's end: %q, want %q", got, want)
		}
		passTime(time.Millisecond)
		if got, want := d.read(), []string{"state live", "state live", "state "}; !slices.Equal(got, want) {
			t.Errorf("at the second's end: %q, want %q", got, want)
		}
		put() // lapses never: the broker closes first
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// passTime moves the bubble's clock.
func passTime(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestMemoryCloseWhileUsed(t *testing.T) {
	t.Parallel()
	m := chat.NewMemory(chat.MemoryOptions{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			var d diary
			s, err := m.Subscribe(t.Context(), "room-"+strconv.Itoa(i%3), &d)
			if errors.Is(err, chat.ErrUnavailable) {
				return
			}
			_ = m.PutState(t.Context(), chat.RoomState{Room: "room-0"}, time.Microsecond) // a lapse may be under way
			if i%2 == 0 {
				_ = s.Close()
			}
		}
	}()
	<-time.After(20 * time.Millisecond)
	for range 2 {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	<-done
}

func BenchmarkMemory(b *testing.B) {
	batch := make([]byte, 10_000)
	for _, subscribers := range []int{0, 4} {
		b.Run(fmt.Sprintf("append-%d-subscribers", subscribers), func(b *testing.B) {
			m := chat.NewMemory(chat.MemoryOptions{})
			for range subscribers {
				if _, err := m.Subscribe(b.Context(), "live", &deafHandler{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Append(b.Context(), "live", batch, batch); err != nil {
					b.Fatal(err)
				}
			}
			if err := m.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

type deafHandler struct{}

func (*deafHandler) Frame([]byte)         {}
func (*deafHandler) State(chat.RoomState) {}
func (*deafHandler) Link(bool)            {}
