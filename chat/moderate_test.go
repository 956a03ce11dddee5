package chat_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"barrage/chat"
	"barrage/internal/token"
)

// badge signs a token for a person of the room "live".
func badge(tb testing.TB, role token.Role, id string) map[string]any {
	tb.Helper()
	text, err := token.Sign(secret, token.UsePerson, token.Claims{Room: "live", Role: role, Subject: id})
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]any{"token": text, "nick": id}
}

// order sends an order and returns "done" or the code of the error.
func (p *page) order(do string, fields map[string]any) string {
	p.t.Helper()
	p.mu.Lock()
	p.orders++
	id := cid(p.orders)
	p.mu.Unlock()
	msg := map[string]any{"op": "mod", "do": do, "cid": id}
	maps.Copy(msg, fields)
	p.send(msg)
	answer := p.await("answer to "+do, func(m message) bool { return m.CID == id })
	if answer.Op == "done" {
		return "done"
	}
	return answer.Code.(string)
}

func (p *page) event(kind string, ok func(message) bool) message {
	p.t.Helper()
	return p.await("event "+kind, func(m message) bool { return m.Op == "event" && m.Kind == kind && ok(m) })
}

// stage is a room on two nodes: a host and a moderator on the first, viewers on both.
type stage struct {
	nodes           [2]*node
	host, moderator *page
	viewers         [2]*page
}

func newStage(t *testing.T, s setup) *stage {
	t.Helper()
	if s.broker == nil {
		s.broker = newMemory(t)
	}
	st := &stage{nodes: [2]*node{start(t, s), start(t, s)}}
	st.host = st.nodes[0].join(t, "live", badge(t, token.RoleHost, "Anna"))
	st.moderator = st.nodes[0].join(t, "live", badge(t, token.RoleModerator, "Mo"))
	for i, n := range st.nodes {
		st.viewers[i] = n.join(t, "live", nil)
	}
	return st
}

func TestMuteIsHeardEverywhere(t *testing.T) {
	st := newStage(t, setup{})
	target := st.viewers[1]
	id := target.welcome.You.ID
	target.say("1", "before")
	st.host.shown("before")
	if got := st.moderator.order("mute", map[string]any{"who": id, "name": "pest", "seconds": 600}); got != "done" {
		t.Fatalf("mute: %s", got)
	}
	if m := target.event("mute", func(m message) bool { return m.Muted }); m.RetryMS < 590_000 || m.RetryMS > 600_000 {
		t.Errorf("muted for %d ms, want about 600,000", m.RetryMS)
	}
	target.say("2", "not now")
	if ack := target.ack("2"); ack[2] != "rejected" || ack[3] != "muted" {
		t.Errorf("ack = %v", ack)
	}
	target.await("why", func(m message) bool { return m.Op == "error" && m.Code == "muted" && m.RetryMS > 590_000 })
	// The same person with another socket on the other node.
	again := st.nodes[0].join(t, "live", map[string]any{"token": target.welcome.You.Token})
	again.say("3", "nor here")
	if ack := again.ack("3"); ack[2] != "rejected" || ack[3] != "muted" {
		t.Errorf("ack on the other node = %v", ack)
	}
	if got := st.moderator.order("unmute", map[string]any{"who": id}); got != "done" {
		t.Fatalf("unmute: %s", got)
	}
	target.event("mute", func(m message) bool { return !m.Muted })
	target.say("4", "again")
	st.host.shown("again")
}

