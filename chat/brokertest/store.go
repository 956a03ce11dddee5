package brokertest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"barrage/chat"
)

func leaseExclusive(t *testing.T, join func() Node) {
	a, b := join(), join()
	first := lead(t, a, "live", "a", time.Minute)
	if !first.Held || first.Holder != "a" || first.Epoch == "" || first.Seq != 0 {
		t.Errorf("first Lead = %+v, want held by a, an epoch, seq 0", first)
	}
	second := lead(t, b, "live", "b", time.Minute)
	if want := (chat.Lease{Holder: "a", Epoch: first.Epoch}); second != want {
		t.Errorf("Lead of another node = %+v, want %+v", second, want)
	}
}

func leaseRenewed(t *testing.T, join func() Node) {
	a, b := join(), join()
	lead(t, a, "live", "a", brief)
	if renewed := lead(t, a, "live", "a", time.Minute); !renewed.Held {
		t.Errorf("renewal = %+v, want held", renewed)
	}
	// A lease of the same length, taken later, ends later: the first is over when this one is.
	lead(t, a, "witness", "a", brief)
	eventually(t, "the witness's lease ends", func() bool { return lead(t, b, "witness", "b", brief).Held })
	if other := lead(t, b, "live", "b", time.Minute); other.Held {
		t.Errorf("Lead of another node after the first ttl = %+v, want not held", other)
	}
}

func leaseExpires(t *testing.T, join func() Node) {
	a, b := join(), join()
	begin := time.Now()
	lead(t, a, "live", "a", brief)
	eventually(t, "b leads when a's lease ends", func() bool { return lead(t, b, "live", "b", time.Minute).Held })
	if took := time.Since(begin); took < brief*9/10 {
		t.Errorf("the lease of %v passed on after %v", brief, took)
	}
	if back := lead(t, a, "live", "a", time.Minute); back.Held || back.Holder != "b" {
		t.Errorf("Lead of the old leader = %+v, want held by b", back)
	}
}

func epochOutlivesLease(t *testing.T, join func() Node) {
	a, b := join(), join()
	first := lead(t, a, "live", "a", time.Minute)
	advance(t, a, "live", "a", 7)
	if renewed := lead(t, a, "live", "a", time.Minute); renewed.Seq != 7 || renewed.Epoch != first.Epoch {
		t.Errorf("renewal = %+v, want epoch %s, seq 7", renewed, first.Epoch)
	}
	if err := a.Resign(t.Context(), "live", "a"); err != nil {
		t.Fatalf("Resign: %v", err)
	}
	next := lead(t, b, "live", "b", time.Minute)
	if want := (chat.Lease{Held: true, Holder: "b", Epoch: first.Epoch, Seq: 7}); next != want {
		t.Errorf("Lead of the successor = %+v, want %+v", next, want)
	}
	advance(t, b, "live", "b", 8)
}

func epochPerRoom(t *testing.T, join func() Node) {
	a := join()
	epochs := make(map[string]bool)
	for i := range 20 {
		epochs[lead(t, a, fmt.Sprintf("room-%d", i), "a", time.Minute).Epoch] = true
	}
	if len(epochs) != 20 {
		t.Errorf("20 rooms have %d epochs", len(epochs))
	}
	advance(t, a, "room-0", "a", 5)
	if l := lead(t, a, "room-1", "a", time.Minute); l.Seq != 0 {
		t.Errorf("seq of another room = %d, want 0", l.Seq)
	}
}

func advancePublishes(t *testing.T, join func() Node) {
	a, b := join(), join()
	r := subscribe(t, b, "live")
	lead(t, a, "live", "a", time.Minute)
	for seq, frame := range opaque() {
		if err := a.Advance(t.Context(), "live", "a", uint64(seq+1), []byte(frame)); err != nil {
			t.Fatalf("Advance: %v", err)
		}
	}
	r.waitFrames(t, opaque()...)
	if l := lead(t, a, "live", "a", time.Minute); l.Seq != uint64(len(opaque())) {
		t.Errorf("seq = %d, want %d", l.Seq, len(opaque()))
	}
}

