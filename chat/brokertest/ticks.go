package brokertest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"barrage/chat"
)

func (t contract) tick(n Node, room string, seq uint64, frame string) {
	t.Helper()
	if err := n.Advance(t.Context(), room, "a", seq, []byte(frame)); err != nil {
		t.Fatalf("Advance(%q, %d): %v", room, seq, err)
	}
}

func (t contract) ticks(n Node, after uint64, count int) []string {
	t.Helper()
	frames, err := n.Ticks(t.Context(), "live", after, count)
	if err != nil {
		t.Fatalf("Ticks(%d, %d): %v", after, count, err)
	}
	var all []string
	for _, f := range frames {
		all = append(all, string(f))
	}
	return all
}

func ticksKept(t contract) {
	a, b := t.join(), t.join()
	if got := t.ticks(a, 0, 5); len(got) != 0 {
		t.Errorf("Ticks of a room without any = %q", got)
	}
	t.lead(a, "live", "a", time.Minute)
	for i, frame := range opaque() {
		t.tick(a, "live", uint64(i+1), frame)
	}
	t.tick(a, "live", 20, "twenty") // a number may be left out
	t.advance(a, "live", "a", 21)   // no frame
	t.tick(a, "live", 22, "last")
	want := append(opaque(), "twenty", "last")
	for _, c := range []struct {
		after uint64
		n     int
		want  []string
	}{
		{0, 100, want},
		{0, 2, want[:2]},
		{2, 3, want[2:5]},
		{uint64(len(opaque())), 9, want[len(opaque()):]},
		{19, 9, want[len(want)-2:]},
		{20, 9, want[len(want)-1:]},
		{21, 9, want[len(want)-1:]},
		{22, 9, nil},
		{1 << 60, 9, nil},
		{0, 0, nil},
		{0, -1, nil},
	} {
		if got := t.ticks(b, c.after, c.n); !slices.Equal(got, c.want) {
			t.Errorf("Ticks(%d, %d) = %.200q, want %.200q", c.after, c.n, got, c.want)
		}
	}
}

func ticksNotRefused(t contract) {
	a, b := t.join(), t.join()
	t.lead(a, "live", "a", time.Minute)
	t.tick(a, "live", 1, "one")
	t.wantNotLeader(a, "a", 1)
	t.wantNotLeader(b, "b", 2)
	if got := t.ticks(b, 0, 9); !slices.Equal(got, []string{"one"}) {
		t.Errorf("Ticks = %q, want only the one that was numbered", got)
	}
}

func ticksPerRoom(t contract) {
	a := t.join()
	for _, room := range []string{"live", "live-2"} {
		t.lead(a, room, "a", time.Minute)
		t.tick(a, room, 1, room)
	}
	if got := t.ticks(a, 0, 9); !slices.Equal(got, []string{"live"}) {
		t.Errorf("Ticks = %q, want the room's own", got)
	}
}

// ticksBeforePublish: who hears a number can read all ticks up to it.
func ticksBeforePublish(t contract) {
	a, b := t.join(), t.join()
	read := make(chan int, 1)
	t.subscribeHandler(b, "live", funcHandler(func([]byte) {
		frames, err := b.Ticks(t.Context(), "live", 0, 9)
		if err != nil {
			t.Errorf("Ticks: %v", err)
		}
		read <- len(frames)
	}))
	t.lead(a, "live", "a", time.Minute)
	t.tick(a, "live", 1, "one")
	if n := <-read; n != 1 {
		t.Errorf("%d ticks in the log when the first was heard", n)
	}
}

func ticksBounded(t contract) {
	a := t.join()
	t.lead(a, "live", "a", time.Minute)
	const more = 100
	for seq := range uint64(chat.TickLogLength + more) {
		t.tick(a, "live", seq+1, fmt.Sprint(seq+1))
	}
	all := t.ticks(a, 0, 2*chat.TickLogLength)
	if len(all) != chat.TickLogLength || all[0] != fmt.Sprint(more+1) || all[len(all)-1] != fmt.Sprint(chat.TickLogLength+more) {
		t.Errorf("%d ticks, want the last %d", len(all), chat.TickLogLength)
	}
}