func TestMuteForTheShow(t *testing.T) {
	broker := newMemory(t)
	show := func(session string) {
		if err := broker.Rooms().PutState(t.Context(), chat.RoomState{Room: "live", Session: session, Phase: "live", Live: true}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	st := newStage(t, setup{broker: broker})
	show("s1")
	target := st.viewers[0]
	target.event("session", func(m message) bool { return m.Session == "s1" })
	if got := st.host.order("mute", map[string]any{"who": target.welcome.You.ID, "show": true}); got != "done" {
		t.Fatalf("mute: %s", got)
	}
	if m := target.event("mute", func(m message) bool { return m.Muted }); m.RetryMS != -1 {
		t.Errorf("retry_ms = %d, want -1", m.RetryMS)
	}
	show("s2")
	target.event("session", func(m message) bool { return m.Session == "s2" })
	target.say("1", "a new show")
	st.host.shown("a new show")
}

func TestBanClosesAndKeepsOut(t *testing.T) {
	addr := func(r *http.Request) netip.Addr {
		a, _ := netip.ParseAddr(r.Header.Get("X-Test-Addr"))
		return a
	}
	st := newStage(t, setup{addr: addr})
	from := func(n *node, addr string, hello map[string]any) *page {
		conn, _, err := n.connect(t, "live", http.Header{"X-Test-Addr": {addr}})
		if err != nil {
			t.Fatal(err)
		}
		p := watch(t, conn)
		hello["op"] = "hello"
		p.send(hello)
		return p
	}
	welcomed := func(p *page) message { return p.await("welcome", func(m message) bool { return m.Op == "welcome" }) }
	pest := from(st.nodes[1], "203.0.113.9", map[string]any{})
	you := welcomed(pest).You
	if got := st.moderator.order("ban", map[string]any{"who": you.ID, "name": "pest", "addr": true}); got != "done" {
		t.Fatalf("ban: %s", got)
	}
	kept := func(p *page, what string) {
		t.Helper()
		if bye, code := p.end(); code != 4005 || bye.Reason != "banned" {
			t.Errorf("%s: closed with %d, %+v, want 4005 banned", what, code, bye)
		}
	}
	kept(pest, "the banned person")
	kept(from(st.nodes[0], "198.51.100.1", map[string]any{"token": you.Token}), "the same person from elsewhere")
	// The address becomes part of the rules when the node that saw it has said so.
	until(t, func() bool {
		p := from(st.nodes[0], "203.0.113.9", map[string]any{})
		m := p.await("an answer", func(m message) bool { return m.Op == "welcome" || m.Op == "bye" })
		p.leave()
		return m.Op == "bye"
	})
	welcomed(from(st.nodes[0], "203.0.113.10", map[string]any{}))
	welcomed(from(st.nodes[0], "203.0.113.9", badge(t, token.RoleModerator, "Max")))
	if got := st.moderator.order("list", nil); got != "done" {
		t.Fatalf("list: %s", got)
	}
	rules := st.moderator.await("rules", func(m message) bool { return m.Op == "rules" })
	if text, _ := json.Marshal(rules.Rules); !strings.Contains(string(text), you.ID) || strings.Contains(string(text), "203.0.113") {
		t.Errorf("rules = %s, want the person and no address", text)
	}
	if got := st.moderator.order("unban", map[string]any{"who": you.ID}); got != "done" {
		t.Fatalf("unban: %s", got)
	}
	welcomed(from(st.nodes[0], "203.0.113.9", map[string]any{"token": you.Token}))
	if got := st.host.order("ban", map[string]any{"cidr": "198.51.100.0/24", "seconds": 60}); got != "done" {
		t.Fatalf("ban of a network: %s", got)
	}
	late := from(st.nodes[0], "198.51.100.77", map[string]any{})
	kept(late, "the network")
	if bye, _ := late.end(); bye.RetryMS < 50_000 || bye.RetryMS > 60_000 {
		t.Errorf("retry_ms = %d, want about 60,000", bye.RetryMS)
	}
}

// until waits for what is on its way.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for range 200 {
		if ok() {
			return
		}
		<-again.C
	}
	t.Fatal("it does not happen")
}

func TestDeleteReachesEverything(t *testing.T) {
	broker := newMemory(t)
	st := newStage(t, setup{broker: broker})
	writer, reader := st.viewers[0], st.viewers[1]
	welcome := reader.welcome
	var first message // tick
	for i, text := range []string{"fine", "bad", "worse", "worst"} {
		writer.say(cid(i), text)
		reader.shown(text)
		if i == 0 {
			first = reader.await("tick", func(m message) bool { return m.Op == "tick" && len(m.C) == 1 })
		}
	}
	bad := reader.shown("bad")[0].(string)
	if got := st.moderator.order("delete", map[string]any{"ids": []string{bad}}); got != "done" {
		t.Fatalf("delete: %s", got)
	}
	for _, p := range []*page{writer, reader, st.host} {
		p.event("delete", func(m message) bool { return len(m.IDs) == 1 && m.IDs[0] == bad })
	}
	texts := func(p *page) (all string) {
		for _, c := range p.welcome.History {
			all += c[4].(string) + " "
		}
		return all
	}
	for i, n := range st.nodes {
		if got := texts(n.join(t, "live", nil)); got != "fine worse worst " {
			t.Errorf("history on node %d = %q", i, got)
		}
	}
	// One who resumes gets the ticks from the ring.
	back := st.nodes[1].join(t, "live", map[string]any{"resume": map[string]any{"epoch": welcome.Epoch, "seq": first.Seq}})
	back.event("delete", func(message) bool { return true })
	back.shown("worst")
	if back.texts()["bad"] != 0 || !back.welcome.Resumed {
		t.Errorf("resumed = %v, saw %v", back.welcome.Resumed, back.texts())
	}
	if got := st.host.order("delete", map[string]any{"who": writer.welcome.You.ID}); got != "done" {
		t.Fatalf("delete of a person: %s", got)
	}
	reader.event("delete", func(m message) bool { return m.Who == writer.welcome.You.ID })
	// A node that starts now has it from the log.
	fresh := start(t, setup{broker: broker})
	if p := fresh.join(t, "live", nil); len(p.welcome.History) != 0 {
		t.Errorf("history on a fresh node = %v", p.welcome.History)
	}
	if got := st.moderator.order("delete", map[string]any{"ids": []string{"none"}}); got != "no_such_comment" {
		t.Errorf("delete of nothing: %s", got)
	}
}

