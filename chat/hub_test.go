package chat_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"barrage/chat"
)

func TestWelcomeAndComment(t *testing.T) {
	n := start(t, setup{})
	a := n.join(t, "live", map[string]any{"nick": " 小\u202e明 "})
	b := n.join(t, "live", nil)
	w := a.welcome
	if w.Epoch == "" || w.You.Nick != "小明" || w.You.Role != "viewer" || w.You.Token == "" || w.Policy.Tick != 100 || w.Policy.Delay != 400 || w.Degraded {
		t.Errorf("welcome = %+v", w)
	}
	if !regexp.MustCompile(`^guest-[a-z0-9]{4}$`).MatchString(b.welcome.You.Nick) || b.welcome.You.ID == w.You.ID {
		t.Errorf("a guest without a nick = %+v", b.welcome.You)
	}
	if a.conn.Subprotocol() != chat.Subprotocol {
		t.Errorf("subprotocol = %q", a.conn.Subprotocol())
	}
	a.send(map[string]any{"op": "send", "cid": "x", "text": " バルス!!\u200b ", "mode": "top", "color": "#FF0000"})
	c := b.shown("バルス!!")
	ack := a.ack("x")
	if ack[2] != "shown" || ack[1] != c[0] {
		t.Errorf("ack = %v, comment = %v", ack, c)
	}
	if c[2] != w.You.ID || c[3] != "小明" || c[5] != "top" || c[6] != "#ff0000" || c[7] != "viewer" {
		t.Errorf("comment = %v", c)
	}
	a.shown("バルス!!")
	b.await("two viewers", func(m message) bool { return m.Op == "tick" && m.Viewers == 2 })
	balanced(t, 1, n)
}

func TestRejections(t *testing.T) {
	n := start(t, setup{config: func(c *chat.Config) { c.Rate, c.Burst = 0.01, 2 }})
	for _, c := range []struct {
		what string
		msg  map[string]any
		want string
	}{
		{"201 runes", map[string]any{"text": strings.Repeat("草", 201)}, "too_long"},
		{"601 bytes", map[string]any{"text": strings.Repeat("😀", 151)}, "too_long"},
		{"nothing visible", map[string]any{"text": " \u200b\u3164 "}, "empty"},
		{"mode", map[string]any{"text": "a", "mode": "fly"}, "bad_mode"},
		{"colour", map[string]any{"text": "a", "color": "red"}, "bad_color"},
	} {
		p := n.join(t, "live", nil)
		c.msg["op"], c.msg["cid"] = "send", "x"
		p.send(c.msg)
		if ack := p.ack("x"); ack[2] != "rejected" || ack[3] != c.want {
			t.Errorf("%s: ack = %v, want rejected %s", c.what, ack, c.want)
		}
	}
	p := n.join(t, "live", nil)
	p.say("1", "one")
	p.say("2", "two")
	p.say("3", "three")
	if ack := p.ack("3"); ack[2] != "rejected" || ack[3] != "too_fast" {
		t.Errorf("third comment of a burst of two: %v", ack)
	}
	if e := p.await("error", func(m message) bool { return m.Op == "error" }); e.Code != "too_fast" || e.RetryMS < 90_000 {
		t.Errorf("error = %+v, want too_fast with about 100 s", e)
	}
	if ack := p.ack("2"); ack[2] != "shown" {
		t.Errorf("second comment: %v", ack)
	}
	balanced(t, 2, n)
	if got := n.metric(t, "comments_rejected_total"); got != 6 {
		t.Errorf("rejected = %v, want 6", got)
	}
}

func TestResendIsNotASecondComment(t *testing.T) {
	n := start(t, setup{})
	p := n.join(t, "live", nil)
	p.say("x", "once")
	first := p.ack("x")
	p.leave()
	again := n.join(t, "live", map[string]any{"token": p.welcome.You.Token})
	if again.welcome.You.ID != p.welcome.You.ID {
		t.Fatalf("the token gives %q, want the same author %q", again.welcome.You.ID, p.welcome.You.ID)
	}
	again.say("x", "once")
	if ack := again.ack("x"); ack[1] != first[1] || ack[2] != "shown" {
		t.Errorf("ack of the resend = %v, want that of the first: %v", ack, first)
	}
	other := n.join(t, "live", nil)
	other.say("x", "mine")
	if ack := other.ack("x"); ack[1] == first[1] {
		t.Errorf("another author's equal cid got %v", ack)
	}
	balanced(t, 2, n)
}

func TestHistory(t *testing.T) { synctest.Test(t, testHistory) }

