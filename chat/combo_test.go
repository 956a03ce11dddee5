package chat_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"barrage/chat"
)

// shouts is what a page saw of one word: its comments, and what its combo came to.
type shouts struct {
	ids          []string
	deltas, last int
	rest         int
}

func (p *page) shouts(text string) (s shouts) {
	p.t.Helper()
	seq := uint64(0)
	for _, m := range p.messages() {
		if m.Op != "tick" {
			continue
		}
		if seq != 0 && m.Seq != seq+1 {
			p.t.Errorf("tick %d follows tick %d", m.Seq, seq)
		}
		seq = m.Seq
		s.rest += m.Rest
		for _, c := range m.C {
			if strings.HasPrefix(c[4].(string), text) {
				s.ids = append(s.ids, c[0].(string))
			}
		}
		for _, k := range m.K {
			if !slices.Contains(s.ids, k[0].(string)) {
				continue
			}
			s.deltas += int(k[1].(float64))
			if total := int(k[2].(float64)); total <= s.last {
				p.t.Errorf("total %d after %d", total, s.last)
			} else {
				s.last = total
			}
		}
	}
	return s
}

func (p *page) shout(cid, text string, pdt int64) {
	p.t.Helper()
	p.send(map[string]any{"op": "send", "cid": cid, "text": text, "pdt": pdt})
}

// TestOneComboWhateverTheLatency: viewers at 2, 8 and 25 s behind shout when the
// picture reaches them.
func TestOneComboWhateverTheLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newMemory(t)
		nodes := []*node{start(t, setup{broker: broker, pipes: true}), start(t, setup{broker: broker, pipes: true})}
		const moment = 1_790_000_000_500
		state := chat.RoomState{Room: "live", Phase: "live", Live: true, PDT: moment, Window: 30_000}
		if err := broker.PutState(t.Context(), state, time.Hour); err != nil {
			t.Fatal(err)
		}
		words := []string{"バルス", "ﾊﾞﾙｽ!!", "バルス！！！", "ばるすーーー"}
		var pages []*page
		for i := range 12 {
			pages = append(pages, nodes[i%2].join(t, "live", nil))
		}
		begin := time.Now()
		total := 0
		for _, behind := range []time.Duration{2 * time.Second, 8 * time.Second, 25 * time.Second} {
			time.Sleep(behind - time.Since(begin)) //nolint:forbidigo // fake time
			for i := range 300 {
				total++
				pages[i%len(pages)].shout(cid(total), words[i%len(words)], moment+int64(i))
				if i%50 == 0 {
					time.Sleep(40 * time.Millisecond) //nolint:forbidigo // fake time
				}
			}
		}
		pages[0].shout("later", "バルス", moment+4000) // another moment
		pages[0].ack("later")
		time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
		for _, p := range pages {
			got := p.shouts("")
			if len(got.ids) != 2 || got.last != total || got.deltas != total-1 || got.rest != 0 {
				t.Fatalf("%+v, want one comment with a total of %d, and a later one", got, total)
			}
		}
		first := pages[0].shouts("").ids[0]
		fates := map[string]int{}
		for i := range total {
			ack := pages[i%300%len(pages)].fate(cid(i + 1))
			fates[ack[2]]++
			if ack[2] == "merged" && ack[3] != first {
				t.Fatalf("ack %v, want it merged into %s", ack, first)
			}
		}
		if fates["shown"] != 1 || fates["merged"] != total-1 {
			t.Errorf("fates = %v", fates)
		}
		balanced(t, total+1, nodes...)
	})
}

func TestLeaderDiesInACombo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, ways, pages := pair(t)
		moment := time.Now().UnixMilli()/2000*2000 + 100
		said := 0
		shout := func(p *page, times int) {
			for range times {
				said++
				p.shout(cid(said), "バルス", moment)
				time.Sleep(20 * time.Millisecond) //nolint:forbidigo // fake time
			}
		}
		shout(pages[0], 25)
		shout(pages[1], 25)
		ways[0].set(func(f *flaky) { f.down = true })
		shout(pages[1], 200)
		time.Sleep(3 * time.Second) //nolint:forbidigo // fake time
		got := pages[1].shouts("バルス")
		if len(got.ids) != 1 || got.last != said || got.deltas != said-1 {
			t.Errorf("%+v, want one comment with a total of %d", got, said)
		}
		if n := nodes[1].metric(t, "leaderships_total"); n != 1 {
			t.Errorf("the other node became leader %v times", n)
		}
		balanced(t, said+2, nodes[:]...)
	})
}

