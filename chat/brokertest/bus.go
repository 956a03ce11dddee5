package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"barrage/chat"
)

func publishReachesAll(t *testing.T, join func() Node) {
	a, b, c := join(), join(), join()
	seen := []*Recorder{subscribe(t, a, "live"), subscribe(t, a, "live"), subscribe(t, b, "live"), subscribe(t, c, "live")}
	publish(t, b, "live", "one")
	for _, r := range seen {
		r.waitFrames(t, "one")
	}
}

func publishStaysInRoom(t *testing.T, join func() Node) {
	a, b := join(), join()
	live, other := subscribe(t, a, "live"), subscribe(t, a, "live-2")
	publish(t, b, "live", "for live")
	publish(t, b, "live-2", "for the other")
	live.waitFrames(t, "for live")
	other.waitFrames(t, "for the other")
	publish(t, b, "nobody-here", "unheard")
}

func publishKeepsOrder(t *testing.T, join func() Node) {
	const frames = 200
	a, b := join(), join()
	seen := []*Recorder{subscribe(t, a, "live"), subscribe(t, b, "live")}
	var senders sync.WaitGroup
	for name, n := range map[string]Node{"a": a, "b": b} {
		senders.Go(func() {
			for i := range frames {
				frame := []byte(fmt.Sprintf("%s%03d", name, i))
				if err := n.Publish(t.Context(), "live", frame); err != nil {
					t.Errorf("Publish: %v", err)
				}
			}
		})
	}
	senders.Wait()
	for _, r := range seen {
		all := r.Wait(t, "all frames", func(all []string) bool { return len(only(all, "frame ")) == 2*frames })
		for _, sender := range []string{"frame a", "frame b"} {
			if got := only(all, sender); len(got) != frames || !slices.IsSorted(got) {
				t.Errorf("%s: %d frames, sorted %t, want %d in order", sender, len(got), slices.IsSorted(got), frames)
			}
		}
	}
}

// opaque are payloads that a textual protocol would stumble over.
func opaque() []string {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return []string{"\x00", "\r\n", "$5\r\nhello\r\n", string(all), "s{}", strings.Repeat("\xff", 64<<10), "弾幕"}
}

func publishOpaque(t *testing.T, join func() Node) {
	a, b := join(), join()
	r := subscribe(t, b, "live")
	for _, frame := range opaque() {
		publish(t, a, "live", frame)
	}
	r.waitFrames(t, opaque()...)
}

func publishEmpty(t *testing.T, join func() Node) {
	a, b := join(), join()
	r := subscribe(t, b, "live")
	for _, empty := range [][]byte{nil, {}} {
		if err := a.Publish(t.Context(), "live", empty); err != nil {
			t.Fatalf("Publish of an empty frame: %v", err)
		}
	}
	publish(t, a, "live", "full")
	r.waitFrames(t, "full")
}

// funcHandler is a handler of frames alone.
type funcHandler func(frame []byte)

func (f funcHandler) Frame(frame []byte)   { f(frame) }
func (f funcHandler) State(chat.RoomState) {}
func (f funcHandler) Link(bool)            {}

func publishFromHandler(t *testing.T, join func() Node) {
	a := join()
	r := subscribe(t, a, "live")
	subscribeHandler(t, a, "live", funcHandler(func(frame []byte) {
		if len(frame) < 5 {
			if err := a.Publish(t.Context(), "live", append(slices.Clone(frame), '+')); err != nil {
				t.Errorf("Publish in a handler: %v", err)
			}
		}
	}))
	publish(t, a, "live", "1")
	r.waitFrames(t, "1", "1+", "1++", "1+++", "1++++")
}

func callsOneAtATime(t *testing.T, join func() Node) {
	a := join()
	var inside, calls atomic.Int32
	done := make(chan struct{})
	subscribeHandler(t, a, "live", funcHandler(func([]byte) {
		if inside.Add(1) != 1 {
			t.Error("two calls of one handler at once")
		}
		inside.Add(-1)
		if calls.Add(1) == 100 {
			close(done)
		}
	}))
	for range 10 {
		go func() {
			for range 10 {
				_ = a.Publish(t.Context(), "live", []byte("x")) // a lost one shows below
			}
		}()
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%d of 100 frames within %v", calls.Load(), patience)
	}
}

func slowHandler(t *testing.T, join func() Node) {
	a := join()
	r := subscribe(t, a, "live")
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	stuck := make(chan struct{}, 1)
	hung := funcHandler(func([]byte) {
		select {
		case stuck <- struct{}{}:
		default:
		}
		<-release
	})
	s, err := a.Subscribe(t.Context(), "live", hung)
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	t.Cleanup(func() { go s.Close() }) // returns once released
	publish(t, a, "live", "0")
	<-stuck
	want := []string{"0"}
	for i := range 50 {
		want = append(want, fmt.Sprint(i+1))
		publish(t, a, "live", want[i+1])
	}
	r.waitFrames(t, want...)
}

