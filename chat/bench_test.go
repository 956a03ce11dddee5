package chat_test

import (
	"bytes"
	"io"
	"sync"
	"testing"

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