// TestResendOfWhatWasMerged: the fate of the first is told again.
func TestResendOfWhatWasMerged(t *testing.T) {
	n := start(t, setup{})
	p := n.join(t, "live", nil)
	moment := time.Now().UnixMilli()
	p.shout("a", "バルス", moment)
	first := p.ack("a")
	p.shout("b", "バルス!", moment)
	second := p.ack("b")
	if second[2] != "merged" || second[3] != first[1] || second[1] == first[1] {
		t.Errorf("acks %v and %v", first, second)
	}
	again := n.join(t, "live", map[string]any{"token": p.welcome.You.Token})
	again.shout("b", "バルス!", moment)
	if ack := again.ack("b"); !slices.Equal(ack, second) {
		t.Errorf("ack of the resend = %v, want %v", ack, second)
	}
	balanced(t, 2, n)
}

// TestHostIsNotMerged: what the host says is shown, whoever said it before.
func TestHostIsNotMerged(t *testing.T) {
	n := start(t, setup{})
	p := n.join(t, "live", nil)
	host := n.join(t, "live", map[string]any{"token": personToken(t, "host", "h")})
	moment := time.Now().UnixMilli()
	p.shout("a", "はい", moment)
	p.ack("a")
	host.shout("b", "はい", moment)
	if ack := host.ack("b"); ack[2] != "shown" {
		t.Errorf("ack = %v", ack)
	}
	balanced(t, 2, n)
}

// TestEveryAuthorGetsATurn: 2,000 authors with a comment every 30 s are more than
// twice what 30 a second can show.
func TestEveryAuthorGetsATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const authors, every, rounds = 2000, 30 * time.Second, 20
		broker := newMemory(t)
		config := func(c *chat.Config) { c.TickMin, c.MaxConnsPerAddr = time.Second, 2*authors }
		nodes := []*node{start(t, setup{broker: broker, pipes: true, config: config}), start(t, setup{broker: broker, pipes: true, config: config})}
		watcher := &counter{shown: make(map[string]int), done: make(chan struct{})}
		conn, _, err := nodes[0].connect(t, "live", nil)
		if err != nil {
			t.Fatal(err)
		}
		hello(t, conn)
		go watcher.read(conn)
		var crowd sync.WaitGroup
		for i := range authors {
			crowd.Go(func() { talk(t, nodes[i%2], i, every, rounds) })
		}
		crowd.Wait()
		_ = conn.Close()
		<-watcher.done
		most, least := 0, rounds
		for i := range authors {
			n := watcher.shown[fmt.Sprint("a", i)]
			most, least = max(most, n), min(least, n)
		}
		t.Logf("shown to all: least %d, most %d of %d", least, most, rounds)
		if least < 5 || most > 2*least {
			t.Errorf("shown between %d and %d times, want at least 5 and at most twice as often", least, most)
		}
		balanced(t, authors*rounds, nodes...)
	})
}

// talk is one author who says something new every so often and does not look.
func talk(t *testing.T, n *node, i int, every time.Duration, rounds int) {
	dice := rand.New(rand.NewPCG(7, uint64(i)))
	time.Sleep(time.Duration(dice.Int64N(int64(every)))) //nolint:forbidigo // fake time
	conn, _, err := n.connect(t, "live", nil)
	if err != nil {
		t.Error(err)
		return
	}
	if err = conn.WriteJSON(map[string]any{"op": "hello", "nick": fmt.Sprint("a", i)}); err != nil {
		t.Error(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for err := error(nil); err == nil; {
			_, _, err = conn.NextReader()
		}
	})
	for round := range rounds {
		text := fmt.Sprintf("author %d says %d", i, round)
		if err = conn.WriteJSON(map[string]any{"op": "send", "cid": cid(round), "text": text}); err != nil {
			t.Error(err)
		}
		time.Sleep(every) //nolint:forbidigo // fake time
	}
	_ = conn.Close()
	reader.Wait()
}

func hello(tb testing.TB, conn *websocket.Conn) {
	tb.Helper()
	if err := conn.WriteJSON(map[string]any{"op": "hello"}); err != nil {
		tb.Fatal(err)
	}
}

// counter counts whose comments it is shown.
type counter struct {
	shown map[string]int // by nick
	done  chan struct{}
}

func (c *counter) read(conn *websocket.Conn) {
	defer close(c.done)
	for {
		_, b, err := conn.ReadMessage()
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(b, &m) == nil {
			for _, comment := range m.C {
				c.shown[comment[3].(string)]++
			}
		}
	}
}
