//go:build load && linux

package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"barrage/chat"
)

// TestMain is also the process that a test starts: the one with a command line of ours.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-url" {
		main()
		return
	}
	m.Run()
}

// hub is a chat node that can be stopped and started again at its address.
type hub struct {
	t      *testing.T
	broker chat.Broker
	addr   string
	end    func()
}

func (h *hub) start() {
	h.t.Helper()
	ln, err := new(net.ListenConfig).Listen(h.t.Context(), "tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	cfg := chat.DefaultConfig()
	cfg.Rate, cfg.Burst = 1000, 1000
	node, err := chat.New(cfg, chat.Options{Broker: h.broker, Secret: []byte(strings.Repeat("s", 32))})
	if err != nil {
		h.t.Fatal(err)
	}
	server := &http.Server{Handler: node.Handler(), ReadHeaderTimeout: 5 * time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = server.Serve(ln) })
	parts.Go(func() {
		if err := node.Run(ctx); err != nil {
			h.t.Error(err)
		}
	})
	h.end = func() {
		cancel()
		_ = server.Close()
		parts.Wait()
	}
}

// serve runs two chat nodes that share a broker.
func serve(t *testing.T) (nodes [2]*hub, s settings) {
	t.Helper()
	broker := chat.NewMemory(chat.MemoryOptions{})
	t.Cleanup(func() { _ = broker.Close() })
	for i := range nodes {
		nodes[i] = &hub{t: t, broker: broker, addr: "127.0.0.1:0"}
		nodes[i].start()
		t.Cleanup(func() { nodes[i].end() })
	}
	return nodes, settings{
		urls: "http://" + nodes[0].addr + ",http://" + nodes[1].addr, room: "live", watch: 20, write: 10, rate: 200, batch: 1,
		text: textBalse, dur: 2 * time.Second, ramp: 200 * time.Millisecond, most: maxConns,
		pidList: strconv.Itoa(os.Getpid()), begun: func() {},
	}
}

func measure(t *testing.T, s settings) *report {
	t.Helper()
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	r, err := conduct(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	r.print(&text)
	t.Log(text.String())
	return r
}

// TestAgainstBarrage: two real chat nodes, one process and three.
func TestAgainstBarrage(t *testing.T) {
	_, s := serve(t)
	for name, change := range map[string]func(*settings){
		"sustained": func(*settings) {},
		"batches":   func(s *settings) { s.batch, s.rate = 5, 1000 },
		"burst":     func(s *settings) { s.burst, s.rate, s.batch = true, 301, 7 },
		"behind":    func(s *settings) { s.burst, s.delay, s.text = true, "0s,1s", textUnique },
		"processes": func(s *settings) { s.most = 10 },
	} {
		t.Run(name, func(t *testing.T) {
			s := s
			s.room = name
			change(&s)
			r := measure(t, s)
			least, most := int64(s.rate), int64(s.rate)
			if !s.burst {
				least, most = int64(1.5*s.rate), int64(2.1*s.rate)
			}
			processes := (30 + s.most - 1) / s.most
			if !r.clean() || r.Sent < least || r.Sent > most || r.Accepted != r.Sent || r.Watching != 32 || r.Processes != processes {
				t.Errorf("%+v", r)
			}
			if r.Frames == 0 || r.DeliveryTime.P99 > 2000 || r.AckTime.Count != r.Sent || len(r.Observers) != 2 || r.Server.RSS[0] == 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestReconnect: everybody comes back, whoever cut them.
func TestReconnect(t *testing.T) {
	nodes, s := serve(t)
	s.dur = 20 * time.Second
	for _, cut := range []string{cutByCrowd, cutByServer} {
		s.room, s.reconnect = cut, cut
		if cut == cutByServer {
			s.begun = func() {
				for _, n := range nodes {
					n.end()
					n.start()
				}
			}
		}
		r := measure(t, s)
		if !r.clean() || r.BackTime.Count < 32 || r.Watching != 32 || cut == cutByServer && r.Ends["bye 4001 restart"] == 0 {
			t.Errorf("%s: %+v", cut, r)
		}
	}
}
