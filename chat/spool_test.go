package chat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barrage/chat"
)

// spoolPair starts two nodes with a spool each on one memory; the first one leads.
func spoolPair(t *testing.T) (broker *chat.Memory, nodes [2]*node, ways [2]*flaky, pages [2]*page, spools [2]string) {
	t.Helper()
	broker = newMemory(t)
	for i := range nodes {
		ways[i], spools[i] = newFlaky(broker), t.TempDir()
		nodes[i] = start(t, setup{broker: ways[i], pipes: true, spool: spools[i]})
		pages[i] = nodes[i].join(t, "live", nil)
		pages[i].say("hello", fmt.Sprint("hello from ", i))
		pages[i].ack("hello")
	}
	return broker, nodes, ways, pages, spools
}

// cut takes a node's broker away and waits until its page knows.
func cut(t *testing.T, way *flaky, p *page) {
	t.Helper()
	way.set(func(f *flaky) { f.down = true })
	m := p.await("degraded", func(m message) bool { return m.Kind == "degraded" && m.Degraded })
	if m.Reason != "apart" {
		t.Errorf("reason = %q, want apart", m.Reason)
	}
}

// in counts how often a page saw each comment in messages of one kind.
func (p *page) in(op string) map[string]int {
	seen := make(map[string]int)
	for _, m := range p.messages() {
		for _, c := range m.C {
			if m.Op == op {
				seen[c[4].(string)]++
			}
		}
	}
	return seen
}

// inTick waits until a tick brings a comment.
func (p *page) inTick(text string) { p.t.Helper(); p.inMessage("tick", text) }

func (p *page) inMessage(op, text string) {
	p.t.Helper()
	p.await(op+" with "+text, func(m message) bool {
		for _, c := range m.C {
			if m.Op == op && c[4] == text {
				return true
			}
		}
		return false
	})
}

// entriesOf counts how often each comment is in the room's log.
func entriesOf(t *testing.T, log chat.Log) map[string]int {
	t.Helper()
	entries, err := log.Read(t.Context(), "live", "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	numbers := make(map[string]bool)
	for _, e := range entries {
		var b struct {
			Node string
			N    uint64
			C    [][]any
		}
		if err := json.Unmarshal(e.Batch, &b); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.C {
			seen[c[4].(string)]++
		}
		if name := fmt.Sprint(b.Node, b.N); len(b.C) > 0 {
			if numbers[name] {
				t.Errorf("two batches of %s with number %d", b.Node, b.N)
			}
			numbers[name] = true
		}
	}
	return seen
}

// once checks that each of name's comments is in the log once, and was once in a
// tick for every page.
func once(t *testing.T, log chat.Log, name string, times int, pages ...*page) {
	t.Helper()
	in := entriesOf(t, log)
	for i := range times {
		text := name + cid(i)
		if in[text] != 1 {
			t.Errorf("%s is in the log %d times", text, in[text])
		}
		for j, p := range pages {
			if n := p.in("tick")[text]; n != 1 {
				t.Errorf("%s in ticks of page %d %d times", text, j, n)
			}
		}
	}
}

func settle() { time.Sleep(5 * time.Second) } //nolint:forbidigo // fake time

// TestApart: a node without its broker is live for its own subscribers, and what was
// said there reaches everybody once when the broker is back.
func TestApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, nodes, ways, pages, _ := spoolPair(t)
		neighbour := nodes[0].join(t, "live", nil)
		cut(t, ways[0], pages[0])
		if reason, degraded := nodes[0].hub.Degraded(); !degraded || !strings.Contains(reason, "kept") {
			t.Errorf("the hub says %q", reason)
		}
		for i := range 20 {
			pages[0].say("a"+cid(i), "a"+cid(i))
			pages[1].say("b"+cid(i), "b"+cid(i))
			time.Sleep(300 * time.Millisecond) //nolint:forbidigo // fake time
			if ack := pages[0].ack("a" + cid(i)); ack[2] != "spooled" || ack[1] == "" {
				t.Errorf("ack = %v, want spooled", ack)
			}
			neighbour.inMessage("local", "a"+cid(i))
		}
		pages[0].say("ac0", "again") // while it waits
		late := nodes[0].join(t, "live", nil)
		back := nodes[0].join(t, "live", map[string]any{"resume": map[string]any{"epoch": late.welcome.Epoch, "seq": late.welcome.Seq}})
		if w := late.welcome; !w.Degraded || w.Reason != "apart" || len(w.History) != 22 || w.History[21][4] != "ac19" {
			t.Errorf("welcome = %+v", w)
		}
		if back.inMessage("local", "ac19"); !back.welcome.Resumed {
			t.Error("who comes back is a stranger")
		}
		if got := pages[1].texts()["ac0"]; got != 0 || nodes[0].metric(t, "spool_bytes") == 0 {
			t.Error("what is in the spool is elsewhere, too")
		}
		ways[0].set(func(f *flaky) { f.down = false })
		begin := time.Now()
		pages[0].await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
		pages[1].inTick("ac19")
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("replayed after %v", d)
		}
		pages[0].say("after", "after")
		pages[1].inTick("after")
		settle()
		once(t, broker, "a", 20, pages[0], pages[1], neighbour)
		once(t, broker, "b", 20, pages[0], pages[1], neighbour)
		for text, n := range neighbour.in("local") {
			if n != 1 {
				t.Errorf("%s in %d local messages", text, n)
			}
		}
		for i := range 20 {
			if ack := pages[0].fate("a" + cid(i)); ack[2] != "shown" {
				t.Errorf("at last: ack = %v", ack)
			}
		}
		for _, p := range []*page{pages[0], pages[1], neighbour} {
			inOrder(t, p)
		}
		if h := nodes[0].join(t, "live", nil).welcome.History; len(h) != 43 {
			t.Errorf("history of %d, want each of 43 once", len(h))
		}
		if n := nodes[0].metric(t, "spool_bytes"); n != 0 {
			t.Errorf("%v bytes stay in the spool", n)
		}
		balanced(t, 43, nodes[:]...)
	})
}

