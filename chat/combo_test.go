package chat_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barrage/chat"
	"barrage/chat/internal/wire"
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
// twice what 30 a second can show. What another node would publish comes over the bus,
// so that ten minutes do not need 2,000 sockets with 6,000 ticks each.
func TestEveryAuthorGetsATurn(t *testing.T) {
	const authors, every, rounds, tick = 2000, 30_000, 20, 100
	for name, when := range map[string]func(dice *rand.Rand, author, round int) int{
		"evenly":        func(_ *rand.Rand, author, round int) int { return round*every + author*every/authors },
		"at one's pace": func(_ *rand.Rand, author, round int) int { return round*every + author*7919%every },
		"at random":     func(dice *rand.Rand, _, round int) int { return round*every + dice.IntN(every) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker := newMemory(t)
				watcher := start(t, setup{broker: broker, pipes: true}).join(t, "live", nil)
				dice := rand.New(rand.NewPCG(1, 2))
				ticks := make([][]wire.Key, rounds*every/tick)
				for author := range authors {
					for round := range rounds {
						at := when(dice, author, round) / tick
						ticks[at] = append(ticks[at], wire.Key{Hash: dice.Uint64() | 1, Count: 1, Comment: wire.AppendComment(nil, wire.Comment{
							ID: fmt.Sprintf("%d-%d", round, author), Author: fmt.Sprint("a", author), Text: "x",
						})})
					}
				}
				n := uint64(0)
				for _, keys := range ticks {
					if len(keys) > 0 {
						n++
						frame := wire.AppendPartial(nil, wire.Partial{Node: "other", N: n, Keys: keys})
						if err := broker.Publish(t.Context(), "live", frame); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(tick * time.Millisecond) //nolint:forbidigo // fake time
				}
				time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
				turns(t, watcher, authors, rounds)
			})
		})
	}
}

// turns checks how often each author was shown.
func turns(t *testing.T, watcher *page, authors, rounds int) {
	t.Helper()
	shown, sum, rest := make(map[any]int), 0, 0
	for _, m := range watcher.messages() {
		rest += m.Rest
		sum += len(m.C)
		for _, c := range m.C {
			shown[c[2]]++
		}
	}
	most, least := 0, rounds
	for author := range authors {
		times := shown[fmt.Sprint("a", author)]
		most, least = max(most, times), min(least, times)
	}
	t.Logf("least %d, most %d of %d; %d shown, %d not", least, most, rounds, sum, rest)
	if least < 5 || most > 2*least || sum+rest != authors*rounds {
		t.Errorf("shown between %d and %d times, want at least 5 and at most twice as often; %d shown, %d not", least, most, sum, rest)
	}
}
