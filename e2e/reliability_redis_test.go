//go:build reliability

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const redisResume = 5 * time.Second

var errTalk = errors.New("talk")

// talk is people on two chat nodes who all say something every second.
type talk struct {
	people []*chatter
	stop   func()

	mu   sync.Mutex
	said map[string]said // text → who and when
}

type said struct {
	by  *chatter
	cid string
	at  time.Time
}

func startTalk(t *testing.T, n int, nodes ...*server) *talk {
	t.Helper()
	k := &talk{said: map[string]said{}}
	for i := range n {
		k.people = append(k.people, join(t, nodes[i%len(nodes)].url(""), fmt.Sprintf("person %d", i)))
	}
	var all sync.WaitGroup
	end := make(chan struct{})
	all.Go(func() {
		pace := time.NewTicker(time.Second / time.Duration(n))
		defer pace.Stop()
		for i := 0; ; i++ {
			select {
			case <-pace.C:
			case <-end:
				return
			}
			by, text := k.people[i%n], fmt.Sprintf("w%06dw", i)
			at := time.Now()
			cid, err := by.Send(text)
			if err != nil {
				t.Errorf("send: %v; closed: %v", err, by.closeError())
				return
			}
			k.mu.Lock()
			k.said[text] = said{by, cid, at}
			k.mu.Unlock()
		}
	})
	k.stop = sync.OnceFunc(func() { close(end); all.Wait() })
	t.Cleanup(k.stop)
	return k
}

// shownAfter waits for a comment that was said after a moment and is acknowledged as
// shown, for each of the first n people, and returns when the last of these was said.
func (k *talk) shownAfter(t *testing.T, from time.Time, within time.Duration) time.Duration {
	t.Helper()
	var last time.Time
	eventually(t, within, "comments are shown on both nodes", func() error {
		k.mu.Lock()
		defer k.mu.Unlock()
		ok := map[*chatter]time.Time{}
		for _, s := range k.said {
			if ack, err := s.by.acked(s.cid); err == nil && ack.Result != "rejected" && ack.Result != "spooled" && s.at.After(from) {
				if first, seen := ok[s.by]; !seen || s.at.Before(first) {
					ok[s.by] = s.at
				}
			}
		}
		if len(ok) < len(k.people) {
			return fmt.Errorf("%w: %d of %d people", errTalk, len(ok), len(k.people))
		}
		for _, at := range ok {
			if at.After(last) {
				last = at
			}
		}
		return nil
	})
	return last.Sub(from)
}

// judge stops the talk and looks for every acknowledged comment in Redis.
func (k *talk) judge(t *testing.T, r *row, redis *redisServer) {
	t.Helper()
	k.stop()
	elapse(t, 4*time.Second) // an ack may take 3 s
	log := redis.dump(t)
	acked, missing, twice, rejected := 0, 0, 0, 0
	for text, s := range k.said {
		ack, err := s.by.acked(s.cid)
		if err != nil || ack.Result == "rejected" {
			rejected++
			continue
		}
		acked++
		if !strings.Contains(log, text) {
			missing++
		}
		for _, who := range k.people[:2] { // one on each node
			if who.counts()[text] > 1 {
				twice++
			}
		}
	}
	r.measured("%d said, %d acknowledged, %d refused in the open; acknowledged and missing: %d; seen twice: %d", len(k.said), acked, rejected, missing, twice)
	if missing != 0 || twice != 0 || acked == 0 {
		t.Error("want every acknowledged comment once")
	}
}

// dump is the room's log of comments as text.
func (r *redisServer) dump(t *testing.T) string {
	t.Helper()
	keys := r.cli(t, "--scan", "--pattern", "*{"+room+"}:log")
	var all strings.Builder
	for key := range strings.FieldsSeq(keys) {
		all.WriteString(r.cli(t, "XRANGE", key, "-", "+"))
	}
	return all.String()
}

func (r *redisServer) cli(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tool(t.Context(), "redis-cli", append([]string{"-p", strconv.Itoa(r.port)}, args...)...)
	if err != nil {
		t.Fatalf("redis-cli %v: %v: %s", args, err, out)
	}
	return out
}

// TestR10RedisDown takes Redis away for half a minute.
func TestR10RedisDown(t *testing.T) {
	r := newRow(t, "R10", "Redis is killed (kill -9) for 30 s while a show runs and people talk on two nodes")
	redis := startRedis(t)
	state := t.TempDir()
	nodes := []*server{startServer(t, "chat", state, redis.setting()), startServer(t, "chat", state, redis.setting())}
	media := startServer(t, "media", state, redis.setting(), openMode, "BARRAGE_WEB_CHAT_URL="+nodes[0].url(""))
	publish(t, "rtmp://"+media.addrs.RTMP+"/live/"+room, card{})
	media.waitPhase(t, "live", 20*time.Second)
	watch := watchVideo(t, media)
	k := startTalk(t, 8, nodes...)
	k.shownAfter(t, time.Now(), 10*time.Second)

	redis.kill()
	elapse(t, 30*time.Second)
	for i, n := range nodes {
		if body, err := get(t.Context(), n.admin("/readyz")); err != nil || !strings.Contains(string(body), "chat") {
			t.Errorf("node %d without Redis: %s, %v; want 200 and the reason", i, body, err)
		}
	}
	redis.start(t)
	back := time.Now()
	took := k.shownAfter(t, back, 30*time.Second)
	r.measured("comments of everybody are shown again %.1f s after Redis is back", took.Seconds())
	if took > redisResume {
		t.Errorf("want at most %v", redisResume)
	}
	k.judge(t, r, redis)
	w := watch()
	r.measured("video meanwhile: %d segments, %d faults", len(w.segments), len(w.faults))
	if len(w.faults) > 0 || len(w.segments) < 15 {
		t.Errorf("want none: %v", w.faults)
	}
}

