package chat_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"barrage/chat"
	"barrage/internal/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = bytes.Repeat([]byte{7}, 32)

// node is one hub behind a listener: TCP, or pipes where time is fake.
type node struct {
	hub  *chat.Hub
	reg  *prometheus.Registry
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	addr string
	stop func()
}

type setup struct {
	broker chat.Broker
	config func(*chat.Config)
	pipes  bool
	addr   func(*http.Request) netip.Addr
	full   func() error
	spool  string // a directory
	limit  int64  // of it
	logger *slog.Logger
	dir    string // of the archive

	accepted chan<- net.Conn // the first connection, as the server has it
}

func start(tb testing.TB, s setup) *node {
	tb.Helper()
	if s.broker == nil {
		s.broker = newMemory(tb)
	}
	cfg := chat.DefaultConfig()
	cfg.Rate, cfg.Burst = 1000, 1000
	if s.config != nil {
		s.config(&cfg)
	}
	reg := prometheus.NewPedanticRegistry()
	opts := chat.Options{Broker: s.broker, Secret: secret, Registerer: reg, ClientAddr: s.addr, Full: s.full, Logger: s.logger, Dir: s.dir}
	if s.spool != "" {
		root, err := os.OpenRoot(s.spool)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = root.Close() })
		opts.Spool, opts.SpoolBytes = root, cmp.Or(s.limit, 1<<30)
	}
	hub, err := chat.New(cfg, opts)
	if err != nil {
		tb.Fatal(err)
	}
	n := &node{hub: hub, reg: reg}
	var ln net.Listener
	if s.pipes {
		p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		ln, n.dial, n.addr = p, p.dial, "pipe"
	} else {
		ln, err = net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
		if err != nil {
			tb.Fatal(err)
		}
		n.dial, n.addr = new(net.Dialer).DialContext, ln.Addr().String()
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := &http.Server{Handler: hub.Handler(), ReadHeaderTimeout: 5 * time.Second, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		select {
		case s.accepted <- c:
		default:
		}
		return ctx
	}}
	var parts sync.WaitGroup
	parts.Go(func() { _ = srv.Serve(ln) })
	parts.Go(func() {
		if err := hub.Run(ctx); err != nil {
			tb.Errorf("Run: %v", err)
		}
	})
	n.stop = sync.OnceFunc(func() {
		cancel()
		_ = srv.Close()
		parts.Wait()
	})
	tb.Cleanup(n.stop)
	return n
}

func newMemory(tb testing.TB) *chat.Memory {
	tb.Helper()
	m := chat.NewMemory(chat.MemoryOptions{})
	tb.Cleanup(func() { _ = m.Close() })
	return m
}

// pipes is a listener without a network, which testing/synctest can follow.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// message is any message of the server.
type message struct {
	Op       string                                 `json:"op"`
	Kind     string                                 `json:"kind"`
	Epoch    string                                 `json:"epoch"`
	Seq      uint64                                 `json:"seq"`
	Resumed  bool                                   `json:"resumed"`
	You      struct{ ID, Nick, Role, Token string } `json:"you"`
	Nick     string                                 `json:"nick"`
	Policy   struct{ Tick, Delay, Burst, Slow int } `json:"policy"`
	Slow     int                                    `json:"slow"`
	Pinned   [][]any                                `json:"pinned"`
	Notice   string                                 `json:"notice"`
	Text     string                                 `json:"text"`
	IDs      []string                               `json:"ids"`
	Who      string                                 `json:"who"`
	CID      string                                 `json:"cid"`
	Do       string                                 `json:"do"`
	Muted    bool                                   `json:"muted"`
	Rules    map[string]any                         `json:"rules"`
	Tick     int                                    `json:"tick"`
	Delay    int                                    `json:"delay"`
	History  [][]any                                `json:"history"`
	Counters struct{ Viewers, Comments, Likes int } `json:"counters"`
	Session  any                                    `json:"session"` // an object in welcome, a name in the event
	Phase    string                                 `json:"phase"`
	Live     bool                                   `json:"live"`
	Degraded bool                                   `json:"degraded"`
	C        [][]any                                `json:"c"`
	K        [][]any                                `json:"k"`
	Rest     int                                    `json:"rest"`
	Viewers  int                                    `json:"viewers"`
	Likes    int                                    `json:"likes"`
	A        [][]string                             `json:"a"`
	From     uint64                                 `json:"from"`
	To       uint64                                 `json:"to"`
	Code     any                                    `json:"code"`
	Reason   string                                 `json:"reason"`
	RetryMS  int64                                  `json:"retry_ms"`
}

// page is a browser's socket with everything it was told.
type page struct {
	t       testing.TB
	conn    *websocket.Conn
	welcome message

	mu     sync.Mutex
	orders int
	got    []message
	hold   chan struct{} // the reader waits for its end
	closed error
	news   chan struct{} // replaced and closed at each message
	done   chan struct{}
}

// connect dials a room; status is that of the HTTP answer.
func (n *node) connect(tb testing.TB, room string, header http.Header) (conn *websocket.Conn, status int, err error) {
	tb.Helper()
	d := websocket.Dialer{NetDialContext: n.dial, Subprotocols: []string{chat.Subprotocol}, ReadBufferSize: 1024, WriteBufferSize: 1024}
	conn, resp, err := d.DialContext(tb.Context(), "ws://"+n.addr+"/chat/v1/rooms/"+room+"/ws", header)
	if resp != nil {
		status = resp.StatusCode
		_ = resp.Body.Close()
	}
	return conn, status, err
}