func closeIsLast(t *testing.T, join func() Node) {
	a, b := join(), join()
	var closed atomic.Bool
	first := make(chan struct{}, 1)
	s := subscribeHandler(t, b, "live", funcHandler(func([]byte) {
		if closed.Load() {
			t.Error("a call after Close returned")
		}
		select {
		case first <- struct{}{}:
		default:
		}
	}))
	ctx, stop := context.WithCancel(t.Context())
	var sender sync.WaitGroup
	sender.Go(func() {
		for ctx.Err() == nil {
			_ = a.Publish(ctx, "live", []byte("x")) // the last one is cancelled
		}
	})
	<-first
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	closed.Store(true)
	witness := subscribe(t, b, "live")
	witness.WaitFor(t, "frame x")
	stop()
	sender.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func closeLeavesOthers(t *testing.T, join func() Node) {
	a, b := join(), join()
	stays, other := subscribe(t, b, "live"), subscribe(t, a, "live")
	s := subscribeHandler(t, b, "live", NewRecorder())
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	publish(t, a, "live", "still here")
	stays.waitFrames(t, "still here")
	other.waitFrames(t, "still here")
}

func subscribeAgain(t *testing.T, join func() Node) {
	a, b := join(), join()
	for i := range 20 {
		r := NewRecorder()
		s := subscribeHandler(t, b, "live", r)
		frame := fmt.Sprint(i)
		publish(t, a, "live", frame)
		r.waitFrames(t, frame)
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

func subscribeConcurrently(t *testing.T, join func() Node) {
	a, b := join(), join()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 10 {
				r := NewRecorder()
				s, err := b.Subscribe(t.Context(), "live", r)
				if err != nil {
					t.Errorf("Subscribe: %v", err)
					return
				}
				frame := fmt.Sprintf("%d/%d", i, j)
				if err := a.Publish(t.Context(), "live", []byte(frame)); err != nil {
					t.Errorf("Publish: %v", err)
				}
				r.WaitFor(t, "frame "+frame)
				s.Close()
			}
		})
	}
	all.Wait()
}

func subscribeContext(t *testing.T, join func() Node) {
	a := join()
	ctx, cancel := context.WithCancel(t.Context())
	r := NewRecorder()
	s, err := a.Subscribe(ctx, "live", r)
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	cancel()
	publish(t, a, "live", "after")
	r.waitFrames(t, "after")
}

func manyRooms(t *testing.T, join func() Node) {
	const rooms = 300
	a, b := join(), join()
	seen := make([]*Recorder, rooms)
	for i := range seen {
		seen[i] = subscribe(t, b, fmt.Sprintf("room-%d", i))
	}
	for i := range seen {
		publish(t, a, fmt.Sprintf("room-%d", i), fmt.Sprintf("for %d", i))
	}
	for i, r := range seen {
		r.waitFrames(t, fmt.Sprintf("for %d", i))
	}
}

// everythingAtOnce gives the race detector something to see.
func everythingAtOnce(t *testing.T, join func() Node) {
	nodes := []Node{join(), join()}
	var all sync.WaitGroup
	for i, n := range nodes {
		id := fmt.Sprintf("node-%d", i)
		for range 2 {
			all.Go(func() {
				for j := range 30 {
					errs := []error{
						n.Publish(t.Context(), "live", []byte("p")),
						n.Append(t.Context(), "live", []byte("b"), []byte("f")),
						n.Rooms().PutState(t.Context(), chat.RoomState{Room: "live", PDT: int64(j)}, time.Minute),
					}
					_, err := n.Tail(t.Context(), "live", 5)
					errs = append(errs, err)
					_, err = n.Lead(t.Context(), "live", id, time.Second)
					errs = append(errs, err)
					if err := n.Advance(t.Context(), "live", id, uint64(j+1), nil); !errors.Is(err, chat.ErrNotLeader) {
						errs = append(errs, err)
					}
					s, err := n.Subscribe(t.Context(), "live", NewRecorder())
					if err == nil {
						err = s.Close()
					}
					if err := errors.Join(append(errs, err, n.Resign(t.Context(), "live", id))...); err != nil {
						t.Errorf("everything at once: %v", err)
					}
				}
			})
		}
	}
	all.Wait()
}

// calls are all calls of a broker that can fail.
func calls(ctx context.Context, n Node) map[string]error {
	errs := map[string]error{
		"Publish":  n.Publish(ctx, "live", []byte("x")),
		"Append":   n.Append(ctx, "live", []byte("x"), []byte("x")),
		"Advance":  n.Advance(ctx, "live", "n", 1, []byte("x")),
		"Resign":   n.Resign(ctx, "live", "n"),
		"PutState": n.Rooms().PutState(ctx, chat.RoomState{Room: "live"}, time.Second),
	}
	_, errs["Subscribe"] = n.Subscribe(ctx, "live", NewRecorder())
	_, errs["Tail"] = n.Tail(ctx, "live", 1)
	_, errs["Lead"] = n.Lead(ctx, "live", "n", time.Second)
	_, errs["State"] = n.Rooms().State(ctx, "live")
	return errs
}

func cancelledContext(t *testing.T, join func() Node) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for call, err := range calls(ctx, join()) {
		if !errors.Is(err, chat.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context = %v, want ErrUnavailable and context.Canceled", call, err)
		}
	}
}

func closedBroker(t *testing.T, join func() Node) {
	a := join()
	if err := a.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for call, err := range calls(t.Context(), a) {
		if !errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("%s on a closed broker = %v, want ErrUnavailable", call, err)
		}
	}
}

func closeEndsSubscriptions(t *testing.T, join func() Node) {
	a := join()
	var closed atomic.Bool
	s := subscribeHandler(t, a, "live", funcHandler(func([]byte) {
		if closed.Load() {
			t.Error("a call after the broker's Close returned")
		}
	}))
	for range 100 {
		publish(t, a, "live", "x")
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	closed.Store(true)
	if err := s.Close(); err != nil {
		t.Errorf("Close of the subscription: %v", err)
	}
}
