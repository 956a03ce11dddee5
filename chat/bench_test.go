package chat_test

import (
	"bytes"
	"io"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"barrage/chat"
	"barrage/chat/internal/wire"
)

// BenchmarkFanOut is one tick of 30 comments from the bus to 500 subscribers on
// TCP, the reading of all of them included.
func BenchmarkFanOut(b *testing.B) {
	const subscribers = 500
	broker := newMemory(b)
	n := start(b, setup{broker: broker, config: func(c *chat.Config) { c.MaxConnsPerAddr = 2 * subscribers }})
	host := n.join(b, "live", nil)
	var arrived, readers sync.WaitGroup
	conns := make([]*websocket.Conn, subscribers)
	for i := range conns {
		conns[i] = host.companion(n)
		readers.Go(func() { count(conns[i], &arrived) })
	}
	tick := wire.Tick{Seq: 1 << 32, Viewers: subscribers}
	for range 30 {
		tick.Comments = append(tick.Comments, wire.AppendComment(nil, wire.Comment{
			ID: "hq3k2m9x1a-n7f2", PDT: 1_790_000_000_123, Author: "8f3k2m1p", Nick: "小明",
			Text: "主播好厉害啊", Mode: "scroll", Color: "#ffffff", Role: "viewer",
		}))
	}
	b.ReportAllocs()
	for b.Loop() {
		arrived.Add(subscribers)
		tick.Seq++
		frame := wire.AppendFinished(nil, wire.Finished{Epoch: host.welcome.Epoch, Tick: tick})
		if err := broker.Publish(b.Context(), "live", frame); err != nil {
			b.Fatal(err)
		}
		arrived.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/subscribers, "ns/frame")
	for _, conn := range conns {
		_ = conn.Close()
	}
	readers.Wait()
}

// companion is a further subscriber, without the costs of a page.
func (p *page) companion(n *node) *websocket.Conn {
	conn, _, err := n.connect(p.t, "live", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if err = conn.WriteJSON(map[string]any{"op": "hello"}); err != nil {
		p.t.Fatal(err)
	}
	if _, _, err = conn.ReadMessage(); err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// count reads until the end and counts ticks with comments.
func count(conn *websocket.Conn, arrived *sync.WaitGroup) {
	buf := make([]byte, 32<<10)
	for {
		_, r, err := conn.NextReader()
		if err != nil {
			return
		}
		size, _ := io.ReadFull(r, buf)
		if bytes.Contains(buf[:size], []byte(`"c":[[`)) {
			arrived.Done()
		}
	}
}

// BenchmarkSurge is comments from sockets on TCP into one room, as fast as they
// are taken, with every check on: five to a write, because at one the generator, which is
// in this process, costs more than the server. An operation is one comment, in the
// log, merged and acked.
func BenchmarkSurge(b *testing.B) {
	words := []string{"バルス", "バルス!!", "ﾊﾞﾙｽ", "草草草草", "wwww", "主播好厉害啊", "88888888", "balse"}
	for name, text := range map[string]func(i int) string{
		"shouts": func(i int) string { return words[i%len(words)] },
		"mixed": func(i int) string {
			return map[bool]string{true: words[i%len(words)], false: "something else " + strconv.Itoa(i)}[i%7 > 0]
		},
		"different": func(i int) string { return "everybody says something else " + strconv.Itoa(i) },
	} {
		b.Run(name, func(b *testing.B) { surge(b, text) })
	}
}

func surge(b *testing.B, text func(i int) string) {
	b.Helper()
	const together = 5
	writers := min(max(b.N/500, 10), 4000) // at 500 each none of them is too fast, in whichever order they run
	n := start(b, setup{config: func(c *chat.Config) { c.MaxConnsPerAddr = 2 * writers }})
	host := n.join(b, "live", nil)
	conns := make([]*websocket.Conn, writers)
	var readers, senders sync.WaitGroup
	for i := range conns {
		conns[i] = host.companion(n)
		readers.Go(func() { _, _ = io.Copy(io.Discard, conns[i].NetConn()) })
	}
	per := b.N/writers/together + 1
	b.ReportAllocs()
	b.ResetTimer()
	begin := cpu(b)
	for i, conn := range conns {
		senders.Go(func() {
			var out []byte
			for w := range per {
				out = out[:0]
				for k := range together {
					j := w*together + k
					out = appendClientFrame(out, `{"op":"send","cid":"`+cid(j)+`","text":"`+text(i*per*together+j)+`"}`)
				}
				if _, err := conn.NetConn().Write(out); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	total := float64(per * writers * together)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for n.metric(b, "comments_accepted_total")+n.metric(b, "comments_rejected_total") < total && !b.Failed() {
		<-poll.C
	}
	b.StopTimer()
	b.ReportMetric((cpu(b)-begin).Seconds()*1e6/total, "cpu-µs/comment")
	b.ReportMetric(total/b.Elapsed().Seconds(), "comments/s")
	b.ReportMetric(n.metric(b, "comments_rejected_total"), "rejected")
	for _, conn := range conns {
		_ = conn.Close()
	}
	readers.Wait()
}

// appendClientFrame appends a text frame with the masking key 0, which leaves
// the payload as it is: the generator is to cost little.
func appendClientFrame(dst []byte, payload string) []byte {
	dst = append(dst, 0x81)
	if len(payload) < 126 {
		dst = append(dst, 0x80|byte(len(payload)))
	} else {
		dst = append(dst, 0x80|126, byte(len(payload)>>8), byte(len(payload)))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}

// cpu is what this process has used.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