// join opens a page and reads its welcome. hello is the message without "op".
func (n *node) join(tb testing.TB, room string, hello map[string]any) *page {
	tb.Helper()
	p := n.open(tb, room)
	msg := map[string]any{"op": "hello"}
	maps.Copy(msg, hello)
	p.send(msg)
	p.welcome = p.await("welcome", func(m message) bool { return m.Op == "welcome" })
	return p
}

// open opens a page that says nothing yet.
func (n *node) open(tb testing.TB, room string) *page {
	tb.Helper()
	conn, _, err := n.connect(tb, room, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return watch(tb, conn)
}

// watch makes a page of a socket.
func watch(tb testing.TB, conn *websocket.Conn) *page {
	tb.Helper()
	p := &page{t: tb, conn: conn, news: make(chan struct{}), done: make(chan struct{})}
	go p.read()
	tb.Cleanup(p.leave)
	return p
}

func (p *page) read() {
	defer close(p.done)
	for {
		_, b, err := p.conn.ReadMessage()
		p.mu.Lock()
		hold := p.hold
		p.mu.Unlock()
		if hold != nil {
			<-hold
		}
		p.mu.Lock()
		if err != nil {
			p.closed = err
		} else {
			var m message
			if bad := json.Unmarshal(b, &m); bad != nil {
				p.t.Errorf("server said %s: %v", b, bad)
			}
			p.got = append(p.got, m)
		}
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *page) leave() {
	_ = p.conn.Close()
	<-p.done
}

func (p *page) send(msg any) {
	p.t.Helper()
	if err := p.conn.WriteJSON(msg); err != nil {
		p.t.Errorf("send: %v", err)
	}
}

func (p *page) say(cid, text string) {
	p.t.Helper()
	p.send(map[string]any{"op": "send", "cid": cid, "text": text})
}

// await returns the first message, also of those that came before, for which ok
// holds.
func (p *page) await(what string, ok func(message) bool) message {
	p.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		p.mu.Lock()
		for _, m := range p.got {
			if ok(m) {
				p.mu.Unlock()
				return m
			}
		}
		news, closed, got := p.news, p.closed, len(p.got)
		p.mu.Unlock()
		if closed != nil {
			p.t.Fatalf("closed (%v) while waiting for %s", closed, what)
		}
		select {
		case <-news:
		case <-deadline:
			p.t.Fatalf("no %s among %d messages: %+v", what, got, p.messages())
		}
	}
}

func (p *page) messages() []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]message(nil), p.got...)
}

// ack waits for the fate of a comment.
func (p *page) ack(cid string) []string {
	p.t.Helper()
	var found []string
	p.await("ack of "+cid, func(m message) bool {
		for _, a := range m.A {
			if a[0] == cid {
				found = a
			}
		}
		return found != nil
	})
	return found
}

// fate is the last that was said of a comment: "spooled" may be followed by more.
func (p *page) fate(cid string) []string {
	p.t.Helper()
	last := p.ack(cid)
	for _, m := range p.messages() {
		for _, a := range m.A {
			if a[0] == cid {
				last = a
			}
		}
	}
	return last
}

// shown waits for a comment with this text and returns it.
func (p *page) shown(text string) []any {
	p.t.Helper()
	var found []any
	p.await("comment "+text, func(m message) bool {
		for _, c := range m.C {
			if c[4] == text {
				found = c
			}
		}
		return found != nil
	})
	return found
}

// texts returns how often the page has seen each comment.
func (p *page) texts() map[string]int {
	seen := make(map[string]int)
	for _, m := range p.messages() {
		for _, c := range m.C {
			seen[c[4].(string)]++
		}
	}
	return seen
}

// end waits for the end of the connection and returns the bye and close code.
func (p *page) end() (bye message, code int) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(100 * time.Second):
		p.t.Fatal("the connection does not end")
	}
	for _, m := range p.messages() {
		if m.Op == "bye" {
			bye = m
		}
	}
	var ce *websocket.CloseError
	if errors.As(p.closed, &ce) {
		code = ce.Code
	}
	return bye, code
}

// metric returns the value of a counter or gauge, summed over its labels.
func (n *node) metric(tb testing.TB, name string) float64 {
	tb.Helper()
	families, err := n.reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "barrage_chat_"+name {
			continue
		}
		sum := 0.0
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		return sum
	}
	tb.Fatalf("no metric %s", name)
	return 0
}

// balanced checks the invariant over all nodes, once what is on its way has
// arrived.
func balanced(t *testing.T, want int, nodes ...*node) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	var sum map[string]float64
	for range 400 {
		sum = make(map[string]float64)
		for _, n := range nodes {
			for _, name := range []string{"logged", "accepted", "shown", "combined", "rest"} {
				sum[name] += n.metric(t, "comments_"+name+"_total")
			}
		}
		if sum["logged"] == float64(want) && sum["accepted"] == float64(want) && sum["shown"]+sum["combined"]+sum["rest"] == float64(want) {
			return
		}
		<-again.C
	}
	t.Errorf("counters = %v, want logged = accepted = shown + combined + rest = %d", sum, want)
}

// personToken is a token for one with a role in the room.
func personToken(tb testing.TB, role, id string) string {
	tb.Helper()
	text, err := token.Sign(secret, token.UsePerson, token.Claims{Room: "live", Role: token.Role(role), Subject: id})
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func cid(n int) string { return "c" + strconv.Itoa(n) }
