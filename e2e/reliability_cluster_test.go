//go:build reliability

package e2e_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"barrage/chat/brokertest"
)

// talkers are people on two chat nodes who write 25 comments a second in turns.
type talkers struct {
	nodes [2]*server
	redis interface { // where the log is
		Do(tb testing.TB, command string) string
	}
	settings []string // of the nodes
	state    string
	who      []*chatter
	said     []saying
}

type saying struct {
	by        *chatter
	cid, text string
}

func startTalkers(t *testing.T, redisURL string) *talkers {
	t.Helper()
	p := &talkers{state: t.TempDir(), settings: []string{"BARRAGE_CHAT_REDIS_URL=" + redisURL}}
	for i := range p.nodes {
		p.open(t, i)
	}
	return p
}

// open starts a node, and people join it.
func (p *talkers) open(t *testing.T, node int) {
	t.Helper()
	p.nodes[node] = startServer(t, "chat", p.state, p.settings...)
	for i := range 20 {
		p.who = append(p.who, join(t, p.nodes[node].url(""), fmt.Sprintf("talker %d-%d", node, i)))
	}
}

// talk goes on until enough says so.
func (p *talkers) talk(t *testing.T, enough func() bool) {
	t.Helper()
	pace := time.NewTicker(40 * time.Millisecond)
	defer pace.Stop()
	for ; !enough(); <-pace.C {
		by, text := p.who[len(p.said)%len(p.who)], fmt.Sprintf("comment %d.", len(p.said))
		p.said = append(p.said, saying{by, by.say(t, text), text})
	}
}

func (p *talkers) talkFor(t *testing.T, long time.Duration) {
	t.Helper()
	begin := time.Now()
	p.talk(t, func() bool { return time.Since(begin) > long })
}

// resumes talks until a comment that is said from now on is shown on both nodes, and
// returns how long that takes.
func (p *talkers) resumes(t *testing.T) time.Duration {
	t.Helper()
	begin, first, checked := time.Now(), len(p.said), time.Time{}
	p.talk(t, func() bool {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("comments are not shown again within 30 s")
		}
		if time.Since(checked) < 40*time.Millisecond {
			return false
		}
		checked = time.Now()
		for _, s := range p.said[first:] {
			if p.who[0].saw(s.text) == nil && p.who[len(p.who)-1].saw(s.text) == nil {
				return true
			}
		}
		return false
	})
	return time.Since(begin)
}

// killLeader kills the node that numbers the ticks, of two that have just begun. What
// its people said has been acknowledged.
func (p *talkers) killLeader(t *testing.T) (node int) {
	t.Helper()
	p.elapse(t)
	const leads = "barrage_chat_leaderships_total"
	if first, second := p.nodes[0].metric(t, leads), p.nodes[1].metric(t, leads); first+second != 1 {
		t.Fatalf("leaderships = %v and %v, want one", first, second)
	} else if second == 1 {
		node = 1
	}
	p.nodes[node].kill()
	n := len(p.who) / 2
	p.who = p.who[n*(1-node) : n*(2-node)]
	return node
}

// settle waits for the fate of every comment.
func (p *talkers) elapse(t *testing.T) {
	t.Helper()
	for _, s := range p.said {
		eventually(t, 15*time.Second, "the fate of "+s.text, func() error {
			ack, err := s.by.acked(s.cid)
			if err == nil && ack.Result == "spooled" {
				return errors.New("still spooled")
			}
			return err
		})
	}
}

// check holds what was acked against the log, and the ticks against each other.
func (p *talkers) check(t *testing.T, r *row, key string) {
	t.Helper()
	p.elapse(t)
	log := p.redis.Do(t, "XRANGE "+key+" - +")
	acked, missing := 0, 0
	for _, s := range p.said {
		ack, err := s.by.acked(s.cid)
		if err != nil || ack.Result == "rejected" {
			continue
		}
		acked++
		if !strings.Contains(log, s.text) {
			missing++
			t.Errorf("%s was acked (%+v) and is not in the log", s.text, ack)
		}
	}
	holes := 0
	for _, c := range p.who {
		c.mu.Lock()
		holes += len(c.holes)
		for _, hole := range c.holes {
			t.Errorf("tick %s", hole)
		}
		if c.closed != nil {
			t.Errorf("closed: %v", c.closed)
		}
		c.mu.Unlock()
	}
	r.measured("%d said, %d acked, %d missing; %d holes in the ticks of %d people", len(p.said), acked, missing, holes, len(p.who))
}

// resumed measures and holds the promise of 5 s.
func (p *talkers) resumed(t *testing.T, r *row, what string) {
	t.Helper()
	took := p.resumes(t)
	r.measured("%s: resumed after %.1f s", what, took.Seconds())
	if took > 5*time.Second {
		t.Errorf("%s: resumed after %v, want at most 5 s", what, took)
	}
}

// TestR10RedisKilled kills the tick leader, and Redis with the shipped configuration for
// 30 s, while people talk.
func TestR10RedisKilled(t *testing.T) {
	r := newRow(t, "R10", "kill -9 of the node that numbers the ticks, then of Redis (deploy/redis.conf), which is away for 30 s")
	redis := startRedis(t)
	addr := fmt.Sprintf("127.0.0.1:%d", redis.port)
	p := startTalkers(t, "redis://"+addr)
	p.redis = &brokertest.Redis{Addr: addr}
	p.talkFor(t, 3*time.Second)
	dead := p.killLeader(t)
	p.resumed(t, r, "the leader was killed")
	p.open(t, dead)
	p.talkFor(t, 2*time.Second)
	redis.kill()
	p.talkFor(t, 30*time.Second)
	redis.start(t)
	p.resumed(t, r, "Redis is back")
	p.talkFor(t, 2*time.Second)
	p.check(t, r, "barrage:{"+room+"}:log")
}

// TestR11Cluster does to a cluster what happens to clusters, while people talk.
func TestR11Cluster(t *testing.T) {
	r := newRow(t, "R11", "Redis Cluster (deploy/redis-cluster.conf): slot moved, connections killed, master hangs, master killed")
	c := brokertest.StartCluster(t, filepath.Join(root, "deploy", "redis-cluster.conf"))
	p := startTalkers(t, c.URL())
	p.talkFor(t, 2*time.Second)
	key := c.Find(t, "*:"+room+":log")
	slot := c.Slot(t, key)

	finish := c.Move(t, slot, c.Masters(t, c.Master(t, slot))[0])
	p.talkFor(t, time.Second)
	finish()
	p.resumed(t, r, "slot moved")

	for range 5 {
		c.Everywhere(t, "CLIENT KILL TYPE pubsub")
		c.Everywhere(t, "CLIENT KILL TYPE normal")
		p.talkFor(t, time.Second)
	}
	p.resumed(t, r, "connections killed")

	hung := c.Master(t, slot)
	replica := c.Replica(t, hung)
	hung.Signal(t, syscall.SIGSTOP)
	p.talk(t, func() bool { return replica.Serves(t, slot) })
	p.resumed(t, r, "the replica of a hung master took over")
	hung.Signal(t, syscall.SIGCONT)
	c.WaitWhole(t)
	p.resumed(t, r, "the old master is back")

	replica.Kill(t)
	p.talk(t, func() bool { return c.Master(t, slot) != nil })
	p.resumed(t, r, "the replica of a killed master took over")
	p.redis = c.Master(t, slot)
	p.check(t, r, key)
}
