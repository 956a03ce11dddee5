package brokertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"barrage/chat"
)

func leaseExclusive(t contract) {
	a, b := t.join(), t.join()
	first := t.lead(a, "live", "a", time.Minute)
	if !first.Held || first.Holder != "a" || first.Epoch == "" || first.Seq != 0 {
		t.Errorf("first Lead = %+v, want held by a, an epoch, seq 0", first)
	}
	second := t.lead(b, "live", "b", time.Minute)
	if want := (chat.Lease{Holder: "a", Epoch: first.Epoch}); second != want {
		t.Errorf("Lead of another node = %+v, want %+v", second, want)
	}
}

func leaseRenewed(t contract) {
	a, b := t.join(), t.join()
	t.lead(a, "live", "a", brief)
	if renewed := t.lead(a, "live", "a", time.Minute); !renewed.Held {
		t.Errorf("renewal = %+v, want held", renewed)
	}
	// A lease of the same length, taken later, ends later: the first is over when this one is.
	t.lead(a, "witness", "a", brief)
	eventually(t, "the witness's lease ends", func() bool { return t.lead(b, "witness", "b", brief).Held })
	if other := t.lead(b, "live", "b", time.Minute); other.Held {
		t.Errorf("Lead of another node after the first ttl = %+v, want not held", other)
	}
}

func leaseExpires(t contract) {
	a, b := t.join(), t.join()
	begin := time.Now()
	t.lead(a, "live", "a", brief)
	eventually(t, "b leads when a's lease ends", func() bool { return t.lead(b, "live", "b", time.Minute).Held })
	if took := time.Since(begin); took < brief*9/10 {
		t.Errorf("the lease of %v passed on after %v", brief, took)
	}
	if back := t.lead(a, "live", "a", time.Minute); back.Held || back.Holder != "b" {
		t.Errorf("Lead of the old leader = %+v, want held by b", back)
	}
}

func epochOutlivesLease(t contract) {
	a, b := t.join(), t.join()
	first := t.lead(a, "live", "a", time.Minute)
	t.advance(a, "live", "a", 7)
	if renewed := t.lead(a, "live", "a", time.Minute); renewed.Seq != 7 || renewed.Epoch != first.Epoch {
		t.Errorf("renewal = %+v, want epoch %s, seq 7", renewed, first.Epoch)
	}
	if err := a.Resign(t.Context(), "live", "a"); err != nil {
		t.Fatalf("Resign: %v", err)
	}
	next := t.lead(b, "live", "b", time.Minute)
	if want := (chat.Lease{Held: true, Holder: "b", Epoch: first.Epoch, Seq: 7}); next != want {
		t.Errorf("Lead of the successor = %+v, want %+v", next, want)
	}
	t.advance(b, "live", "b", 8)
}

func epochPerRoom(t contract) {
	a := t.join()
	epochs := make(map[string]bool)
	for i := range 20 {
		epochs[t.lead(a, fmt.Sprintf("room-%d", i), "a", time.Minute).Epoch] = true
	}
	if len(epochs) != 20 {
		t.Errorf("20 rooms have %d epochs", len(epochs))
	}
	t.advance(a, "room-0", "a", 5)
	if l := t.lead(a, "room-1", "a", time.Minute); l.Seq != 0 {
		t.Errorf("seq of another room = %d, want 0", l.Seq)
	}
}

func advancePublishes(t contract) {
	a, b := t.join(), t.join()
	r := t.subscribe(b, "live")
	t.lead(a, "live", "a", time.Minute)
	for seq, frame := range opaque() {
		if err := a.Advance(t.Context(), "live", "a", uint64(seq+1), []byte(frame)); err != nil {
			t.Fatalf("Advance: %v", err)
		}
	}
	r.waitFrames(t, opaque()...)
	if l := t.lead(a, "live", "a", time.Minute); l.Seq != uint64(len(opaque())) {
		t.Errorf("seq = %d, want %d", l.Seq, len(opaque()))
	}
}

func (t contract) wantNotLeader(n Node, node string, seq uint64) {
	t.Helper()
	if err := n.Advance(t.Context(), "live", node, seq, []byte("wrong")); !errors.Is(err, chat.ErrNotLeader) {
		t.Errorf("Advance(%q, %d) = %v, want ErrNotLeader", node, seq, err)
	}
}

