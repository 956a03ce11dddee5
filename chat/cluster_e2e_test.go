//go:build e2e

package chat_test

import (
	"bytes"
	"testing"
	"time"

	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// people talk in a room, in turns and slowly enough for everybody's limits.
type people struct {
	pages []*page
	said  int
}

func (p *people) talk(t *testing.T, comments int) {
	t.Helper()
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for range comments {
		<-pace.C
		p.pages[p.said%len(p.pages)].say(cid(p.said), cid(p.said))
		p.said++
	}
}

// check waits for the fate of every comment and holds it against what everybody saw and
// what the log has. It returns how many were refused.
func (p *people) check(t *testing.T, url string) (refused int) {
	t.Helper()
	log := wholeLog(t, url)
	for i := range p.said {
		switch ack := p.pages[i%len(p.pages)].ack(cid(i)); {
		case ack[2] == "rejected" && ack[3] == "unavailable":
			refused++
		case ack[2] != "shown":
			t.Errorf("ack = %v", ack)
		default:
			for _, q := range p.pages {
				q.shown(cid(i))
			}
			if !bytes.Contains(log, []byte(`"`+cid(i)+`"`)) {
				t.Errorf("%s was acked and is not in the log", cid(i))
			}
		}
	}
	for _, q := range p.pages {
		inOrder(t, q)
		for text, n := range q.texts() {
			if n != 1 {
				t.Errorf("%s seen %d times", text, n)
			}
		}
	}
	return refused
}

// wholeLog is all that the log of the room has.
func wholeLog(t *testing.T, url string) (all []byte) {
	t.Helper()
	b, err := redisbroker.New(t.Context(), redisbroker.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	entries, err := b.Tail(t.Context(), "live", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Batch...)
	}
	return all
}

// works says something until it is shown to everybody, and returns how long that took.
func (p *people) works(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		p.talk(t, 1)
		i := p.said - 1
		if ack := p.pages[i%len(p.pages)].ack(cid(i)); ack[2] != "shown" {
			continue
		}
		for _, q := range p.pages {
			q.shown(cid(i))
		}
		return time.Since(begin)
	}
}

// TestClusterMovesAndFails: people talk while the slot of their room moves, connections
// are killed, and the master of their room dies.
func TestClusterMovesAndFails(t *testing.T) {
	c := brokertest.StartCluster(t, "../deploy/redis-cluster.conf")
	var p people
	for _, n := range []*node{over(t, c.URL()), over(t, c.URL())} {
		for range 30 {
			p.pages = append(p.pages, n.join(t, "live", nil))
		}
	}
	resumes := func(what string) {
		t.Helper()
		took := p.works(t)
		t.Logf("%s: resumed in %v", what, took.Round(time.Millisecond))
		if took > 5*time.Second {
			t.Errorf("%s: resumed in %v, want at most 5 s", what, took)
		}
	}
	p.talk(t, 50)
	resumes("before")
	slot := c.Slot(t, c.Find(t, "*:live:log"))
	finish := c.Move(t, slot, c.Masters(t, c.Master(t, slot))[0])
	p.talk(t, 25)
	finish()
	resumes("slot moved")
	p.talk(t, 25)
	for range 3 {
		c.Everywhere(t, "CLIENT KILL TYPE pubsub")
		c.Everywhere(t, "CLIENT KILL TYPE normal")
		p.talk(t, 15)
		resumes("connections killed")
	}
	master := c.Master(t, slot)
	master.Kill(t)
	for c.Master(t, slot) == nil {
		p.talk(t, 5)
	}
	resumes("replica took over")
	p.talk(t, 25)
	resumes("at the end")
	refused := p.check(t, c.URL())
	t.Logf("%d of %d comments refused, the others seen by all", refused, p.said)
}
