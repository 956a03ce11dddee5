//go:build e2e

package chat_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"barrage/chat"
	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// overRedis starts two nodes with the default rates, joined by a real Redis.
func overRedis(t *testing.T) (*brokertest.Redis, [2]*node) {
	t.Helper()
	r := brokertest.StartRedis(t)
	return r, [2]*node{over(t, r.URL()), over(t, r.URL())}
}

// over starts a node with the default rates, joined to the others at url.
func over(t *testing.T, url string) *node {
	t.Helper()
	b, err := redisbroker.New(t.Context(), redisbroker.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close broker: %v", err)
		}
	})
	return start(t, setup{broker: b, config: func(c *chat.Config) { c.Rate, c.Burst, c.MaxShownPerSecond = 1, 3, 100 }})
}

// TestHundredSubscribersOverRedis: 40 comments a second for 10 s over two
// nodes; everyone is acked and seen once by everybody.
func TestHundredSubscribersOverRedis(t *testing.T) {
	_, nodes := overRedis(t)
	var pages []*page
	for i := range 100 {
		pages = append(pages, nodes[i%2].join(t, "live", nil))
	}
	pages[0].await("100 viewers", func(m message) bool { return m.Op == "tick" && m.Viewers == 100 })
	const comments = 400
	pace := time.NewTicker(25 * time.Millisecond)
	defer pace.Stop()
	for i := range comments {
		<-pace.C
		pages[i%len(pages)].say(cid(i), cid(i))
	}
	for i := range comments {
		if ack := pages[i%len(pages)].ack(cid(i)); ack[2] != "shown" {
			t.Errorf("ack = %v, want shown", ack)
		}
		for _, p := range pages {
			p.shown(cid(i))
		}
	}
	for j, p := range pages {
		seen := p.texts()
		for i := range comments {
			if seen[cid(i)] != 1 {
				t.Errorf("page %d saw %s %d times", j, cid(i), seen[cid(i)])
			}
		}
	}
	balanced(t, comments, nodes[:]...)
}

// TestRedisHangs: a Redis that stands still for a while costs comments their
// acceptance, but none that was acked.
func TestRedisHangs(t *testing.T) {
	r, nodes := overRedis(t)
	pages := []*page{nodes[0].join(t, "live", nil), nodes[1].join(t, "live", nil)}
	for i, p := range pages {
		p.say("before", cid(i))
		p.ack("before")
	}
	r.Signal(t, syscall.SIGSTOP)
	for i, p := range pages {
		p.await("degraded", func(m message) bool { return m.Kind == "degraded" && m.Degraded })
		p.say("during", "during "+cid(i))
		if ack := p.ack("during"); ack[2] != "rejected" || ack[3] != "unavailable" {
			t.Errorf("ack = %v, want rejected: unavailable", ack)
		}
	}
	r.Signal(t, syscall.SIGCONT)
	begin := time.Now()
	for i, p := range pages {
		p.await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
		p.say("after", "after "+cid(i))
		for _, q := range pages {
			q.shown("after " + cid(i))
		}
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("recovery took %v, want at most 5 s", d)
	}
}

// TestRedisStalls: a comment that is on its way when Redis stands still for
// longer than a command may take ends as its ack says: shown to everybody once, or
// rejected and shown to nobody. Which of the two depends on whether the node still
// believed in Redis when it came.
func TestRedisStalls(t *testing.T) {
	for _, stall := range []time.Duration{1200 * time.Millisecond, 2 * time.Second, 3500 * time.Millisecond} {
		t.Run(stall.String(), func(t *testing.T) {
			r, nodes := overRedis(t)
			pages := []*page{nodes[0].join(t, "live", nil), nodes[1].join(t, "live", nil)}
			for _, p := range pages {
				p.say("before", "before")
				p.ack("before")
			}
			r.Signal(t, syscall.SIGSTOP)
			for i, p := range pages {
				p.say("during", "during "+cid(i))
			}
			<-time.After(stall)
			r.Signal(t, syscall.SIGCONT)
			accepted := len(pages) // those before
			want := make(map[string]int)
			for i, p := range pages {
				last := p.await("the fate of "+cid(i), func(m message) bool { return slices.ContainsFunc(m.A, final) })
				if ack := last.A[slices.IndexFunc(last.A, final)]; ack[2] == "rejected" {
					continue
				}
				accepted++
				want["during "+cid(i)] = 1
				for _, q := range pages {
					q.shown("during " + cid(i))
				}
			}
			balanced(t, accepted, nodes[:]...)
			for i, p := range pages {
				seen := p.texts()
				for j := range pages {
					if text := "during " + cid(j); seen[text] != want[text] {
						t.Errorf("page %d saw %q %d times, want %d", i, text, seen[text], want[text])
					}
				}
			}
		})
	}
}

// final says that an ack is the last word about the comment during the stall.
func final(ack []string) bool { return ack[0] == "during" && ack[2] != "spooled" }

// TestRedisForgets: a Redis that crashes without a disk comes back empty.
func TestRedisForgets(t *testing.T) {
	r, nodes := overRedis(t)
	pages := []*page{nodes[0].join(t, "live", nil), nodes[1].join(t, "live", nil)}
	pages[0].say("before", "before")
	pages[1].shown("before")
	r.Kill(t)
	for _, p := range pages {
		p.await("degraded", func(m message) bool { return m.Kind == "degraded" && m.Degraded })
	}
	r.Start(t)
	for i, p := range pages {
		p.await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
		reset := p.await("reset", func(m message) bool { return m.Op == "reset" })
		if reset.Epoch == p.welcome.Epoch {
			t.Errorf("reset to the same epoch %q", reset.Epoch)
		}
		p.say("after", "after "+cid(i)) // the other one may not be back yet: it reads that later
	}
	for i := range pages {
		for _, q := range pages {
			q.shown("after " + cid(i))
		}
	}
}

// TestRedisCutsPubSub: what the pub/sub connections lose while they are remade,
// again and again, everybody sees all the same.
func TestRedisCutsPubSub(t *testing.T) {
	r, nodes := overRedis(t)
	var pages []*page
	for i := range 60 {
		pages = append(pages, nodes[i%2].join(t, "live", nil))
	}
	const comments = 200
	pace := time.NewTicker(40 * time.Millisecond)
	defer pace.Stop()
	var want []string
	rest := 0
	for i := range comments {
		<-pace.C
		if i%40 == 20 {
			r.Do(t, "CLIENT KILL TYPE pubsub")
		}
		pages[i%len(pages)].say(cid(i), cid(i))
	}
	for i := range comments {
		ack := pages[i%len(pages)].ack(cid(i))
		switch {
		case ack[2] == "shown":
			want = append(want, cid(i))
		case ack[2] == "rest": // what waited comes at once, more than is shown
			rest++
		case ack[2] != "rejected" || ack[3] != "unavailable":
			t.Errorf("ack = %v", ack)
		}
	}
	t.Logf("%d of %d accepted, %d of them shown", len(want)+rest, comments, len(want))
	for _, p := range pages {
		for _, text := range want {
			p.shown(text)
		}
		inOrder(t, p)
	}
	balanced(t, len(want)+rest, nodes[:]...)
}