// TestBothApart: the broker is away for everybody, longer than nodes remember each other.
func TestBothApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, nodes, ways, pages, _ := spoolPair(t)
		for i := range ways {
			cut(t, ways[i], pages[i])
		}
		for i := range 90 {
			for j, p := range pages {
				p.say(fmt.Sprint(j)+cid(i), fmt.Sprint(j, " ", i%2, " same words")) // combos, there as here
			}
			time.Sleep(time.Second) //nolint:forbidigo // fake time
		}
		for i := range ways {
			ways[i].set(func(f *flaky) { f.down = false })
		}
		settle()
		if got := entriesOf(t, broker); len(got) != 6 || got["0 0 same words"] != 45 || got["1 1 same words"] != 45 {
			t.Errorf("logged: %v", got)
		}
		for _, p := range pages {
			inOrder(t, p)
		}
		balanced(t, 2+180, nodes[:]...)
	})
}

// TestSpooledInDoubt: what the broker took though it did not say so is not taken twice.
func TestSpooledInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, nodes, ways, pages, _ := spoolPair(t)
		for i, writer := range pages {
			ways[i].set(func(f *flaky) { f.appendDn = true })
			name := fmt.Sprint("x", i)
			writer.say(name+"c0", name+"c0")
			if ack := writer.ack(name + "c0"); ack[2] != "spooled" {
				t.Errorf("ack = %v", ack)
			}
			chatter(writer, "y"+name, 5, 50*time.Millisecond) // replayed, and in doubt again
			ways[i].set(func(f *flaky) { f.appendDn = false })
			settle()
			once(t, broker, name, 1, pages[:]...)
			once(t, broker, "y"+name, 5, pages[:]...)
			if ack := writer.fate(name + "c0"); ack[2] != "shown" {
				t.Errorf("at last: ack = %v", ack)
			}
		}
		balanced(t, 2+12, nodes[:]...)
	})
}

// TestBrokerTakesNothing: one that answers, but refuses what is said, is away.
func TestBrokerTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, nodes, ways, pages, _ := spoolPair(t)
		ways[1].set(func(f *flaky) { f.appendNo = true })
		chatter(pages[1], "x", 10, 500*time.Millisecond)
		ways[1].set(func(f *flaky) { f.appendNo = false })
		settle()
		news := 0
		for _, m := range pages[1].messages() {
			if m.Kind == "degraded" {
				news++
			}
		}
		if news != 2 {
			t.Errorf("told %d times, want of the beginning and the end", news)
		}
		once(t, broker, "x", 10, pages[:]...)
		balanced(t, 2+10, nodes[:]...)
	})
}