func ticksBoundedBytes(t contract) {
	a := t.join()
	t.lead(a, "live", "a", time.Minute)
	large := strings.Repeat("x", chat.TickLogBytes/8)
	for seq := range uint64(20) {
		t.tick(a, "live", seq+1, large)
	}
	if got := t.ticks(a, 0, 100); len(got) != 8 {
		t.Errorf("%d ticks of an eighth of the bound, want 8", len(got))
	}
	t.tick(a, "live", 21, strings.Repeat("y", chat.TickLogBytes+1))
	if got := t.ticks(a, 0, 100); len(got) != 1 || got[0][0] != 'y' {
		t.Errorf("%d ticks, want only the newest, which alone is above the bound", len(got))
	}
}

func (t contract) rules(n Node, room string) chat.Rules {
	t.Helper()
	r, err := n.Rules(t.Context(), room)
	if err != nil {
		t.Fatalf("Rules(%q): %v", room, err)
	}
	return r
}

func (t contract) setRules(n Node, version uint64, body string) {
	t.Helper()
	if err := n.SetRules(t.Context(), "live", chat.Rules{Version: version, Body: []byte(body)}); err != nil {
		t.Fatalf("SetRules(%d, %q): %v", version, body, err)
	}
}

func rulesNone(t contract) {
	if r := t.rules(t.join(), "live"); r.Version != 0 || len(r.Body) != 0 {
		t.Errorf("Rules = %+v, want none", r)
	}
}

func rulesKept(t contract) {
	a, b := t.join(), t.join()
	for i, body := range opaque() {
		t.setRules(a, uint64(i), body)
		if r := t.rules(b, "live"); r.Version != uint64(i+1) || string(r.Body) != body {
			t.Errorf("Rules = %d %.200q, want %d %.200q", r.Version, r.Body, i+1, body)
		}
	}
	body := []byte("mine")
	if err := a.SetRules(t.Context(), "other", chat.Rules{Body: body}); err != nil {
		t.Fatal(err)
	}
	copy(body, "your")
	if r := t.rules(b, "other"); string(r.Body) != "mine" || r.Version != 1 {
		t.Errorf("Rules of another room = %d %q, want 1 mine", r.Version, r.Body)
	}
}

func rulesConflict(t contract) {
	a, b := t.join(), t.join()
	t.setRules(a, 0, "one")
	t.setRules(a, 1, "two")
	for _, version := range []uint64{0, 1, 3, 1 << 60} {
		err := b.SetRules(t.Context(), "live", chat.Rules{Version: version, Body: []byte("wrong")})
		if !errors.Is(err, chat.ErrConflict) || errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("SetRules of version %d = %v, want ErrConflict", version, err)
		}
	}
	if r := t.rules(b, "live"); r.Version != 2 || string(r.Body) != "two" {
		t.Errorf("Rules = %d %q, want 2 two", r.Version, r.Body)
	}
}

func rulesRace(t contract) {
	nodes := []Node{t.join(), t.join()}
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for version := range uint64(10) {
				err := nodes[i%2].SetRules(t.Context(), "live", chat.Rules{Version: version, Body: fmt.Append(nil, i)})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, chat.ErrConflict):
					t.Errorf("SetRules: %v", err)
				}
			}
		})
	}
	all.Wait()
	if r := t.rules(nodes[0], "live"); r.Version != uint64(won.Load()) || r.Version == 0 {
		t.Errorf("version %d after %d changes", r.Version, won.Load())
	}
}

func rulesInLease(t contract) {
	a, b := t.join(), t.join()
	t.setRules(a, 0, "one")
	t.setRules(b, 1, "two")
	if l := t.lead(a, "live", "a", time.Minute); l.RulesVersion != 2 {
		t.Errorf("Lead = %+v, want version 2 of the rules", l)
	}
	t.setRules(b, 2, "three")
	if l := t.lead(b, "live", "b", time.Minute); l.Held || l.RulesVersion != 3 {
		t.Errorf("Lead of who does not = %+v, want version 3 of the rules", l)
	}
}

func rulesTooLarge(t contract) {
	a := t.join()
	t.setRules(a, 0, string(bytes.Repeat([]byte("x"), chat.MaxRules)))
	if err := a.SetRules(t.Context(), "live", chat.Rules{Version: 1, Body: make([]byte, chat.MaxRules+1)}); err == nil {
		t.Error("rules above the bound are taken")
	}
	if r := t.rules(a, "live"); r.Version != 1 || len(r.Body) != chat.MaxRules {
		t.Errorf("Rules = %d of %d bytes, want 1 of %d", r.Version, len(r.Body), chat.MaxRules)
	}
}