func advanceNeedsLease(t contract) {
	a, b := t.join(), t.join()
	r := t.subscribe(b, "live")
	t.wantNotLeader(a, "a", 1)
	t.lead(a, "live", "a", brief)
	t.wantNotLeader(b, "b", 1)
	eventually(t, "a's lease ends", func() bool { return t.lead(b, "live", "b", time.Minute).Held })
	t.wantNotLeader(a, "a", 1)
	t.publish(a, "live", "last")
	r.waitFrames(t, "last")
}

func advanceNeedsGrowth(t contract) {
	a, b := t.join(), t.join()
	r := t.subscribe(b, "live")
	t.lead(a, "live", "a", time.Minute)
	t.wantNotLeader(a, "a", 0)
	for _, seq := range []uint64{1, 2, 10} {
		if err := a.Advance(t.Context(), "live", "a", seq, fmt.Append(nil, seq)); err != nil {
			t.Errorf("Advance(%d): %v", seq, err)
		}
		t.wantNotLeader(a, "a", seq)
		t.wantNotLeader(a, "a", seq-1)
	}
	if l := t.lead(a, "live", "a", time.Minute); !l.Held || l.Seq != 10 {
		t.Errorf("Lead = %+v, want held at seq 10", l)
	}
	t.publish(a, "live", "last")
	r.waitFrames(t, "1", "2", "10", "last")
}

func advanceEmptyFrame(t contract) {
	a := t.join()
	r := t.subscribe(a, "live")
	t.lead(a, "live", "a", time.Minute)
	t.advance(a, "live", "a", 3)
	t.publish(a, "live", "last")
	r.waitFrames(t, "last")
	if l := t.lead(a, "live", "a", time.Minute); l.Seq != 3 {
		t.Errorf("seq = %d, want 3", l.Seq)
	}
}

func resign(t contract) {
	a, b := t.join(), t.join()
	t.lead(a, "live", "a", time.Minute)
	if err := a.Resign(t.Context(), "live", "a"); err != nil {
		t.Fatalf("Resign: %v", err)
	}
	t.wantNotLeader(a, "a", 1)
	if l := t.lead(b, "live", "b", time.Minute); !l.Held {
		t.Errorf("Lead after Resign = %+v, want held", l)
	}
}

func resignOther(t contract) {
	a, b := t.join(), t.join()
	if err := b.Resign(t.Context(), "live", "b"); err != nil {
		t.Errorf("Resign of nothing: %v", err)
	}
	t.lead(a, "live", "a", time.Minute)
	if err := b.Resign(t.Context(), "live", "b"); err != nil {
		t.Errorf("Resign of another's lease: %v", err)
	}
	t.advance(a, "live", "a", 1)
}

func leaseRace(t contract) {
	nodes := []Node{t.join(), t.join(), t.join()}
	var held atomic.Int32
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			l, err := nodes[i%3].Lead(t.Context(), "live", fmt.Sprintf("node-%d", i), time.Minute)
			if err != nil {
				t.Errorf("Lead: %v", err)
			}
			if l.Held {
				held.Add(1)
			}
		})
	}
	all.Wait()
	if held.Load() != 1 {
		t.Errorf("%d of 12 candidates lead, want 1", held.Load())
	}
}

// leadersNeverMeet lets two nodes fight for very short leases: whatever
// happens, the room's numbers reach a subscriber in order, each once.
func leadersNeverMeet(t contract) {
	const ticks = 60
	r := t.subscribe(t.join(), "live")
	var all sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		n := t.join()
		all.Go(func() {
			for seq := uint64(0); seq < ticks; {
				var err error
				if seq, err = reign(t.Context(), n, name); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	all.Wait()
	frames := r.Wait(t, "all ticks", func(all []string) bool { return len(only(all, "frame ")) >= ticks })
	for i, frame := range only(frames, "frame ") {
		if want := fmt.Sprintf("%03d", i+1); frame != want {
			t.Fatalf("tick %d = %q, want %q", i, frame, want)
		}
	}
}

// reign asks for a lease of 3 ms and numbers up to ten ticks while it lasts. It
// returns the number that the lease began with.
func reign(ctx context.Context, n Node, name string) (uint64, error) {
	l, err := n.Lead(ctx, "live", name, 3*time.Millisecond)
	for seq := l.Seq + 1; err == nil && l.Held && seq <= l.Seq+10; seq++ {
		err = n.Advance(ctx, "live", name, seq, fmt.Appendf(nil, "%03d", seq))
	}
	if errors.Is(err, chat.ErrNotLeader) {
		err = nil
	}
	return l.Seq, err
}
