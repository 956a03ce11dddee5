package chat_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"barrage/chat"
)

// flaky is one node's way to a broker, which can be cut and can fail.
type flaky struct {
	chat.Broker

	mu       sync.Mutex
	down     bool
	handlers map[*gate]struct{}
	frames   int // heard
	dropNth  int // one of n frames heard is lost; 0 = none
	advances int
	doubtNth int // every n-th Advance works and says that it did not
	appendNo bool
	appendDn bool // Append works and says that it did not
	appendLs bool // the batch of Append is lost later
	leadNo   bool
	readNo   bool
	ticksNo  bool
}

func newFlaky(b chat.Broker) *flaky { return &flaky{Broker: b, handlers: make(map[*gate]struct{})} }

// gate is a handler behind a flaky link.
type gate struct {
	chat.Handler
	f *flaky
}

func (g *gate) Frame(frame []byte) {
	g.f.mu.Lock()
	g.f.frames++
	// Scattered, but the same in every run: with a strict period the traffic of a
	// quiet room can fall in step, and the same frame is lost each time it is sent.
	dice := rand.New(rand.NewPCG(1, uint64(g.f.frames)))
	lost := g.f.down || g.f.dropNth > 0 && dice.IntN(g.f.dropNth) == 0
	g.f.mu.Unlock()
	if !lost {
		g.Handler.Frame(frame)
	}
}

func (f *flaky) set(change func(*flaky)) {
	f.mu.Lock()
	was := f.down
	change(f)
	down := f.down
	var gates []*gate
	for g := range f.handlers {
		gates = append(gates, g)
	}
	f.mu.Unlock()
	if was != down {
		for _, g := range gates {
			g.Link(!down)
		}
	}
}

func (f *flaky) dropAlso(nth int) { f.set(func(f *flaky) { f.dropNth = nth }) }

func (f *flaky) fails() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return fmt.Errorf("cut: %w", chat.ErrUnavailable)
	}
	return nil
}

func (f *flaky) Subscribe(ctx context.Context, room string, h chat.Handler) (chat.Subscription, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	g := &gate{h, f}
	f.set(func(f *flaky) { f.handlers[g] = struct{}{} })
	return f.Broker.Subscribe(ctx, room, g)
}

func (f *flaky) Publish(ctx context.Context, room string, frame []byte) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.Broker.Publish(ctx, room, frame)
}

func (f *flaky) Append(ctx context.Context, room string, batch, frame []byte) (string, error) {
	if err := f.fails(); err != nil {
		return "", err
	}
	f.mu.Lock()
	no, done, lost := f.appendNo, f.appendDn, f.appendLs
	f.mu.Unlock()
	if no {
		return "", fmt.Errorf("full: %w", chat.ErrUnavailable)
	}
	if lost {
		_, err := f.Broker.Append(ctx, room, nil, frame)
		return strconv.FormatInt(time.Now().UnixMilli(), 10) + "-0", err
	}
	id, err := f.Broker.Append(ctx, room, batch, frame)
	if err == nil && done {
		return "", fmt.Errorf("no answer: %w", chat.ErrUnavailable)
	}
	return id, err
}

func (f *flaky) Ticks(ctx context.Context, room string, after uint64, n int) ([][]byte, error) {
	f.mu.Lock()
	no := f.ticksNo
	f.mu.Unlock()
	if err := f.fails(); err != nil || no {
		return nil, errors.Join(err, chat.ErrUnavailable)
	}
	return f.Broker.Ticks(ctx, room, after, n)
}

func (f *flaky) Read(ctx context.Context, room, after string, n int) ([]chat.Entry, error) {
	f.mu.Lock()
	no := f.readNo
	f.mu.Unlock()
	if err := f.fails(); err != nil || no {
		return nil, errors.Join(err, chat.ErrUnavailable)
	}
	return f.Broker.Read(ctx, room, after, n)
}

func (f *flaky) Lead(ctx context.Context, room, node string, ttl time.Duration) (chat.Lease, error) {
	f.mu.Lock()
	no := f.leadNo
	f.mu.Unlock()
	if err := f.fails(); err != nil || no {
		return chat.Lease{}, errors.Join(err, chat.ErrUnavailable)
	}
	return f.Broker.Lead(ctx, room, node, ttl)
}

