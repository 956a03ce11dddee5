//go:build reliability

package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What chat promises a crowd.
const (
	chatConnections = "barrage_chat_connections"
	perSubscriber   = 12 << 10 // bytes resident
	reapLimit       = 65 * time.Second
	silentLimit     = 6 * time.Second
	othersLimit     = 150 * time.Millisecond
	kernelHolds     = 40 << 10 // bytes, of who does not read
)

// crowd is many sockets, closed with the test.
type crowd struct {
	mu    sync.Mutex
	conns []*socket
	all   sync.WaitGroup
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{}
	t.Cleanup(c.leave)
	return c
}

func (c *crowd) leave() {
	c.mu.Lock()
	for _, s := range c.conns {
		s.Close()
	}
	c.conns = nil
	c.mu.Unlock()
	c.all.Wait()
}

// grow adds n that were let in, each from one of 250 addresses. with runs for each as
// long as it lasts; nil = it never reads nor answers again.
func (c *crowd) grow(t *testing.T, s *server, n, receive int, with func(*socket)) {
	t.Helper()
	err := each(n, 64, func(i int) error {
		conn, err := enter(t.Context(), s, loopback(12, i), receive)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.conns = append(c.conns, conn)
		c.mu.Unlock()
		if with != nil {
			c.all.Go(func() { with(conn) })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestR12Idle counts what people cost who say nothing, and how long those are kept
// who are not there any more.
func TestR12Idle(t *testing.T) {
	const n = 9000
	r := newRow(t, "R12", "9,000 idle WebSockets and 9,000 half-open ones, as many as 20,000 open files allow")
	redis := startRedis(t)
	s := startServer(t, "chat", t.TempDir(), redis.setting())
	here, gone := newCrowd(t), newCrowd(t)
	here.grow(t, s, 10, 0, func(c *socket) { c.stay(nil) }) // what is needed once
	before := s.memory(t)
	began, cpu := time.Now(), s.cpu(t)
	here.grow(t, s, n, 0, func(c *socket) { c.stay(nil) })
	r.measured("%d let in within %.1f s, %.0f µs of CPU each", n, time.Since(began).Seconds(), (s.cpu(t)-cpu)/n*1e6)
	elapse(t, 10*time.Second) // what greeting them took is collected
	idle := s.memory(t)
	each := (idle - before) / n
	r.measured("%.1f KiB resident each", float64(each)/1024)
	if each > perSubscriber {
		t.Errorf("want at most %d KiB", perSubscriber>>10)
	}
	gone.grow(t, s, n, 0, nil)
	began = time.Now()
	r.measured("with the half-open ones %.1f KiB each", float64(s.memory(t)-before)/2/n/1024)
	s.left(t, n+10, reapLimit+5*time.Second)
	r.measured("those are gone %.0f s after the last came", time.Since(began).Seconds())
	if time.Since(began) > reapLimit {
		t.Errorf("want at most %v", reapLimit)
	}
	if got := s.metric(t, `barrage_chat_closes_total{reason="idle"}`); got != n {
		t.Errorf("%.0f closed as idle, want %d", got, n)
	}
	s.spare(t, r)
}

// left waits until only n subscribers are left.
func (s *server) left(t *testing.T, n int, within time.Duration) {
	t.Helper()
	eventually(t, within, "connections are closed", func() error {
		if left := s.metric(t, chatConnections); left > float64(n) {
			return fmt.Errorf("%w: %.0f of %d are open", errSocket, left, n)
		}
		return nil
	})
}

// spare holds what chat leaves to others when there are few open files.
func (s *server) spare(t *testing.T, r *row) {
	t.Helper()
	limit := s.files(t) + 1000
	if out, err := tool(t.Context(), "prlimit", "--pid", strconv.Itoa(s.cmd.Process.Pid), fmt.Sprintf("--nofile=%d:%d", limit, limit)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	more := newCrowd(t)
	in := 0
	for i := range 1000 {
		c, status, err := knock(t.Context(), s, loopback(12, i), 0)
		if err != nil {
			if status != http.StatusServiceUnavailable {
				t.Fatalf("after %d: %v", i, err)
			}
			break
		}
		more.conns = append(more.conns, c)
		in++
	}
	free := limit - s.files(t)
	r.measured("at a limit of %d files %d more are let in, then 503; %d stay free", limit, in, free)
	if in == 1000 || free < limit/20 {
		t.Error("want a sixteenth of the files to stay free")
	}
	if !strings.Contains(s.log.String(), "chat refuses connections") {
		t.Error("the log does not say what to raise")
	}
}

// TestR13Silent has a sixth of a room never read.
func TestR13Silent(t *testing.T) {
	const readers, silent = 5000, 1000
	r := newRow(t, "R13", "1,000 of 6,000 subscribers never read")
	s := serve(t, "BARRAGE_CHAT_TICK_MIN=250ms", "BARRAGE_CHAT_RATE=100/s", "BARRAGE_CHAT_BURST=100", "BARRAGE_CHAT_MAX_SHOWN_PER_SECOND=60")
	var late delays
	people := newCrowd(t)
	people.grow(t, s, readers, 0, func(c *socket) { c.stay(late.note) })
	stop := s.chatter(t, 60, strings.Repeat("弾", 190))
	elapse(t, 2*time.Second)
	late.take()
	elapse(t, 6*time.Second)
	alone, size := late.take()
	r.measured("%d readers alone: %d frames, p99 %d ms", readers, len(alone), percentile(alone, 99).Milliseconds())

	// What the kernel takes of either side before the server notices.
	full := time.Duration(float64(kernelHolds) * readers / float64(max(1, size)) * float64(6*time.Second))
	mute := newCrowd(t)
	mute.grow(t, s, silent, 4096, nil)
	began := time.Now()
	late.take()
	eventually(t, 30*time.Second, "those are closed", func() error {
		if slow := s.metric(t, `barrage_chat_closes_total{reason="slow"}`); slow < silent {
			return fmt.Errorf("%w: %.0f of %d", errSocket, slow, silent)
		}
		return nil
	})
	took := time.Since(began)
	during, _ := late.take()
	stop()
	r.measured("with %d that do not read: %d frames, p99 %d ms; those are closed after %.1f s, of which %.1f s fill the kernel's buffers", silent, len(during), percentile(during, 99).Milliseconds(), took.Seconds(), full.Seconds())
	// On cores that have other work to do, everything is as much later as the readers are.
	late99 := percentile(alone, 99)
	if limit := silentLimit + full + 2*late99; took > limit {
		t.Errorf("want at most %v", limit)
	}
	if limit := max(othersLimit, 2*late99); percentile(during, 99) > limit {
		t.Errorf("want a p99 of at most %v", limit)
	}
	if lost := s.metric(t, "barrage_chat_ticks_lost_total"); lost != 0 {
		t.Errorf("%.0f ticks lost", lost)
	}
}

// chatter sends that many comments a second until the result is called.
func (s *server) chatter(t *testing.T, perSecond int, text string) (stop func()) {
	t.Helper()
	c, err := enter(t.Context(), s, loopback(13, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	end := make(chan struct{})
	all.Go(func() { c.stay(nil) })
	all.Go(func() {
		defer c.Close()
		pace := time.NewTicker(time.Second / time.Duration(perSecond))
		defer pace.Stop()
		for i := 0; ; i++ {
			select {
			case <-pace.C:
			case <-end:
				return
			}
			if err := c.say(wsText, fmt.Sprintf(`{"op":"send","cid":"c%d","text":"%d %s"}`, i, i, text)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { close(end); all.Wait() })
	t.Cleanup(stop)
	return stop
}

// elapse lets the server run for a while.
func elapse(t *testing.T, d time.Duration) {
	t.Helper()
	throughout(t, d, "the server runs", func() error { return nil })
}

// delays collects how long ticks took from the server's clock to a reader, which on
// one machine is the same clock.
type delays struct {
	mu    sync.Mutex
	all   []time.Duration
	bytes int // of those
}

func (d *delays) note(frame []byte) {
	now := time.Now()
	if !bytes.HasPrefix(frame, []byte(`{"op":"tick"`)) || !bytes.Contains(frame, []byte(`"c":[[`)) {
		return
	}
	_, rest, _ := bytes.Cut(frame, []byte(`"t":`))
	digits, _, _ := bytes.Cut(rest, []byte(","))
	ms, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, now.Sub(time.UnixMilli(ms)))
	d.bytes += len(frame)
}

func (d *delays) take() (sorted []time.Duration, bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sorted, bytes = d.all, d.bytes
	d.all, d.bytes = nil, 0
	slices.Sort(sorted)
	return sorted, bytes
}

func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*p/100]
}

// TestR14Flood shouts at a room: one person as fast as he can, 500 people together,
// frames nobody may send.
func TestR14Flood(t *testing.T) {
	r := newRow(t, "R14", "chat flood by one and by 500; frames of 64 KiB; bad UTF-8; binary; 1,000 each")
	s := serve(t)
	listener, err := enter(t.Context(), s, loopback(14, 249), 0)
	if err != nil {
		t.Fatal(err)
	}
	var frames, size, most atomic.Int64
	var listening sync.WaitGroup
	listening.Go(func() {
		listener.stay(func(b []byte) {
			frames.Add(1)
			size.Add(int64(len(b)))
			most.Store(max(most.Load(), int64(len(b))))
		})
	})
	before := s.memory(t)

	const one = "barrage_chat_comments_logged_total"
	sent, code := flood(t, s, 0, 10_000)
	eventually(t, 5*time.Second, "what was taken is logged", func() error {
		if s.metric(t, one) == 0 {
			return errSocket
		}
		return nil
	})
	r.measured("one: closed with %d after %d of 10,000 sent, %.0f taken", code, sent, s.metric(t, one))
	if code != 4006 || s.metric(t, one) > 20 {
		t.Error("want 4006, and hardly more than a burst taken")
	}

	began, taken := time.Now(), s.metric(t, one)
	bytesBefore, framesBefore := size.Load(), frames.Load()
	if err = each(500, 500, func(i int) error { shoutFor(t, s, i, 5*time.Second); return nil }); err != nil {
		t.Error(err)
	}
	took := time.Since(began).Seconds()
	taken = s.metric(t, one) - taken
	shown := s.metric(t, "barrage_chat_comments_shown_total")
	r.measured("500 people for %.0f s: %.0f taken, %.0f shown; a viewer gets %.1f frames and %.1f KB a second, no frame above %d bytes", took, taken, shown,
		float64(frames.Load()-framesBefore)/took, float64(size.Load()-bytesBefore)/took/1000, most.Load())
	if shown > 60*(took+4) || most.Load() > 64<<10 {
		t.Error("want at most 60 shown a second")
	}

	for what, c := range map[string]struct {
		kind    byte
		payload string
		code    int
	}{
		"64 KiB":    {wsText, strings.Repeat("x", 64<<10), 1009},
		"bad UTF-8": {wsText, "{\"op\":\"send\",\"cid\":\"1\",\"text\":\"\xff\xfe\"}", 1007},
		"binary":    {wsBinary, "\x00\x01", 1003},
	} {
		err = each(1000, 16, func(i int) error {
			conn, failed := enter(t.Context(), s, loopback(14, i), 0)
			if failed != nil {
				return failed
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(clientPatience))
			_ = conn.say(c.kind, c.payload) // fails when the server has seen enough
			if got := conn.stay(nil); got != c.code {
				return fmt.Errorf("%w: %s: closed with %d, want %d", errSocket, what, got, c.code)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		r.measured("%s: %d", what, c.code)
	}
	after := s.memory(t)
	r.measured("%.0f → %.0f MiB resident", mebi(before), mebi(after))
	if after > 2*maxMemory {
		t.Error("want under 100 MiB")
	}
	eventually(t, 5*time.Second, "what was taken is what was counted", func() error {
		sum := s.metric(t, "barrage_chat_comments_shown_total") + s.metric(t, "barrage_chat_comments_combined_total") + s.metric(t, "barrage_chat_comments_rest_total")
		if logged := s.metric(t, one); sum != logged || logged != s.metric(t, "barrage_chat_comments_accepted_total") {
			return fmt.Errorf("%w: %.0f logged, %.0f in ticks", errSocket, logged, sum)
		}
		return nil
	})
	listener.Close()
	listening.Wait()
}

// flood sends comments as fast as they go, and returns how many went and the code
// that ended it.
func flood(t *testing.T, s *server, i, n int) (sent, code int) {
	t.Helper()
	c, err := enter(t.Context(), s, loopback(14, i), 0)
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	defer c.Close()
	closed := make(chan int, 1)
	go func() { closed <- c.stay(nil) }()
	for sent = range n {
		if err = c.say(wsText, fmt.Sprintf(`{"op":"send","cid":"%d-%d","text":"shout %d of %d"}`, i, sent, sent, i)); err != nil {
			break
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(clientPatience))
	return sent, <-closed
}

// shoutFor shouts, and comes back when it was closed.
func shoutFor(t *testing.T, s *server, i int, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		flood(t, s, i, 200)
	}
}
