//go:build e2e

package chat_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"barrage/chat"
	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// spooling starts a node over a real Redis, with a spool.
func spooling(t *testing.T, url string) (*node, *redisbroker.Broker) {
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
	return start(t, setup{broker: b, spool: t.TempDir(), config: func(c *chat.Config) { c.MaxShownPerSecond = 1000 }}), b
}

// outage is a talk on two nodes, of one writer each, that a Redis does not last through.
type outage struct {
	redis *brokertest.Redis
	nodes [2]*node
	pages [2]*page
	log   chat.Log
	said  [2]int
	also  int // said beside
	end   func()
}

func startOutage(t *testing.T, redis *brokertest.Redis) *outage {
	t.Helper()
	o := &outage{redis: redis}
	for i := range o.nodes {
		n, b := spooling(t, redis.URL())
		o.nodes[i], o.pages[i], o.log = n, n.join(t, "live", nil), b
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i, p := range o.pages {
		writers.Go(func() {
			pace := time.NewTicker(100 * time.Millisecond)
			defer pace.Stop()
			for ; ; o.said[i]++ {
				select {
				case <-stop:
					return
				case <-pace.C:
					p.say(fmt.Sprint(i)+cid(o.said[i]), fmt.Sprint(i)+cid(o.said[i]))
				}
			}
		})
	}
	o.end = sync.OnceFunc(func() { close(stop); writers.Wait() })
	t.Cleanup(o.end)
	return o
}

// judge checks that everything that was acknowledged is in the log and in ticks, once.
func (o *outage) judge(t *testing.T) {
	t.Helper()
	o.end()
	total, spooled, rejected := 0, 0, 0
	for i, p := range o.pages {
		for j := range o.said[i] {
			switch ack := p.ack(fmt.Sprint(i) + cid(j)); ack[2] {
			case "spooled":
				spooled++
			case "rejected":
				rejected++
			}
			total++
		}
		last := fmt.Sprint(i) + cid(o.said[i]-1)
		for _, q := range o.pages {
			q.inTick(last)
		}
	}
	t.Logf("%d said, %d of them kept on disk meanwhile, %d rejected", total, spooled, rejected)
	if spooled == 0 || rejected > 0 {
		t.Error("want comments kept, and none rejected")
	}
	for i := range o.pages {
		once(t, o.log, fmt.Sprint(i), o.said[i], o.pages[:]...)
		inOrder(t, o.pages[i])
	}
	balanced(t, total+o.also, o.nodes[:]...)
}

// TestRedisIsKilled: kill -9 of a durable Redis for a while, with two nodes: nothing
// that was acknowledged is lost or doubled, and it goes on within 5 s.
func TestRedisIsKilled(t *testing.T) {
	o := startOutage(t, brokertest.StartRedis(t, "--appendonly", "yes"))
	for i, p := range o.pages {
		p.inTick(fmt.Sprint(i) + cid(20))
	}
	others := [2]*page{o.nodes[0].join(t, "live", nil), o.nodes[1].join(t, "live", nil)}
	o.redis.Kill(t)
	for _, p := range others {
		p.await("degraded", func(m message) bool { return m.Kind == "degraded" && m.Reason == "apart" })
	}
	<-time.After(8 * time.Second)
	o.redis.Start(t)
	begin := time.Now()
	for i, p := range others {
		p.await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
		p.say("after", fmt.Sprint("after ", i))
		o.also++
	}
	for i := range others {
		others[0].inTick(fmt.Sprint("after ", i))
		others[1].inTick(fmt.Sprint("after ", i))
	}
	resume := time.Since(begin)
	t.Logf("goes on after %v", resume)
	if resume > 5*time.Second {
		t.Errorf("goes on after %v, want at most 5 s", resume)
	}
	o.judge(t)
}

// TestRedisLosesItsNewest: one that takes over after a failover lacks the last second
// of what was acknowledged: that is logged again.
func TestRedisLosesItsNewest(t *testing.T) {
	dir := t.TempDir()
	o := startOutage(t, brokertest.StartRedis(t, "--appendonly", "yes", "--dir", dir))
	for i, p := range o.pages {
		p.inTick(fmt.Sprint(i) + cid(20))
	}
	replica := filepath.Join(t.TempDir(), "appendonlydir")
	if err := os.CopyFS(replica, os.DirFS(filepath.Join(dir, "appendonlydir"))); err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Second)
	o.redis.Kill(t)
	if err := os.RemoveAll(filepath.Join(dir, "appendonlydir")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "appendonlydir"), os.DirFS(replica)); err != nil {
		t.Fatal(err)
	}
	for _, p := range o.pages {
		p.await("degraded", func(m message) bool { return m.Kind == "degraded" && m.Reason == "apart" })
	}
	<-time.After(time.Second)
	o.redis.Start(t)
	for _, p := range o.pages {
		p.await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
	}
	<-time.After(2 * time.Second)
	o.judge(t)
	if n := o.nodes[0].metric(t, "comments_restored_total") + o.nodes[1].metric(t, "comments_restored_total"); n < 10 {
		t.Errorf("%v comments logged again, want those of a second", n)
	}
}