func testHistory(t *testing.T) {
	broker := newMemory(t)
	n := start(t, setup{broker: broker, pipes: true})
	p := n.join(t, "live", nil)
	for i := range 60 {
		p.say(cid(i), fmt.Sprintf("text %d", i))
		p.ack(cid(i))
	}
	check := func(what string, w message) {
		t.Helper()
		if len(w.History) != 50 || w.History[0][4] != "text 10" || w.History[49][4] != "text 59" {
			t.Errorf("%s: history of %d: %v", what, len(w.History), w.History)
		}
	}
	late := n.join(t, "live", nil)
	check("same node", late.welcome)
	if late.welcome.Counters.Comments != 60 {
		t.Errorf("counters = %+v, want 60 comments", late.welcome.Counters)
	}
	check("other node, from the log", start(t, setup{broker: broker, pipes: true}).join(t, "live", nil).welcome)
}

func TestResume(t *testing.T) { synctest.Test(t, testResume) }

func testResume(t *testing.T) {
	n := start(t, setup{pipes: true})
	p := n.join(t, "live", nil)
	q := n.join(t, "live", nil)
	p.say("1", "one")
	seq := p.await("tick", func(m message) bool { return len(m.C) == 1 }).Seq
	q.shown("one")
	q.leave()
	p.say("2", "two")
	p.shown("two")
	p.say("3", "three")
	p.shown("three")
	resume := func(epoch string, seq uint64) *page {
		return n.join(t, "live", map[string]any{"resume": map[string]any{"epoch": epoch, "seq": seq}})
	}
	back := resume(q.welcome.Epoch, seq)
	back.shown("two")
	back.shown("three")
	if !back.welcome.Resumed || len(back.welcome.History) != 0 || back.texts()["one"] != 0 {
		t.Errorf("resumed = %+v, saw %v", back.welcome, back.texts())
	}
	for what, w := range map[string]message{
		"another epoch": resume("other", seq).welcome,
		"the future":    resume(q.welcome.Epoch, seq+1000).welcome,
	} {
		if w.Resumed || len(w.History) != 3 {
			t.Errorf("%s: welcome = %+v, want the history", what, w)
		}
	}
	for i := range 140 { // more than the ring holds, one tick each
		p.say(cid(i), cid(i))
		p.ack(cid(i))
	}
	for range 3 {
		late := resume(q.welcome.Epoch, seq)
		late.shown(cid(139))
		if !late.welcome.Resumed || len(late.welcome.History) != 0 || late.texts()["two"] != 1 {
			t.Errorf("later than the ring lasts: %+v, saw %v", late.welcome, late.texts())
		}
		last := seq
		for _, m := range late.messages() {
			if m.Op == "tick" && m.Seq != last+1 || m.Op == "gap" {
				t.Errorf("%s %d after tick %d", m.Op, m.Seq, last)
			}
			if m.Op == "tick" {
				last = m.Seq
			}
		}
	}
	for i := range 260 { // more than is read for those who come late
		p.say(cid(i+140), cid(i+140))
		p.ack(cid(i + 140))
	}
	lost := resume(q.welcome.Epoch, seq)
	gap := lost.await("gap", func(m message) bool { return m.Op == "gap" })
	if lost.welcome.Resumed || gap.From != seq+1 || gap.To != lost.welcome.Seq || len(lost.welcome.History) != 50 {
		t.Errorf("too late: welcome = %+v, gap = %+v", lost.welcome, gap)
	}
}

func TestTwoNodesOneRoom(t *testing.T) {
	broker := newMemory(t)
	roomy := func(c *chat.Config) { c.MaxShownPerSecond = 1000 }
	nodes := []*node{start(t, setup{broker: broker, config: roomy}), start(t, setup{broker: broker, config: roomy})}
	var pages []*page
	for i := range 20 {
		pages = append(pages, nodes[i%2].join(t, "live", nil))
	}
	pages[0].await("20 viewers", func(m message) bool { return m.Op == "tick" && m.Viewers == 20 })
	const each = 5
	for i := range each {
		for j, p := range pages {
			p.say(cid(i), fmt.Sprintf("%d of %d", i, j))
		}
	}
	for j, p := range pages {
		for i := range each {
			if ack := p.ack(cid(i)); ack[2] != "shown" {
				t.Errorf("page %d: %v", j, ack)
			}
			for _, q := range pages {
				q.shown(fmt.Sprintf("%d of %d", i, j))
			}
		}
	}
	for j, p := range pages {
		for text, times := range p.texts() {
			if times != 1 {
				t.Errorf("page %d saw %q %d times", j, text, times)
			}
		}
		last := uint64(0)
		for _, m := range p.messages() {
			if m.Op == "tick" && last != 0 && m.Seq != last+1 {
				t.Errorf("page %d: tick %d after %d", j, m.Seq, last)
			}
			if m.Op == "tick" {
				last = m.Seq
			}
		}
	}
	balanced(t, each*len(pages), nodes...)
}
