package chat_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"barrage/chat"
	"barrage/chat/internal/wire"
	"barrage/internal/token"
)

func TestCloseCodes(t *testing.T) {
	hello := func(p *page) { p.send(map[string]any{"op": "hello"}) }
	raw := func(kind int, data string) func(*page) {
		return func(p *page) {
			// The server may close before it has read all of it.
			_ = p.conn.WriteMessage(kind, []byte(data))
		}
	}
	sign := func(c token.Claims) string {
		text, err := token.Sign(secret, token.UsePerson, c)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	badge := func(text string) func(*page) {
		return func(p *page) { p.send(map[string]any{"op": "hello", "token": text}) }
	}
	flood := func(p *page) {
		for range 150 {
			if p.conn.WriteJSON(map[string]any{"op": "ping"}) != nil {
				return
			}
		}
	}
	pings := func(p *page) {
		for range 500 {
			if p.conn.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second)) != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		what   string
		does   []func(*page)
		code   int
		reason string
		retry  int64
	}{
		{"says nothing", nil, 4004, "hello_missing", -1},
		{"no hello first", []func(*page){raw(websocket.TextMessage, `{"op":"ping"}`)}, 4004, "hello_bad", -1},
		{"no JSON first", []func(*page){raw(websocket.TextMessage, `GET / HTTP/1.0`)}, 4004, "hello_bad", -1},
		{"not UTF-8", []func(*page){hello, raw(websocket.TextMessage, "{\"op\":\"send\",\"text\":\"\xff\xfe\"}")}, 1007, "not_utf8", -1},
		{"binary", []func(*page){hello, raw(websocket.BinaryMessage, "x")}, 1003, "binary", -1},
		{"too large", []func(*page){hello, raw(websocket.TextMessage, strings.Repeat("x", 8<<10))}, 1009, "", 0},
		{"64 KiB at once", []func(*page){raw(websocket.TextMessage, strings.Repeat("x", 64<<10))}, 1009, "", 0},
		{"forged token", []func(*page){badge("a.b")}, 4003, "token_invalid", 0},
		{"expired token", []func(*page){badge(sign(token.Claims{Role: token.RoleViewer, Subject: "a", Expires: 1}))}, 4003, "token_expired", 0},
		{"token of another room", []func(*page){badge(sign(token.Claims{Room: "other", Role: token.RoleHost, Subject: "a"}))}, 4003, "token_other_room", 0},
		{"flood", []func(*page){hello, flood}, 4006, "flood", 10_000},
		{"flood of pings", []func(*page){hello, pings}, 4006, "flood", 10_000},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			n := start(t, setup{config: func(c *chat.Config) { c.Rate, c.Burst = 1, 3 }})
			p := n.open(t, "live")
			for _, do := range c.does {
				do(p)
			}
			bye, code := p.end()
			if code != c.code || bye.Reason != c.reason || bye.RetryMS != c.retry {
				t.Errorf("closed with %d (%v), bye = %+v; want %d %q %d", code, p.closed, bye, c.code, c.reason, c.retry)
			}
			n.stop()
			if got := n.metric(t, "closes_total"); got != 1 {
				t.Errorf("closes = %v, want 1", got)
			}
			if got := n.metric(t, "connections"); got != 0 {
				t.Errorf("connections = %v, want 0", got)
			}
		})
	}
}

func TestTokenExpiresInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{pipes: true})
		text, err := token.Sign(secret, token.UsePerson, token.Claims{Room: "live", Role: token.RoleHost, Subject: "anna", Expires: time.Now().Unix() + 60})
		if err != nil {
			t.Fatal(err)
		}
		p := n.join(t, "live", map[string]any{"token": text})
		if p.welcome.You.Role != "host" || p.welcome.You.ID != "anna" || p.welcome.You.Token != text {
			t.Errorf("welcome = %+v", p.welcome.You)
		}
		p.say("1", "as host")
		if c := p.shown("as host"); c[7] != "host" || c[2] != "anna" {
			t.Errorf("comment = %v", c)
		}
		time.Sleep(61 * time.Second) //nolint:forbidigo // fake time
		p.say("2", "no longer")
		if bye, code := p.end(); code != 4003 || bye.Reason != "token_expired" {
			t.Errorf("closed with %d, bye = %+v", code, bye)
		}
	})
}