func wantNotLeader(t *testing.T, n Node, node string, seq uint64) {
	t.Helper()
	if err := n.Advance(t.Context(), "live", node, seq, []byte("wrong")); !errors.Is(err, chat.ErrNotLeader) {
		t.Errorf("Advance(%q, %d) = %v, want ErrNotLeader", node, seq, err)
	}
}

func advanceNeedsLease(t *testing.T, join func() Node) {
	a, b := join(), join()
	r := subscribe(t, b, "live")
	wantNotLeader(t, a, "a", 1)
	lead(t, a, "live", "a", brief)
	wantNotLeader(t, b, "b", 1)
	eventually(t, "a's lease ends", func() bool { return lead(t, b, "live", "b", time.Minute).Held })
	wantNotLeader(t, a, "a", 1)
	publish(t, a, "live", "last")
	r.waitFrames(t, "last")
}

func advanceNeedsGrowth(t *testing.T, join func() Node) {
	a, b := join(), join()
	r := subscribe(t, b, "live")
	lead(t, a, "live", "a", time.Minute)
	wantNotLeader(t, a, "a", 0)
	for _, seq := range []uint64{1, 2, 10} {
		if err := a.Advance(t.Context(), "live", "a", seq, fmt.Append(nil, seq)); err != nil {
			t.Errorf("Advance(%d): %v", seq, err)
		}
		wantNotLeader(t, a, "a", seq)
		wantNotLeader(t, a, "a", seq-1)
	}
	if l := lead(t, a, "live", "a", time.Minute); !l.Held || l.Seq != 10 {
		t.Errorf("Lead = %+v, want held at seq 10", l)
	}
	publish(t, a, "live", "last")
	r.waitFrames(t, "1", "2", "10", "last")
}

func advanceEmptyFrame(t *testing.T, join func() Node) {
	a := join()
	r := subscribe(t, a, "live")
	lead(t, a, "live", "a", time.Minute)
	advance(t, a, "live", "a", 3)
	publish(t, a, "live", "last")
	r.waitFrames(t, "last")
	if l := lead(t, a, "live", "a", time.Minute); l.Seq != 3 {
		t.Errorf("seq = %d, want 3", l.Seq)
	}
}

func resign(t *testing.T, join func() Node) {
	a, b := join(), join()
	lead(t, a, "live", "a", time.Minute)
	if err := a.Resign(t.Context(), "live", "a"); err != nil {
		t.Fatalf("Resign: %v", err)
	}
	wantNotLeader(t, a, "a", 1)
	if l := lead(t, b, "live", "b", time.Minute); !l.Held {
		t.Errorf("Lead after Resign = %+v, want held", l)
	}
}

func resignOther(t *testing.T, join func() Node) {
	a, b := join(), join()
	if err := b.Resign(t.Context(), "live", "b"); err != nil {
		t.Errorf("Resign of nothing: %v", err)
	}
	lead(t, a, "live", "a", time.Minute)
	if err := b.Resign(t.Context(), "live", "b"); err != nil {
		t.Errorf("Resign of another's lease: %v", err)
	}
	advance(t, a, "live", "a", 1)
}

func leaseRace(t *testing.T, join func() Node) {
	nodes := []Node{join(), join(), join()}
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
func leadersNeverMeet(t *testing.T, join func() Node) {
	const ticks = 60
	r := subscribe(t, join(), "live")
	var all sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		n := join()
		all.Go(func() {
			for {
				l, err := n.Lead(t.Context(), "live", name, 3*time.Millisecond)
				if err != nil {
					t.Errorf("Lead: %v", err)
					return
				}
				if l.Seq >= ticks {
					return
				}
				for i := uint64(1); l.Held && i <= 10; i++ {
					err := n.Advance(t.Context(), "live", name, l.Seq+i, fmt.Appendf(nil, "%03d", l.Seq+i))
					if errors.Is(err, chat.ErrNotLeader) {
						break
					}
					if err != nil {
						t.Errorf("Advance: %v", err)
						return
					}
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
