package redisbroker_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"barrage/chat"
	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// lockedBuffer takes a log from several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newBroker(t *testing.T, opts redisbroker.Options) *redisbroker.Broker {
	t.Helper()
	b, err := redisbroker.New(t.Context(), opts)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

func listen(t *testing.T, b *redisbroker.Broker, room string) *brokertest.Recorder {
	t.Helper()
	r := brokertest.NewRecorder()
	s, err := b.Subscribe(t.Context(), room, r)
	if err != nil {
		t.Fatalf("Subscribe(%q): %v", room, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return r
}

func say(t *testing.T, b *redisbroker.Broker, frame string) {
	t.Helper()
	if err := b.Publish(t.Context(), "live", []byte(frame)); err != nil {
		t.Fatalf("Publish(%q): %v", frame, err)
	}
}

func TestMalformedURL(t *testing.T) {
	t.Parallel()
	const secret = "pa55word"
	for url, want := range map[string]string{
		"":                                   "it is empty",
		"localhost:6379":                     "does not begin with redis://",
		"http://u:pa55word@host":             "does not begin with redis://",
		"u:pa55word@host:6379":               "does not begin with redis://",
		"redis://u:pa55word#x@host:6379":     "percent-encoded",
		"redis://u:pa55word@host:port":       "percent-encoded",
		"redis://u:pa55word@host/zero":       "want redis://",
		"redis://u:pa55word@host?pa55word=1": "want redis://",
		"redis://u:pa55word@a,b:port":        "want redis://",
		"redis://u:pa55word@a,,b":            "want redis://",
		"redis://u:pa55word@a,b?cluster=no":  "want redis://",
		"redis://u:pa55word@a,b?cluster=0":   "want redis://",
		"unix:///pa55word?cluster=true":      "want redis://",
		"redis://u:pa55word@a,b/1":           "no database but 0",
	} {
		b, err := redisbroker.New(t.Context(), redisbroker.Options{URL: url})
		if b != nil || !errors.Is(err, redisbroker.ErrURL) {
			t.Errorf("New(%q) = %v, %v, want ErrURL", url, b, err)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("New(%q): %q, want %q in it and no password", url, err, want)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://host":                              "host:6379",
		"redis://u:p%40@host:1/2":                   "host:1",
		"unix:///run/redis.sock":                    "/run/redis.sock",
		"redis://host?cluster=false":                "host:6379",
		"redis://host?cluster=true":                 "cluster host:6379",
		"redis://a,b:2,c":                           "cluster a:6379 b:2 c:6379",
		"rediss://u:p@a:1,[::1]:2/0?dial_timeout=3": "cluster a:1 [::1]:2",
		"redis://u:p@a,b?cluster=true&pool_size=3":  "cluster a:6379 b:6379",
	} {
		if got, err := redisbroker.ParseURL(url); got != want || err != nil {
			t.Errorf("ParseURL(%q) = %q, %v, want %q", url, got, err, want)
		}
	}
}

// TestPartitions: rooms are spread over them, and a room's key and channel share its tag.
func TestPartitions(t *testing.T) {
	t.Parallel()
	tags := redisbroker.PartitionTags()
	rooms := make([]int, len(tags))
	for i := range 1600 {
		room := fmt.Sprintf("room-%d", i)
		p := redisbroker.Partition(room)
		rooms[p]++
		for _, kind := range []string{"log", "bus"} {
			if got, want := redisbroker.ClusterKey(room, kind), "barrage:{"+tags[p]+"}:"+room+":"+kind; got != want {
				t.Fatalf("key = %q, want %q", got, want)
			}
		}
	}
	for p, n := range rooms {
		if n < 60 || n > 140 {
			t.Errorf("partition %d has %d of 1600 rooms, want about 100", p, n)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close() // nobody listens here now
	var log lockedBuffer
	b := newBroker(t, redisbroker.Options{
		URL: "redis://u:pa55word@" + addr, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if b.Up() {
		t.Error("up without Redis")
	}
	if reason, degraded := b.Degraded(); !degraded || !strings.Contains(reason, "does not answer") {
		t.Errorf("Degraded = %q, %t", reason, degraded)
	}
	if err := b.Publish(t.Context(), "live", []byte("x")); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Publish = %v, want ErrUnavailable", err)
	}
	if got := log.String(); strings.Count(got, "redis lost") != 1 || !strings.Contains(got, addr) || strings.Contains(got, "pa55word") {
		t.Errorf("log = %q, want one line with the address and no password", got)
	}
}

func TestOnTheWire(t *testing.T) {
	t.Parallel()
	f := startFake(t, "aof_enabled:1")
	b := newBroker(t, redisbroker.Options{URL: "redis://" + f.addr})
	live := listen(t, b, "live")
	say(t, b, "hello")
	live.WaitFor(t, "frame hello")
	if got, want := f.published(), []string{"publish barrage:{live}:bus fhello"}; !slices.Equal(got, want) {
		t.Errorf("published %q, want %q", got, want)
	}
	if reason, degraded := b.Degraded(); degraded {
		t.Errorf("Degraded = %q with a healthy Redis", reason)
	}
}

// TestForeignMessages: what others put on the channel harms nobody.
func TestForeignMessages(t *testing.T) {
	t.Parallel()
	f := startFake(t, "")
	var log lockedBuffer
	reg := prometheus.NewPedanticRegistry()
	b := newBroker(t, redisbroker.Options{
		URL: "redis://" + f.addr, Logger: slog.New(slog.NewTextHandler(&log, nil)), Registerer: reg,
	})
	live := listen(t, b, "live")
	for _, payload := range []string{"", "s", "snonsense", "s[]", "x from a later version", "f"} {
		f.inject("barrage:{live}:bus", payload)
	}
	say(t, b, "last")
	live.WaitFor(t, "frame last")
	if got := live.Seen(""); !slices.Equal(got, []string{"frame last"}) {
		t.Errorf("told %q, want the last frame alone", got)
	}
	if got := strings.Count(log.String(), "not understood"); got != 1 {
		t.Errorf("%d warnings, want 1:\n%s", got, log.String())
	}
	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP barrage_redisbroker_foreign_messages_total Messages on the rooms' channels that no barrage of this version sends.
# TYPE barrage_redisbroker_foreign_messages_total counter
barrage_redisbroker_foreign_messages_total 4
`), "barrage_redisbroker_foreign_messages_total")
	if err != nil {
		t.Error(err)
	}
}

// TestUnsolicitedUnsubscribe: go-redis itself would receive nothing for ever.
func TestUnsolicitedUnsubscribe(t *testing.T) {
	t.Parallel()
	f := startFake(t, "")
	reg := prometheus.NewPedanticRegistry()
	b := newBroker(t, redisbroker.Options{URL: "redis://" + f.addr, Registerer: reg})
	live, other := listen(t, b, "live"), listen(t, b, "other")
	f.expel("barrage:{live}:bus")
	for _, r := range []*brokertest.Recorder{live, other} {
		r.WaitFor(t, "link true")
		if got, want := r.Seen("link "), []string{"false", "true"}; !slices.Equal(got, want) {
			t.Errorf("links %q, want %q", got, want)
		}
	}
	say(t, b, "again")
	live.WaitFor(t, "frame again")
	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP barrage_redisbroker_reconnects_total Pub/sub connections that were lost after they had worked.
# TYPE barrage_redisbroker_reconnects_total counter
barrage_redisbroker_reconnects_total 1
`), "barrage_redisbroker_reconnects_total")
	if err != nil {
		t.Error(err)
	}
}

// TestStarvingConnection: TCP is healthy, commands work, and no message comes
// any more, as on a connection to a node that a failover has left behind.
func TestStarvingConnection(t *testing.T) {
	t.Parallel()
	f := startFake(t, "")
	b := newBroker(t, redisbroker.Options{URL: "redis://" + f.addr})
	live := listen(t, b, "live")
	begin := time.Now()
	f.setDeaf(true)
	live.WaitFor(t, "link false")
	if took := time.Since(begin); took < 2*time.Second || took > 8*time.Second {
		t.Errorf("noticed after %v, want about 3 s", took)
	}
	if b.Up() {
		t.Error("up while no heartbeat comes back")
	}
	f.setDeaf(false)
	live.WaitFor(t, "link true")
	say(t, b, "fed")
	live.WaitFor(t, "frame fed")
}

func TestVolatileRedis(t *testing.T) {
	t.Parallel()
	f := startFake(t, "# Persistence\r\nloading:0\r\naof_enabled:0\r\n")
	var log lockedBuffer
	b := newBroker(t, redisbroker.Options{URL: "redis://" + f.addr, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	live := listen(t, b, "live")
	for range 2 { // warned once, however often it connects
		waitUntil(t, "degraded", func() bool { _, degraded := b.Degraded(); return degraded && b.Up() })
		links := len(live.Seen("link "))
		f.expel("barrage:{live}:bus")
		live.Wait(t, "down and up", func([]string) bool { return len(live.Seen("link ")) == links+2 })
	}
	waitUntil(t, "up", b.Up)
	if reason, _ := b.Degraded(); !strings.Contains(reason, "appendonly") {
		t.Errorf("Degraded = %q, want appendonly in it", reason)
	}
	if got := strings.Count(log.String(), "appendonly yes"); got != 1 {
		t.Errorf("%d warnings, want 1:\n%s", got, log.String())
	}
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	f := startFake(t, "")
	reg := prometheus.NewPedanticRegistry()
	b := newBroker(t, redisbroker.Options{URL: "redis://" + f.addr, Registerer: reg})
	say(t, b, "x")
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("GatherAndLint = %v, %v", problems, err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			got[family.GetName()] += m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	if got["barrage_redisbroker_links_down"] != 0 {
		t.Errorf("links down = %v, want none", got["barrage_redisbroker_links_down"])
	}
	if got["barrage_redisbroker_up"] != 1 || got["barrage_redisbroker_command_seconds"] != 1 {
		t.Errorf("up and commands = %v, want 1 and 1", got)
	}
	if age := got["barrage_redisbroker_probe_age_seconds"]; age < 0 || age > 1 {
		t.Errorf("probe age = %v s, want under 1", age)
	}
	if _, err := redisbroker.New(t.Context(), redisbroker.Options{URL: "redis://" + f.addr, Registerer: reg}); err == nil {
		t.Error("two brokers registered the same metrics")
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{"x", "\x00\r\n", "s{}"} {
		got, state, err := redisbroker.ParseMessage(string(redisbroker.AppendFrame(nil, []byte(frame))))
		if err != nil || state != nil || string(got) != frame {
			t.Errorf("ParseMessage of frame %q = %q, %v, %v", frame, got, state, err)
		}
	}
	want := chat.RoomState{Room: "live", Session: "s", Epoch: "e", Phase: "live", Live: true, PDT: 1, Window: 2, Latency: 3, Players: 4}
	payload, err := redisbroker.AppendState(nil, want, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, got, err := redisbroker.ParseMessage(string(payload)); err != nil || got == nil || *got != want {
		t.Errorf("ParseMessage of a state = %+v, %v, want %+v", got, err, want)
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, payload := range []string{"", "f", "fx", "s", `s{"state":{"room":"live"},"ttl_ms":1}`, "s[]", "z"} {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		frame, state, err := redisbroker.ParseMessage(payload)
		if err != nil && (frame != nil || state != nil) {
			t.Errorf("ParseMessage(%q) = %q, %v with error %v", payload, frame, state, err)
		}
		if frame != nil && "f"+string(frame) != payload {
			t.Errorf("ParseMessage(%q) = %q", payload, frame)
		}
	})
}

func TestParseLease(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer []string
		want   chat.Lease
		ok     bool
	}{
		{[]string{"me", "e1", "7", "3"}, chat.Lease{Held: true, Holder: "me", Epoch: "e1", Seq: 7, RulesVersion: 3}, true},
		{[]string{"other", "e1", "0", "0"}, chat.Lease{Holder: "other", Epoch: "e1"}, true},
		{[]string{"me", "e1", "-1", "0"}, chat.Lease{}, false},
		{[]string{"me", "e1", "1", "x"}, chat.Lease{}, false},
		{[]string{"me", "e1", "", "0"}, chat.Lease{}, false},
		{[]string{"me", "e1", "1"}, chat.Lease{}, false},
		{nil, chat.Lease{}, false},
	} {
		got, err := redisbroker.ParseLease(c.answer, "me")
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("ParseLease(%q) = %+v, %v, want %+v, ok %t", c.answer, got, err, c.want, c.ok)
		}
	}
}