func TestSmallOps(t *testing.T) {
	n := start(t, setup{})
	p := n.join(t, "live", nil)
	p.send(map[string]any{"op": "nick", "nick": strings.Repeat("名", 40)})
	if m := p.await("you", func(m message) bool { return m.Op == "you" }); m.Nick != strings.Repeat("名", 32) {
		t.Errorf("nick = %q", m.Nick)
	}
	p.send(map[string]any{"op": "ping"})
	p.await("pong", func(m message) bool { return m.Op == "pong" })
	for _, c := range []struct {
		msg  map[string]any
		want string
	}{
		{map[string]any{"op": "dance"}, "unknown_op"},
		{map[string]any{"op": "hello"}, "bad_message"},
		{map[string]any{"op": "like", "n": 51}, "bad_message"},
		{map[string]any{"op": "send", "cid": "no spaces", "text": "a"}, "bad_message"},
		{map[string]any{"op": "send", "text": "a"}, "bad_message"},
		{map[string]any{"op": 5}, "bad_message"},
	} {
		p.mu.Lock()
		p.got = nil
		p.mu.Unlock()
		p.send(c.msg)
		if m := p.await("error", func(m message) bool { return m.Op == "error" }); m.Code != c.want {
			t.Errorf("%v: error %v, want %s", c.msg, m.Code, c.want)
		}
	}
	p.send(map[string]any{"op": "like", "n": 3})
	p.send(map[string]any{"op": "like", "n": 4})
	p.await("likes", func(m message) bool { return m.Op == "tick" && m.Likes == 7 })
}

func TestSlowSubscriberHurtsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{pipes: true})
		p := n.join(t, "live", nil)
		conn, _, err := n.connect(t, "live", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // closed by the server already
		if err = conn.WriteJSON(map[string]any{"op": "hello"}); err != nil {
			t.Fatal(err)
		}
		// It reads its welcome and then never again; a pipe holds nothing.
		if _, _, err = conn.ReadMessage(); err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			begin := time.Now()
			p.say(cid(i), cid(i))
			p.shown(cid(i))
			if d := time.Since(begin); d > 200*time.Millisecond {
				t.Fatalf("comment %d took %v", i, d)
			}
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // fake time
		}
		if got := n.metric(t, "connections"); got != 1 {
			t.Errorf("%v connections, want 1: the slow one is closed after 5 s", got)
		}
		balanced(t, 60, n)
	})
}

// TestLateReaderSkips has a subscriber that stops reading for a while, but less
// than the write deadline.
func TestLateReaderSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{pipes: true, config: func(c *chat.Config) { c.TickMin, c.MaxShownPerSecond = 20*time.Millisecond, 60 }})
		p := n.join(t, "live", nil)
		late := n.join(t, "live", nil)
		hold := make(chan struct{})
		late.mu.Lock()
		late.hold = hold // its reader stops at the next message
		late.mu.Unlock()
		chatter(p, "x", 200, 20*time.Millisecond)
		close(hold)
		late.shown("xc199")
		gap := late.await("gap", func(m message) bool { return m.Op == "gap" })
		p.say("end", "end")
		late.shown("end")
		next := late.await("tick", func(m message) bool { return m.Op == "tick" && m.Seq == gap.To+1 })
		if next.Op == "" || gap.To <= gap.From {
			t.Errorf("gap = %+v", gap)
		}
	})
}

func TestIdleConnectionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{pipes: true})
		p := n.join(t, "live", nil)
		conn, _, err := n.connect(t, "live", nil)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetPingHandler(func(string) error { return nil }) // it never answers
		quiet := watch(t, conn)
		quiet.send(map[string]any{"op": "hello"})
		begin := time.Now()
		bye, code := quiet.end()
		if code != 4008 || bye.Reason != "idle" || time.Since(begin) > 61*time.Second {
			t.Errorf("closed with %d, bye = %+v after %v", code, bye, time.Since(begin))
		}
		time.Sleep(5 * time.Minute) //nolint:forbidigo // fake time
		p.say("x", "still here")
		p.shown("still here")
		ticks, last := 0, 0
		for _, m := range p.messages() {
			if m.Op == "tick" {
				ticks++
				last = m.Viewers
			}
		}
		if ticks < 30 || ticks > 60 || last != 1 {
			t.Errorf("%d ticks in a silent room of six minutes, the last with %d viewers", ticks, last)
		}
	})
}

func TestEmptyRoomCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{pipes: true})
		p := n.join(t, "live", nil)
		p.say("x", "x")
		p.ack("x")
		p.leave()
		time.Sleep(20 * time.Second) //nolint:forbidigo // fake time
		if got := n.metric(t, "rooms"); got != 1 {
			t.Errorf("%v rooms after 20 s, want 1", got)
		}
		time.Sleep(15 * time.Second) //nolint:forbidigo // fake time
		if got := n.metric(t, "rooms"); got != 0 {
			t.Errorf("%v rooms after 35 s, want 0", got)
		}
		again := n.join(t, "live", nil)
		if h := again.welcome.History; len(h) != 1 || again.welcome.Epoch != p.welcome.Epoch {
			t.Errorf("welcome = %+v, want the log's history in the same epoch", again.welcome)
		}
		again.say("y", "y")
		again.shown("y")
		balanced(t, 2, n)
	})
}

func TestSurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newMemory(t)
		config := func(c *chat.Config) { c.MaxShownPerSecond = 20 }
		nodes := []*node{start(t, setup{broker: broker, pipes: true, config: config}), start(t, setup{broker: broker, pipes: true, config: config})}
		pages := []*page{nodes[0].join(t, "live", nil), nodes[1].join(t, "live", nil)}
		text, err := token.Sign(secret, token.UsePerson, token.Claims{Room: "live", Role: token.RoleModerator, Subject: "mod"})
		if err != nil {
			t.Fatal(err)
		}
		mod := nodes[1].join(t, "live", map[string]any{"token": text})
		for i := range 90 {
			for _, p := range pages {
				p.say(cid(i), fmt.Sprint(p == pages[0], i))
			}
			time.Sleep(50 * time.Millisecond) //nolint:forbidigo // fake time: 40 comments a second for 4.5 s
		}
		mod.say("m", "please")
		if ack := mod.ack("m"); ack[2] != "shown" {
			t.Errorf("the moderator's comment: %v", ack)
		}
		time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
		shown, rest := 0, 0
		for _, m := range pages[0].messages() {
			if m.Op == "tick" {
				shown += len(m.C)
				rest += m.Rest
			}
		}
		if shown+rest != 181 || rest < 40 || shown > 40+20*5+10 {
			t.Errorf("shown %d, rest %d, want 181 together and about 20/s shown", shown, rest)
		}
		acks := map[string]int{}
		for _, p := range pages {
			for i := range 90 {
				acks[p.ack(cid(i))[2]]++
			}
		}
		if acks["shown"] != shown-1 || acks["rest"] != rest {
			t.Errorf("acks = %v, want shown %d, rest %d", acks, shown-1, rest)
		}
		balanced(t, 181, nodes...)
	})
}

func TestSessionAndMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newMemory(t)
		n := start(t, setup{broker: broker, pipes: true})
		p := n.join(t, "live", nil)
		say := func(id string, pdt int64) int64 {
			t.Helper()
			p.send(map[string]any{"op": "send", "cid": id, "text": id, "pdt": pdt})
			return int64(p.shown(id)[1].(float64))
		}
		wall := time.Now().UnixMilli()
		if got := say("before", 0); got < wall || got > wall+1000 {
			t.Errorf("without video: pdt = %d, want wall clock %d", got, wall)
		}
		const pdt = 1_000_000_000_000 // far from the wall clock
		state := chat.RoomState{Room: "live", Session: "s1", Epoch: "k1", Phase: "live", Live: true, PDT: pdt, Window: 30_000, Latency: 3000, Players: 4}
		put := func() {
			t.Helper()
			if err := broker.Rooms().PutState(t.Context(), state, 10*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		put()
		p.await("session", func(m message) bool { return m.Kind == "session" && m.Phase == "live" && m.Session == "s1" && m.Live })
		p.await("viewers with players", func(m message) bool { return m.Op == "tick" && m.Viewers == 5 })
		at := time.Now()
		put()
		synctest.Wait()
		time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
		for _, c := range []struct {
			what      string
			pdt, want int64
		}{
			{"default", 0, pdt - 3000},
			{"honest", pdt - 5000, pdt - 5000 - 2000},
			{"future", pdt + 1_000_000, pdt + 1000},
			{"ancient", 5, pdt - 30_000},
		} {
			now := time.Since(at).Milliseconds()
			want := c.want + now
			if c.what == "honest" {
				want = c.pdt
			}
			if got := say(c.what, c.pdt); got != want {
				t.Errorf("%s: pdt = %d, want %d", c.what, got, want)
			}
		}
		time.Sleep(11 * time.Second) //nolint:forbidigo // fake time
		p.await("lapse", func(m message) bool { return m.Kind == "session" && m.Phase == "offline" && !m.Live })
		sessions := 0
		for _, m := range p.messages() {
			if m.Kind == "session" {
				sessions++
			}
		}
		if sessions != 2 {
			t.Errorf("%d session events, want 2: a new PDT alone is none", sessions)
		}
	})
}

// TestBusyNode has another node, played by the test, report many subscribers
// and then fall silent.
func TestBusyNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newMemory(t)
		n := start(t, setup{broker: broker, pipes: true})
		p := n.join(t, "live", nil)
		p.say("1", "one")
		p.ack("1")
		if err := broker.Publish(t.Context(), "live", wire.AppendPartial(nil, wire.Partial{Node: "other", Viewers: 20_000})); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		p.await("viewers", func(m message) bool { return m.Op == "tick" && m.Viewers == 20_001 })
		slower := p.await("policy", func(m message) bool { return m.Kind == "policy" })
		if slower.Tick != 320 || slower.Delay != 620 || time.Since(begin) > 2*time.Second {
			t.Errorf("policy = %+v after %v, want 20,000 × 8 µs in half a core: 320 ms", slower, time.Since(begin))
		}
		p.await("the usual pace", func(m message) bool { return m.Kind == "policy" && m.Tick == 100 })
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("a silent node counted for %v", d)
		}
		last := 0
		for _, m := range p.messages() {
			if m.Op == "tick" {
				last = m.Viewers
			}
		}
		if last != 1 {
			t.Errorf("%d viewers at the end, want 1", last)
		}
	})
}

// TestEmptyRoomMakesPlace: whoever opens rooms and leaves them keeps nobody out.
func TestEmptyRoomMakesPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{pipes: true, config: func(c *chat.Config) { c.MaxRooms = 3 }})
		n.join(t, "watched", nil)
		for i := range 5 {
			n.join(t, fmt.Sprint("room-", i), nil).leave()
			time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
		}
		if got := n.metric(t, "rooms"); got != 3 {
			t.Errorf("%v rooms, want 3", got)
		}
		n.join(t, "live", nil)
		n.join(t, "more", nil)
		if _, status, err := n.connect(t, "too-many", nil); err == nil || status != http.StatusServiceUnavailable {
			t.Errorf("with three rooms in use: %v, %v", status, err)
		}
	})
}

func TestOneAddress(t *testing.T) {
	n := start(t, setup{config: func(c *chat.Config) { c.MaxConnsPerAddr, c.MaxRooms = 2, 1 }})
	first := n.join(t, "live", nil)
	if _, status, err := n.connect(t, "other", nil); err == nil || status != http.StatusServiceUnavailable {
		t.Errorf("a second room: %v, %v", status, err)
	}
	n.join(t, "live", nil)
	if _, status, err := n.connect(t, "live", nil); err == nil || status != http.StatusTooManyRequests {
		t.Errorf("a third connection: %v, %v", status, err)
	}
	first.leave()
	for {
		conn, _, err := n.connect(t, "live", nil)
		if err == nil {
			_ = conn.Close()
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the place of one who left stays taken")
		}
	}
	if got := n.metric(t, "refused_total"); got < 2 {
		t.Errorf("refused = %v, want at least 2", got)
	}
}
