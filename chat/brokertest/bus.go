package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"barrage/chat"
)

func publishReachesAll(t contract) {
	a, b, c := t.join(), t.join(), t.join()
	seen := []*Recorder{t.subscribe(a, "live"), t.subscribe(a, "live"), t.subscribe(b, "live"), t.subscribe(c, "live")}
	t.publish(b, "live", "one")
	for _, r := range seen {
		r.waitFrames(t, "one")
	}
}

func publishStaysInRoom(t contract) {
	a, b := t.join(), t.join()
	live, other := t.subscribe(a, "live"), t.subscribe(a, "live-2")
	t.publish(b, "live", "for live")
	t.publish(b, "live-2", "for the other")
	live.waitFrames(t, "for live")
	other.waitFrames(t, "for the other")
	t.publish(b, "nobody-here", "unheard")
}

func publishKeepsOrder(t contract) {
	const frames = 200
	a, b := t.join(), t.join()
	seen := []*Recorder{t.subscribe(a, "live"), t.subscribe(b, "live")}
	var senders sync.WaitGroup
	for name, n := range map[string]Node{"a": a, "b": b} {
		senders.Go(func() {
			for i := range frames {
				frame := fmt.Appendf(nil, "%s%03d", name, i)
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

func publishOpaque(t contract) {
	a, b := t.join(), t.join()
	r := t.subscribe(b, "live")
	for _, frame := range opaque() {
		t.publish(a, "live", frame)
	}
	r.waitFrames(t, opaque()...)
}

func publishEmpty(t contract) {
	a, b := t.join(), t.join()
	r := t.subscribe(b, "live")
	for _, empty := range [][]byte{nil, {}} {
		if err := a.Publish(t.Context(), "live", empty); err != nil {
			t.Fatalf("Publish of an empty frame: %v", err)
		}
	}
	t.publish(a, "live", "full")
	r.waitFrames(t, "full")
}

// funcHandler is a handler of frames alone.
type funcHandler func(frame []byte)

func (f funcHandler) Frame(frame []byte)   { f(frame) }
func (f funcHandler) State(chat.RoomState) {}
func (f funcHandler) Link(bool)            {}

func publishFromHandler(t contract) {
	a := t.join()
	r := t.subscribe(a, "live")
	t.subscribeHandler(a, "live", funcHandler(func(frame []byte) {
		if len(frame) < 5 {
			if err := a.Publish(t.Context(), "live", append(slices.Clone(frame), '+')); err != nil {
				t.Errorf("Publish in a handler: %v", err)
			}
		}
	}))
	t.publish(a, "live", "1")
	r.waitFrames(t, "1", "1+", "1++", "1+++", "1++++")
}

func callsOneAtATime(t contract) {
	a := t.join()
	var inside, calls atomic.Int32
	done := make(chan struct{})
	t.subscribeHandler(a, "live", funcHandler(func([]byte) {
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

func slowHandler(t contract) {
	a := t.join()
	r := t.subscribe(a, "live")
	release := make(chan struct{})
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
	t.Cleanup(func() {
		close(release)
		_ = s.Close()
	})
	t.publish(a, "live", "0")
	<-stuck
	want := []string{"0"}
	for i := range 50 {
		want = append(want, fmt.Sprint(i+1))
		t.publish(a, "live", want[i+1])
	}
	r.waitFrames(t, want...)
}

func closeIsLast(t contract) {
	a, b := t.join(), t.join()
	var closed atomic.Bool
	first := make(chan struct{}, 1)
	s := t.subscribeHandler(b, "live", funcHandler(func([]byte) {
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
	witness := t.subscribe(b, "live")
	witness.WaitFor(t, "frame x")
	stop()
	sender.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func closeLeavesOthers(t contract) {
	a, b := t.join(), t.join()
	stays, other := t.subscribe(b, "live"), t.subscribe(a, "live")
	s := t.subscribeHandler(b, "live", NewRecorder())
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	t.publish(a, "live", "still here")
	stays.waitFrames(t, "still here")
	other.waitFrames(t, "still here")
}

func subscribeAgain(t contract) {
	a, b := t.join(), t.join()
	for i := range 20 {
		r := NewRecorder()
		s := t.subscribeHandler(b, "live", r)
		frame := fmt.Sprint(i)
		t.publish(a, "live", frame)
		r.waitFrames(t, frame)
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

func subscribeConcurrently(t contract) {
	a, b := t.join(), t.join()
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
				_ = s.Close()
			}
		})
	}
	all.Wait()
}

func subscribeContext(t contract) {
	a := t.join()
	ctx, cancel := context.WithCancel(t.Context())
	r := NewRecorder()
	s, err := a.Subscribe(ctx, "live", r)
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	cancel()
	t.publish(a, "live", "after")
	r.waitFrames(t, "after")
}

func manyRooms(t contract) {
	const rooms = 300
	a, b := t.join(), t.join()
	seen := make([]*Recorder, rooms)
	for i := range seen {
		seen[i] = t.subscribe(b, fmt.Sprintf("room-%d", i))
	}
	for i := range seen {
		t.publish(a, fmt.Sprintf("room-%d", i), fmt.Sprintf("for %d", i))
	}
	for i, r := range seen {
		r.waitFrames(t, fmt.Sprintf("for %d", i))
	}
}

// everythingAtOnce gives the race detector something to see.
func everythingAtOnce(t contract) {
	var all sync.WaitGroup
	for i, n := range []Node{t.join(), t.join()} {
		for range 2 {
			all.Go(func() {
				for seq := range uint64(30) {
					if err := everything(t.Context(), n, fmt.Sprintf("node-%d", i), seq+1); err != nil {
						t.Errorf("everything at once: %v", err)
					}
				}
			})
		}
	}
	all.Wait()
}

// everything calls all of n once.
func everything(ctx context.Context, n Node, id string, seq uint64) error {
	s, err := n.Subscribe(ctx, "live", NewRecorder())
	if err != nil {
		return err
	}
	_, appendErr := n.Append(ctx, "live", []byte("b"), []byte("f"))
	_, tailErr := n.Tail(ctx, "live", 5)
	_, readErr := n.Read(ctx, "live", "", 5)
	_, ticksErr := n.Ticks(ctx, "live", 0, 5)
	rules, rulesErr := n.Rules(ctx, "live")
	setErr := n.SetRules(ctx, "live", rules)
	if errors.Is(setErr, chat.ErrConflict) { // which is as good
		setErr = nil
	}
	_, leadErr := n.Lead(ctx, "live", id, time.Second)
	advanceErr := n.Advance(ctx, "live", id, seq, nil)
	if errors.Is(advanceErr, chat.ErrNotLeader) { // which is as good
		advanceErr = nil
	}
	return errors.Join(
		n.Publish(ctx, "live", []byte("p")),
		appendErr, readErr, ticksErr, rulesErr, setErr, n.Trim(ctx, "live", "1-0"),
		n.Rooms().PutState(ctx, chat.RoomState{Room: "live", PDT: int64(seq)}, time.Minute),
		tailErr, leadErr, advanceErr, n.Resign(ctx, "live", id), s.Close(),
	)
}

// calls are all calls of a broker that can fail.
func calls(ctx context.Context, n Node) map[string]error {
	errs := map[string]error{
		"Publish":  n.Publish(ctx, "live", []byte("x")),
		"Trim":     n.Trim(ctx, "live", "1-0"),
		"SetRules": n.SetRules(ctx, "live", chat.Rules{}),
		"Advance":  n.Advance(ctx, "live", "n", 1, []byte("x")),
		"Resign":   n.Resign(ctx, "live", "n"),
		"PutState": n.Rooms().PutState(ctx, chat.RoomState{Room: "live"}, time.Second),
	}
	_, errs["Subscribe"] = n.Subscribe(ctx, "live", NewRecorder())
	_, errs["Append"] = n.Append(ctx, "live", []byte("x"), []byte("x"))
	_, errs["Read"] = n.Read(ctx, "live", "", 1)
	_, errs["Ticks"] = n.Ticks(ctx, "live", 0, 1)
	_, errs["Rules"] = n.Rules(ctx, "live")
	_, errs["Tail"] = n.Tail(ctx, "live", 1)
	_, errs["Lead"] = n.Lead(ctx, "live", "n", time.Second)
	_, errs["State"] = n.Rooms().State(ctx, "live")
	return errs
}

func cancelledContext(t contract) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for call, err := range calls(ctx, t.join()) {
		if !errors.Is(err, chat.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context = %v, want ErrUnavailable and context.Canceled", call, err)
		}
	}
}

func closedBroker(t contract) {
	a := t.join()
	if err := a.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for call, err := range calls(t.Context(), a) {
		if !errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("%s on a closed broker = %v, want ErrUnavailable", call, err)
		}
	}
}

func closeEndsSubscriptions(t contract) {
	a := t.join()
	var closed atomic.Bool
	s := t.subscribeHandler(a, "live", funcHandler(func([]byte) {
		if closed.Load() {
			t.Error("a call after the broker's Close returned")
		}
	}))
	for range 100 {
		t.publish(a, "live", "x")
	}
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	closed.Store(true)
	if err := s.Close(); err != nil {
		t.Errorf("Close of the subscription: %v", err)
	}
}