func TestPinNoticeAndSlowMode(t *testing.T) {
	st := newStage(t, setup{})
	writer, reader := st.viewers[0], st.viewers[1]
	writer.say("1", "the best question")
	id := reader.shown("the best question")[0].(string)
	for do, fields := range map[string]map[string]any{
		"pin": {"ids": []string{id}}, "notice": {"text": "Be kind."}, "slow": {"seconds": 30},
	} {
		if got := st.moderator.order(do, fields); got != "done" {
			t.Fatalf("%s: %s", do, got)
		}
	}
	reader.event("pin", func(m message) bool { return len(m.Pinned) == 1 && m.Pinned[0][0] == id })
	reader.event("notice", func(m message) bool { return m.Text == "Be kind." })
	reader.event("policy", func(m message) bool { return m.Slow == 30 })
	late := st.nodes[1].join(t, "live", nil)
	if w := late.welcome; len(w.Pinned) != 1 || w.Pinned[0][0] != id || w.Notice != "Be kind." || w.Policy.Slow != 30 {
		t.Errorf("welcome = pinned %v, notice %q, slow %d", w.Pinned, w.Notice, w.Policy.Slow)
	}
	late.say("1", "one")
	late.ack("1")
	late.say("2", "two")
	if ack := late.ack("2"); ack[2] != "rejected" || ack[3] != "slow_mode" {
		t.Errorf("ack = %v", ack)
	}
	late.await("how long", func(m message) bool { return m.Op == "error" && m.Code == "slow_mode" && m.RetryMS > 25_000 })
	for i := range 3 {
		st.moderator.say(cid(i), "moderators are not slow "+cid(i))
		reader.shown("moderators are not slow " + cid(i))
	}
	// What is deleted is no longer pinned.
	if got := st.host.order("delete", map[string]any{"ids": []string{id}}); got != "done" {
		t.Fatalf("delete: %s", got)
	}
	reader.event("pin", func(m message) bool { return len(m.Pinned) == 0 })
}

func TestBlockedWordsAndNames(t *testing.T) {
	st := newStage(t, setup{})
	if got := st.host.order("block", map[string]any{"words": []string{"spoiler", "ネタバレ"}}); got != "done" {
		t.Fatalf("block: %s", got)
	}
	p := st.viewers[1]
	for i, text := range []string{"S P O I L E R!", "ﾈﾀﾊﾞﾚです", "ｓｐｏｉｌｅｒ"} {
		until(t, func() bool { // the other node learns
			id := cid(i) + "-" + time.Now().Format("05.000000")
			p.say(id, text)
			ack := p.ack(id)
			return ack[2] == "rejected" && ack[3] == "blocked"
		})
	}
	// The host has a face on his own node; on others once he has spoken.
	st.host.say("1", "hello")
	p.shown("hello")
	for nick, want := range map[string]string{"Аnnа": "nick_taken", "A n n a": "nick_taken", "sp-oiler": "nick_blocked"} {
		p.send(map[string]any{"op": "nick", "nick": nick})
		p.await(nick+" refused", func(m message) bool { return m.Op == "error" && m.Code == want })
	}
	q := st.nodes[0].join(t, "live", map[string]any{"nick": "ａｎｎａ"})
	if you := q.await("another name", func(m message) bool { return m.Op == "you" }); !strings.HasPrefix(you.Nick, "guest-") {
		t.Errorf("nick = %q", you.Nick)
	}
	if got := st.host.order("unblock", map[string]any{"words": []string{"spoiler", "ネタバレ"}}); got != "done" {
		t.Fatalf("unblock: %s", got)
	}
}