// watchVideo follows the room's video playlist; the result stops and returns what was listed.
func watchVideo(t *testing.T, s *server) func() *timeline {
	t.Helper()
	w := &timeline{}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		again := time.NewTicker(500 * time.Millisecond)
		defer again.Stop()
		for ctx.Err() == nil {
			lists, err := s.playlists(ctx, room)
			if err != nil && ctx.Err() == nil {
				w.fault("playlist: %v", err)
			}
			for uri, text := range lists {
				if strings.Contains(uri, "v0") {
					w.look(text)
				}
			}
			select {
			case <-again.C:
			case <-ctx.Done():
			}
		}
	})
	return sync.OnceValue(func() *timeline {
		cancel()
		all.Wait()
		for i, segment := range w.segments {
			if segment.discontinuous && i > 0 {
				w.fault("discontinuity at segment %d", w.first+i)
			}
		}
		return w
	})
}

// TestR11RedisSick makes Redis slow, forgetful of its connections, and read-only.
func TestR11RedisSick(t *testing.T) {
	r := newRow(t, "R11", "Redis answers 500 ms late for 15 s; all its connections are killed 20 times; it is a read-only replica for 10 s")
	redis := startRedis(t)
	proxy := startDelay(t, fmt.Sprintf("127.0.0.1:%d", redis.port))
	state := t.TempDir()
	setting := "BARRAGE_CHAT_REDIS_URL=redis://" + proxy.addr + "/0"
	nodes := []*server{startServer(t, "chat", state, setting), startServer(t, "chat", state, setting)}
	k := startTalk(t, 8, nodes...)
	k.shownAfter(t, time.Now(), 10*time.Second)
	before := goroutines(t, nodes)
	most := before
	sick := func(d time.Duration, each func()) {
		t.Helper()
		again := time.NewTicker(d / 20)
		defer again.Stop()
		for range 20 {
			each()
			<-again.C
			most = max(most, goroutines(t, nodes))
		}
	}
	well := func(what string) {
		t.Helper()
		took := k.shownAfter(t, time.Now(), 30*time.Second)
		r.measured("%s: comments of everybody are shown %.1f s later", what, took.Seconds())
		if took > redisResume {
			t.Errorf("%s: want at most %v", what, redisResume)
		}
	}

	proxy.delay.Store(int64(500 * time.Millisecond))
	sick(15*time.Second, func() {})
	proxy.delay.Store(0)
	well("slow")
	sick(10*time.Second, func() {
		redis.cli(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		redis.cli(t, "CLIENT", "KILL", "TYPE", "pubsub")
	})
	well("connections killed")
	redis.cli(t, "REPLICAOF", "127.0.0.1", "1") // nobody there: it keeps its data, and takes no writes
	sick(10*time.Second, func() {})
	redis.cli(t, "REPLICAOF", "NO", "ONE")
	well("read-only")
	r.measured("goroutines of both nodes: %.0f, at most %.0f meanwhile", before, most)
	if most > before+100 {
		t.Error("want hardly more")
	}
	k.judge(t, r, redis)
}

func goroutines(t *testing.T, nodes []*server) (n float64) {
	t.Helper()
	for _, s := range nodes {
		n += s.metric(t, "go_goroutines")
	}
	return n
}

// delayProxy passes TCP on, later when asked.
type delayProxy struct {
	addr  string
	delay atomic.Int64 // ns, of what the server answers
}

func startDelay(t *testing.T, to string) *delayProxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &delayProxy{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			all.Go(func() { _, _ = io.Copy(out, in); out.Close() })
			all.Go(func() { p.pass(in, out); in.Close(); out.Close() })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return p
}

// pass copies what is answered, each piece after the delay.
func (p *delayProxy) pass(to io.Writer, from io.Reader) {
	type piece struct {
		at   time.Time
		data []byte
	}
	queue := make(chan piece, 4096)
	var all sync.WaitGroup
	all.Go(func() {
		for q := range queue {
			if wait := time.Until(q.at); wait > 0 {
				<-time.After(wait)
			}
			if _, err := to.Write(q.data); err != nil {
				continue // read on, so that the other side does not hang
			}
		}
	})
	for {
		b := make([]byte, 32<<10)
		n, err := from.Read(b)
		if n > 0 {
			queue <- piece{time.Now().Add(time.Duration(p.delay.Load())), b[:n]}
		}
		if err != nil {
			close(queue)
			all.Wait()
			return
		}
	}
}