func (f *flaky) Advance(ctx context.Context, room, node string, seq uint64, frame []byte) error {
	if err := f.fails(); err != nil {
		return err
	}
	err := f.Broker.Advance(ctx, room, node, seq, frame)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.advances++
	if err == nil && f.doubtNth > 0 && f.advances%f.doubtNth == 0 {
		return fmt.Errorf("no answer: %w", chat.ErrUnavailable)
	}
	return err
}

// chatter lets a page say something every gap for a while.
func chatter(p *page, name string, times int, gap time.Duration) {
	for i := range times {
		p.say(name+cid(i), name+cid(i))
		time.Sleep(gap) //nolint:forbidigo // fake time
	}
}

// pair starts two nodes on one memory; the first one leads.
func pair(t *testing.T) (nodes [2]*node, ways [2]*flaky, pages [2]*page) {
	t.Helper()
	broker := newMemory(t)
	for i := range nodes {
		ways[i] = newFlaky(broker)
		nodes[i] = start(t, setup{broker: ways[i], pipes: true})
		pages[i] = nodes[i].join(t, "live", nil)
		pages[i].say("hello", fmt.Sprint("hello from ", i))
		pages[i].ack("hello")
	}
	if nodes[0].metric(t, "leaderships_total") != 1 || nodes[1].metric(t, "leaderships_total") != 0 {
		t.Fatal("the first node does not lead")
	}
	return nodes, ways, pages
}

// onlyOnce checks that p saw each of name's comments that was acked as shown
// exactly once, and none twice; it returns how many were shown.
func onlyOnce(t *testing.T, p, writer *page, name string, times int) (shown int) {
	t.Helper()
	seen := p.texts()
	for i := range times {
		ack := writer.fate(name + cid(i))
		if ack[2] == "shown" {
			shown++
		}
		if want := map[bool]int{true: 1}[ack[2] == "shown"]; seen[name+cid(i)] != want {
			t.Errorf("%s%s: ack %v, seen %d times", name, cid(i), ack, seen[name+cid(i)])
		}
	}
	return shown
}

// inOrder checks that p saw every tick since its welcome, each once.
func inOrder(t *testing.T, p *page) {
	t.Helper()
	last := p.welcome.Seq
	for _, m := range p.messages() {
		switch {
		case m.Op == "gap":
			t.Errorf("told of a gap from %d to %d", m.From, m.To)
		case m.Op == "tick" && m.Seq != last+1:
			t.Errorf("tick %d after %d", m.Seq, last)
		}
		if m.Op == "tick" {
			last = m.Seq
		}
	}
}

func TestLeaderIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, ways, pages := pair(t)
		begin := time.Now()
		ways[0].set(func(f *flaky) { f.down = true })
		pages[0].await("degraded", func(m message) bool { return m.Kind == "degraded" && m.Degraded })
		if _, degraded := nodes[0].hub.Degraded(); !degraded {
			t.Error("the cut-off hub does not say that it is degraded")
		}
		pages[0].say("cut", "cut")
		if ack := pages[0].ack("cut"); ack[2] != "rejected" || ack[3] != "unavailable" {
			t.Errorf("ack on the cut-off node = %v", ack)
		}
		pages[1].say("first", "first")
		pages[1].shown("first")
		if d := time.Since(begin); d > 3*time.Second {
			t.Errorf("failover took %v, want at most 3 s", d)
		}
		chatter(pages[1], "b", 30, 100*time.Millisecond)
		ways[0].set(func(f *flaky) { f.down = false })
		pages[0].await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
		pages[0].say("cut", "again")
		pages[1].shown("again")
		for i, p := range pages { // the cut-off one read what it had missed
			p.shown("again")
			if got := onlyOnce(t, p, pages[1], "b", 30); got != 30 {
				t.Errorf("%d of 30 shown on node %d", got, i)
			}
			inOrder(t, p)
		}
		time.Sleep(3 * time.Second) //nolint:forbidigo // fake time
		if _, degraded := nodes[0].hub.Degraded(); degraded {
			t.Error("the hub still says that it is degraded")
		}
		balanced(t, 2+1+30+1, nodes[:]...)
	})
}

func TestLeaderStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _, pages := pair(t)
		pages[0].say("first", "first words")
		synctest.Wait()
		pages[0].say("last", "last words") // waits for the next flush
		synctest.Wait()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			nodes[0].stop()
		}()
		bye, code := pages[0].end()
		if bye.Code != 4001.0 || code != 4001 || bye.Reason != "restart" || bye.RetryMS < 500 {
			t.Errorf("bye = %+v, closed with %d", bye, code)
		}
		if ack := pages[0].ack("last"); ack[2] != "shown" {
			t.Errorf("ack = %v", ack)
		}
		<-stopped
		begin := time.Now()
		pages[1].shown("last words")
		pages[1].say("next", "next")
		pages[1].shown("next")
		if d := time.Since(begin); d > time.Second {
			t.Errorf("after a clean stop the next comment took %v, want at most 1 s", d)
		}
		balanced(t, 5, nodes[:]...)
	})
}

func TestLossyBus(t *testing.T) {
	for name, breakIt := range map[string]func(leader, follower *flaky){
		"the leader misses frames":           func(leader, _ *flaky) { leader.dropNth = 3 },
		"the other node misses frames":       func(_, follower *flaky) { follower.dropAlso(3) },
		"advance works but says it does not": func(leader, _ *flaky) { leader.doubtNth = 4 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes, ways, pages := pair(t)
				ways[0].set(func(f *flaky) { breakIt(f, ways[1]) })
				var writers sync.WaitGroup
				for i, p := range pages {
					writers.Go(func() { chatter(p, fmt.Sprint(i), 50, 70*time.Millisecond) })
				}
				writers.Wait()
				time.Sleep(6 * time.Second) //nolint:forbidigo // fake time
				taken := 2
				for i, writer := range pages {
					for j := range 50 {
						if writer.fate(fmt.Sprint(i) + cid(j))[2] != "rejected" {
							taken++
						}
					}
					for _, p := range pages {
						onlyOnce(t, p, writer, fmt.Sprint(i), 50)
						inOrder(t, p)
					}
				}
				balanced(t, taken, nodes[:]...)
			})
		})
	}
}

// TestRoomOpensLate: a node that opens a room which others have used for long knows
// its counts, and who was on another node can resume there.
func TestRoomOpensLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, ways, pages := pair(t)
		chatter(pages[0], "x", 300, 100*time.Millisecond)
		pages[1].shown("xc299")
		seq := pages[0].await("the last", func(m message) bool { return m.Op == "tick" && m.Seq >= 290 }).Seq
		third := start(t, setup{broker: ways[0].Broker, pipes: true})
		for _, back := range []uint64{10, 100, 200} {
			p := third.join(t, "live", map[string]any{"resume": map[string]any{"epoch": pages[0].welcome.Epoch, "seq": seq - back}})
			p.shown("xc299")
			if !p.welcome.Resumed || p.welcome.Counters.Comments != 302 || len(p.welcome.History) != 0 {
				t.Errorf("%d ticks back: welcome = %+v", back, p.welcome)
			}
			p.welcome.Seq = seq - back
			inOrder(t, p)
		}
		p := third.join(t, "live", nil)
		if h := p.welcome.History; len(h) != 50 || h[49][4] != "xc299" || h[0][4] != "xc250" {
			t.Errorf("history of %d: %v", len(h), h)
		}
		for _, n := range nodes {
			n.stop()
		}
		p.say("next", "next") // numbered and counted by a node that never heard the others' last
		p.shown("next")
		inOrder(t, p)
		if late := third.join(t, "live", nil); late.welcome.Counters.Comments != 303 {
			t.Errorf("counters = %+v, want 303 comments", late.welcome.Counters)
		}
	})
}