func TestWhoMayOrder(t *testing.T) {
	st := newStage(t, setup{})
	second := st.nodes[0].join(t, "live", badge(t, token.RoleModerator, "Max"))
	st.host.say("1", "by the host")
	hosts := st.moderator.shown("by the host")[0].(string)
	for _, c := range []struct {
		what   string
		by     *page
		do     string
		fields map[string]any
		want   string
	}{
		{"a viewer", st.viewers[0], "slow", map[string]any{"seconds": 5}, "forbidden"},
		{"a viewer asks for the list", st.viewers[0], "list", nil, "forbidden"},
		{"the host, by a moderator", st.moderator, "mute", map[string]any{"who": "Anna"}, "forbidden"},
		{"a moderator, by a moderator", st.moderator, "ban", map[string]any{"who": "Max"}, "forbidden"},
		{"the host's comment", st.moderator, "delete", map[string]any{"ids": []string{hosts}}, "forbidden"},
		{"all of the host's", st.moderator, "delete", map[string]any{"who": "Anna"}, "forbidden"},
		{"unknown", st.host, "dance", map[string]any{}, "bad_order"},
		{"nonsense", st.host, "ban", map[string]any{"cidr": "everywhere"}, "bad_order"},
		{"delete nothing", st.host, "delete", map[string]any{}, "bad_order"},
		{"pin nothing", st.host, "pin", map[string]any{}, "bad_order"},
		{"a moderator, by the host", st.host, "mute", map[string]any{"who": "Max"}, "done"},
	} {
		if got := c.by.order(c.do, c.fields); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	second.say("1", "I say nothing")
	if ack := second.ack("1"); ack[2] != "rejected" || ack[3] != "muted" {
		t.Errorf("ack = %v", ack)
	}
}

// TestLogKeepsDeedsAndMeasures: who did what to whom, and how the room stood,
// is in the log; tokens are not.
func TestLogKeepsDeedsAndMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newMemory(t)
		n := start(t, setup{broker: broker, pipes: true})
		host := n.join(t, "live", badge(t, token.RoleHost, "Anna"))
		host.order("mute", map[string]any{"who": "p", "seconds": 60})
		host.send(map[string]any{"op": "like", "n": 7})
		for i := range 3 {
			host.say(cid(i), "hi "+cid(i))
		}
		time.Sleep(25 * time.Second) //nolint:forbidigo // fake time
		entries, err := broker.Tail(t.Context(), "live", 100)
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		for _, e := range entries {
			log.Write(e.Batch)
			log.WriteByte('\n')
		}
		for _, want := range []string{
			`"mod":{"do":"mute","by":"Anna","role":"host","who":"p","seconds":60}`,
			`"viewers":1,"comments":3,"comments_total":3,"likes":7,"likes_total":7}`,
			`"viewers":1,"comments":0,"comments_total":3,"likes":0,"likes_total":7}`,
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %s:\n%s", want, log.String())
			}
		}
		if strings.Contains(log.String(), host.welcome.You.Token) {
			t.Error("the log has a token")
		}
	})
}

// forgetful loses the rules of its room when told to.
type forgetful struct {
	chat.Broker

	mu   sync.Mutex
	kept chat.Rules
}

func (f *forgetful) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = chat.Rules{}
}

func (f *forgetful) Lead(ctx context.Context, room, node string, ttl time.Duration) (chat.Lease, error) {
	l, err := f.Broker.Lead(ctx, room, node, ttl)
	f.mu.Lock()
	defer f.mu.Unlock()
	l.RulesVersion = f.kept.Version
	return l, err
}

func (f *forgetful) Rules(context.Context, string) (chat.Rules, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept, nil
}

func (f *forgetful) SetRules(_ context.Context, _ string, r chat.Rules) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Version != f.kept.Version {
		return chat.ErrConflict
	}
	f.kept = chat.Rules{Version: r.Version + 1, Body: r.Body}
	return nil
}

// TestRulesComeBack: a store that has lost the rules gets them again from the
// nodes that know them.
func TestRulesComeBack(t *testing.T) {
	broker := &forgetful{Broker: newMemory(t)}
	st := newStage(t, setup{broker: broker})
	if got := st.host.order("notice", map[string]any{"text": "Be kind."}); got != "done" {
		t.Fatalf("notice: %s", got)
	}
	st.viewers[1].event("notice", func(message) bool { return true })
	broker.forget()
	until(t, func() bool {
		doc, err := broker.Rules(t.Context(), "live")
		return err == nil && strings.Contains(string(doc.Body), "Be kind.")
	})
	if got := st.host.order("slow", map[string]any{"seconds": 5}); got != "done" {
		t.Fatalf("slow: %s", got)
	}
	st.viewers[1].event("policy", func(m message) bool { return m.Slow == 5 })
	if late := st.nodes[1].join(t, "live", nil); late.welcome.Notice != "Be kind." {
		t.Errorf("notice = %q", late.welcome.Notice)
	}
}
