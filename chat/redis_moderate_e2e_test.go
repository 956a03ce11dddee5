//go:build e2e

package chat_test

import (
	"testing"
	"time"

	"barrage/chat"
	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
	"barrage/internal/token"
)

// within says how long after an order everybody must know: a tick and 500 ms.
const within = 600 * time.Millisecond

// TestOrderOverRedis: what a moderator decides on one node is in force on the
// other within a tick and 500 ms, and still there when Redis has crashed and come back.
func TestOrderOverRedis(t *testing.T) {
	r := brokertest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	var st stage
	for i := range st.nodes {
		b, err := redisbroker.New(t.Context(), redisbroker.Options{URL: r.URL()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		st.nodes[i] = start(t, setup{broker: b, config: func(c *chat.Config) { c.Rate, c.Burst = 10, 10 }})
	}
	st.moderator = st.nodes[0].join(t, "live", badge(t, token.RoleModerator, "Mo"))
	pest, pestToo, reader := st.nodes[1].join(t, "live", nil), st.nodes[1].join(t, "live", nil), st.nodes[1].join(t, "live", nil)
	pest.say("1", "first")
	pest.say("2", "second")
	first, second := reader.shown("first")[0].(string), reader.shown("second")[0].(string)
	for _, c := range []struct {
		do     string
		fields map[string]any
		seen   func()
	}{
		{"mute", map[string]any{"who": pest.welcome.You.ID}, func() { pest.event("mute", func(m message) bool { return m.Muted }) }},
		{"pin", map[string]any{"ids": []string{first}}, func() { reader.event("pin", func(m message) bool { return len(m.Pinned) == 1 }) }},
		{"notice", map[string]any{"text": "Be kind."}, func() { reader.event("notice", func(m message) bool { return m.Text == "Be kind." }) }},
		{"slow", map[string]any{"seconds": 5}, func() { reader.event("policy", func(m message) bool { return m.Slow == 5 }) }},
		{"delete", map[string]any{"ids": []string{second}}, func() { reader.event("delete", func(m message) bool { return m.IDs[0] == second }) }},
		{"ban", map[string]any{"who": pestToo.welcome.You.ID}, func() {
			if _, code := pestToo.end(); code != 4005 {
				t.Errorf("banned person closed with %d", code)
			}
		}},
	} {
		begin := time.Now()
		if got := st.moderator.order(c.do, c.fields); got != "done" {
			t.Fatalf("%s: %s", c.do, got)
		}
		c.seen()
		took := time.Since(begin)
		t.Logf("%s: seen on the other node after %v", c.do, took.Round(time.Millisecond))
		if took > within {
			t.Errorf("%s: seen after %v, want at most %v", c.do, took, within)
		}
	}

	r.Kill(t)
	for _, p := range []*page{st.moderator, reader} {
		p.await("degraded", func(m message) bool { return m.Kind == "degraded" && m.Degraded })
	}
	if got := st.moderator.order("unmute", map[string]any{"who": pest.welcome.You.ID}); got != "unavailable" {
		t.Errorf("an order without Redis: %s", got)
	}
	r.Start(t)
	for _, p := range []*page{st.moderator, reader} {
		p.await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
	}
	// A node that starts now knows it from Redis alone.
	b, err := redisbroker.New(t.Context(), redisbroker.Options{URL: r.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	fresh := start(t, setup{broker: b})
	for i, n := range append(st.nodes[:], fresh) {
		late := n.join(t, "live", map[string]any{"token": pest.welcome.You.Token})
		w := late.welcome
		if len(w.Pinned) != 1 || w.Pinned[0][0] != first || w.Notice != "Be kind." || w.Policy.Slow != 5 {
			t.Errorf("node %d: pinned %v, notice %q, slow %d", i, w.Pinned, w.Notice, w.Policy.Slow)
		}
		for _, c := range w.History {
			if c[0] == second {
				t.Errorf("node %d: the deleted comment is in the history", i)
			}
		}
		late.say("3", "still muted?")
		if ack := late.ack("3"); ack[2] != "rejected" || ack[3] != "muted" {
			t.Errorf("node %d: ack = %v", i, ack)
		}
		banned := n.open(t, "live")
		banned.send(map[string]any{"op": "hello", "token": pestToo.welcome.You.Token})
		if bye, code := banned.end(); code != 4005 || bye.RetryMS != -1 {
			t.Errorf("node %d: banned person closed with %d, %+v", i, code, bye)
		}
	}
}
