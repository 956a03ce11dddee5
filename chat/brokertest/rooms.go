package brokertest

import (
	"slices"
	"time"

	"barrage/chat"
)

func stateZero(t contract) {
	if got, want := t.state(t.join(), "live"), (chat.RoomState{Room: "live"}); got != want {
		t.Errorf("State = %+v, want %+v", got, want)
	}
}

func stateKept(t contract) {
	a, b := t.join(), t.join()
	want := chat.RoomState{
		Room: "live", Session: "s1", Epoch: "e1", Phase: "live", Live: true,
		PDT: 1789900000123, Window: 60000, Latency: 3500, Players: 17,
	}
	t.putState(a, want, time.Minute)
	if got := t.state(b, "live"); got != want {
		t.Errorf("State = %+v, want %+v", got, want)
	}
	if got := t.state(b, "live-2"); got != (chat.RoomState{Room: "live-2"}) {
		t.Errorf("State of another room = %+v, want none", got)
	}
	want.Phase, want.Live = "away", false
	t.putState(b, want, time.Minute)
	if got := t.state(a, "live"); got != want {
		t.Errorf("State = %+v, want %+v", got, want)
	}
}

func stateTold(t contract) {
	a, b := t.join(), t.join()
	seen := []*Recorder{t.subscribe(a, "live"), t.subscribe(b, "live")}
	t.putState(a, chat.RoomState{Room: "live", Phase: "starting"}, time.Minute)
	t.putState(a, chat.RoomState{Room: "live-2", Phase: "ended"}, time.Minute)
	t.putState(a, chat.RoomState{Room: "live", Phase: "live", PDT: 5}, time.Minute)
	for _, r := range seen {
		r.WaitFor(t, `state live "live" 5`)
		if got, want := r.Seen(""), []string{`state live "starting" 0`, `state live "live" 5`}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	}
}

func stateToldToNewcomer(t contract) {
	a, b := t.join(), t.join()
	t.putState(a, chat.RoomState{Room: "live", Phase: "live"}, time.Minute)
	for range 2 { // the first subscription of a node, and one beside it
		t.subscribe(b, "live").WaitFor(t, `state live "live" 0`)
	}
	fresh := t.subscribe(b, "live-2")
	t.publish(b, "live-2", "x")
	fresh.WaitFor(t, "frame x")
	if got := fresh.Seen("state "); len(got) != 0 {
		t.Errorf("told %q of a room without state", got)
	}
}

func stateLapses(t contract) {
	a, b := t.join(), t.join()
	seen := []*Recorder{t.subscribe(a, "live"), t.subscribe(b, "live")}
	begin := time.Now()
	t.putState(a, chat.RoomState{Room: "live", Phase: "live"}, brief)
	for _, r := range seen {
		r.WaitFor(t, `state live "" 0`)
		if got, want := r.Seen(""), []string{`state live "live" 0`, `state live "" 0`}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	if took := time.Since(begin); took < brief*9/10 {
		t.Errorf("a state of %v lapsed after %v", brief, took)
	}
	eventually(t, "the state is gone", func() bool { return t.state(b, "live") == chat.RoomState{Room: "live"} })
}

func stateRenewed(t contract) {
	a, b := t.join(), t.join()
	kept, witness := t.subscribe(b, "live"), t.subscribe(b, "witness")
	t.putState(a, chat.RoomState{Room: "live", Phase: "live"}, brief)
	t.putState(a, chat.RoomState{Room: "live", Phase: "live", PDT: 1}, time.Minute)
	// Put later for as long as the first: when it lapses, the first would have.
	t.putState(a, chat.RoomState{Room: "witness", Phase: "live"}, brief)
	witness.WaitFor(t, `state witness "" 0`)
	if got, want := kept.Seen(""), []string{`state live "live" 0`, `state live "live" 1`}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if got := t.state(b, "live"); got.PDT != 1 {
		t.Errorf("State = %+v, want the renewed one", got)
	}
}

func stateLapsesForNewcomer(t contract) {
	a, b := t.join(), t.join()
	t.putState(a, chat.RoomState{Room: "live", Phase: "live"}, 3*brief)
	r := t.subscribe(b, "live")
	r.WaitFor(t, `state live "" 0`)
}