// TestSpoolOutlivesItsNode: the next process carries on with what a killed one has
// left, once, whether or not the broker had taken it.
func TestSpoolOutlivesItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, nodes, ways, pages, spools := spoolPair(t)
		ways[0].set(func(f *flaky) { f.appendDn = true })
		pages[0].say("xc0", "xc0")
		pages[0].ack("xc0") // taken, and said not to be
		ways[0].set(func(f *flaky) { f.down, f.appendDn = true, false })
		pages[0].await("degraded", func(m message) bool { return m.Reason == "apart" })
		pages[1].inTick("xc0") // merged, too
		for i := 1; i < 6; i++ {
			pages[0].say("x"+cid(i), "x"+cid(i))
			if ack := pages[0].ack("x" + cid(i)); ack[2] != "spooled" {
				t.Errorf("ack = %v", ack)
			}
		}
		killed := t.TempDir()
		if err := os.CopyFS(killed+"/1", os.DirFS(spools[0])); err != nil {
			t.Fatal(err)
		}
		nodes[0].stop()
		all := nodes[:]
		for range 2 { // the second time nothing is left to do
			next := start(t, setup{broker: newFlaky(broker), pipes: true, spool: killed + "/1"})
			settle()
			once(t, broker, "x", 6, pages[1])
			if n := next.metric(t, "spool_bytes"); n != 0 {
				t.Errorf("%v bytes stay in the spool", n)
			}
			all = append(all, next)
			balanced(t, 2+6, all...)
			next.stop()
		}
		inOrder(t, pages[1])
	})
}

// TestStartApart: a node that starts while the broker is away is live at once, with
// what the last process has left.
func TestStartApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, dir := newMemory(t), t.TempDir()
		for i := range 2 {
			way := newFlaky(broker)
			way.down = true
			n := start(t, setup{broker: way, pipes: true, spool: dir})
			p := n.join(t, "live", nil)
			name := fmt.Sprint("run", i)
			p.say(name, name+"c0")
			if ack := p.ack(name); ack[2] != "spooled" {
				t.Errorf("ack = %v", ack)
			}
			p.inMessage("local", name+"c0")
			if i == 0 {
				n.stop()
				continue
			}
			way.set(func(f *flaky) { f.down = false })
			p.inTick(name + "c0")
			settle()
			once(t, broker, "run0", 1, p)
			once(t, broker, "run1", 1, p)
		}
	})
}

// TestSpoolIsFull: comments are refused as without a spool, and the log says what to do.
func TestSpoolIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		broker := newMemory(t)
		way := newFlaky(broker)
		n := start(t, setup{
			broker: way, pipes: true, spool: t.TempDir(), limit: 2<<20 + 20<<10, logger: slog.New(slog.NewTextHandler(&log, nil)),
			config: func(c *chat.Config) { c.MaxShownPerSecond = 1000 },
		})
		p := n.join(t, "live", nil)
		p.say("before", "before")
		p.ack("before")
		cut(t, way, p)
		spooled := 0
		for i := range 60 {
			p.say(cid(i), "x"+cid(i)+strings.Repeat(" 草", 90))
			time.Sleep(200 * time.Millisecond) //nolint:forbidigo // fake time
			switch ack := p.ack(cid(i)); {
			case ack[2] == "spooled":
				spooled++
			case ack[2] != "rejected" || ack[3] != "unavailable":
				t.Errorf("ack = %v", ack)
			}
		}
		p.await("the truth", func(m message) bool { return m.Kind == "degraded" && m.Reason == "unavailable" })
		if ack := p.ack(cid(59)); ack[2] != "rejected" || ack[3] != "unavailable" || spooled == 0 {
			t.Errorf("%d spooled, the last one: %v", spooled, ack)
		}
		way.set(func(f *flaky) { f.down = false })
		settle()
		n.stop()
		if got := len(entriesOf(t, broker)); got != spooled+1 {
			t.Errorf("%d in the log, want %d", got, spooled+1)
		}
		if !strings.Contains(log.String(), "bring it back") {
			t.Errorf("the log does not say what to do:\n%s", &log)
		}
	})
}

// TestBrokerLostItsNewest: after a failover the log may lack what was acknowledged.
func TestBrokerLostItsNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, nodes, ways, pages, _ := spoolPair(t)
		chatter(pages[1], "kept", 5, 100*time.Millisecond)
		pages[0].inTick("keptc4")
		ways[1].set(func(f *flaky) { f.appendLs = true })
		chatter(pages[1], "lost", 5, 100*time.Millisecond)
		pages[0].inTick("lostc4")
		ways[1].set(func(f *flaky) { f.down, f.appendLs = true, false })
		time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
		ways[1].set(func(f *flaky) { f.down = false })
		pages[1].say("after", "after")
		pages[0].inTick("after")
		settle()
		once(t, broker, "kept", 5, pages[:]...)
		once(t, broker, "lost", 5, pages[:]...)
		if n := nodes[1].metric(t, "comments_restored_total"); n != 5 {
			t.Errorf("%v restored, want 5", n)
		}
		balanced(t, 2+10+1, nodes[:]...)
	})
}