// TestTickLogFails: ticks that nobody can read again are told as a gap, in time.
func TestTickLogFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ways, pages := pair(t)
		ways[1].set(func(f *flaky) { f.ticksNo, f.dropNth = true, 2 })
		chatter(pages[0], "x", 30, 100*time.Millisecond)
		begin := time.Now()
		pages[1].await("gap", func(m message) bool { return m.Op == "gap" && m.From <= m.To })
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("told after %v", d)
		}
		ways[1].set(func(f *flaky) { f.ticksNo, f.dropNth = false, 0 })
		time.Sleep(3 * time.Second) //nolint:forbidigo // fake time
		pages[0].say("end", "end")
		pages[1].shown("end")
	})
}

func TestFailedAppendIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, ways, pages := pair(t)
		ways[1].set(func(f *flaky) { f.appendNo = true })
		pages[1].say("x", "x")
		if ack := pages[1].ack("x"); ack[2] != "rejected" || ack[3] != "unavailable" {
			t.Errorf("ack = %v", ack)
		}
		ways[1].set(func(f *flaky) { f.appendNo = false })
		pages[1].await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
		pages[1].say("y", "x")
		pages[0].shown("x")
		time.Sleep(3 * time.Second) //nolint:forbidigo // fake time
		if n := pages[0].texts()["x"]; n != 1 {
			t.Errorf("seen %d times, want 1", n)
		}
		balanced(t, 3, nodes[:]...)
	})
}

// TestAppendInDoubt: what the broker took is shown and said to be shown, though
// the answer to the append was lost; sent again meanwhile it is not a second comment.
func TestAppendInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, ways, pages := pair(t)
		for i, writer := range pages {
			ways[i].set(func(f *flaky) { f.appendDn = true })
			id := fmt.Sprint("x", i)
			writer.say(id, id)
			writer.say(id, id)
			if ack := writer.ack(id); ack[2] != "shown" {
				t.Errorf("node %d: ack = %v, want shown", i, ack)
			}
			ways[i].set(func(f *flaky) { f.appendDn = false })
			writer.await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
		}
		time.Sleep(3 * time.Second) //nolint:forbidigo // fake time
		for i := range pages {
			for _, p := range pages {
				if n := p.texts()[fmt.Sprint("x", i)]; n != 1 {
					t.Errorf("x%d seen %d times, want 1", i, n)
				}
			}
		}
		balanced(t, 4, nodes[:]...)
	})
}

// TestAppendNeverAnswered: doubt has an end, also when the broker stays away.
func TestAppendNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ways, pages := pair(t)
		ways[1].set(func(f *flaky) { f.appendNo, f.leadNo = true, true })
		begin := time.Now()
		pages[1].say("x", "x")
		if ack := pages[1].ack("x"); ack[2] != "rejected" || ack[3] != "unavailable" {
			t.Errorf("ack = %v", ack)
		}
		if took := time.Since(begin); took > 8*time.Second {
			t.Errorf("said after %v", took)
		}
	})
}

func TestStartWithoutBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := newFlaky(newMemory(t))
		way.down = true
		n := start(t, setup{broker: way, pipes: true})
		p := n.join(t, "live", nil)
		if !p.welcome.Degraded || p.welcome.Epoch != "" {
			t.Errorf("welcome = %+v, want degraded", p.welcome)
		}
		way.set(func(f *flaky) { f.down = false })
		p.await("reset", func(m message) bool { return m.Op == "reset" && m.Epoch != "" })
		p.await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
		p.say("x", "x")
		p.shown("x")
	})
}

func TestNewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := newFlaky(newMemory(t))
		n := start(t, setup{broker: way, pipes: true})
		p := n.join(t, "live", nil)
		p.say("x", "x")
		p.ack("x")
		way.set(func(f *flaky) { f.down = true })
		fresh := newMemory(t) // the broker came back without its memory
		for g := range way.handlers {
			sub, err := fresh.Subscribe(t.Context(), "live", g)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = sub.Close() })
		}
		way.set(func(f *flaky) { f.Broker, f.down = fresh, false })
		reset := p.await("reset", func(m message) bool { return m.Op == "reset" })
		if reset.Epoch == p.welcome.Epoch || reset.Seq != 0 {
			t.Errorf("reset = %+v after %+v", reset, p.welcome)
		}
		p.await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
		p.say("y", "y")
		if ack := p.ack("y"); ack[2] != "shown" {
			t.Errorf("ack = %v", ack)
		}
	})
}
