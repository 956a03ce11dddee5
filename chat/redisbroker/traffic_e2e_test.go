//go:build e2e

package redisbroker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"barrage/chat"
	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// traffic is a room in use: one broker appends and numbers ticks, as a chat node
// does, another one listens.
type traffic struct {
	room   string
	writer *redisbroker.Broker
	reader *redisbroker.Broker
	heard  *brokertest.Recorder
	stop   func() // and wait
	late   bool   // ticks may come again, out of order

	mu     sync.Mutex
	acked  map[string]string // batch by id
	failed int               // appends without an ack
	last   uint64            // tick that was numbered for certain
}

const pace = 5 * time.Millisecond

func startTraffic(t *testing.T, url, room string) *traffic {
	t.Helper()
	w := &traffic{
		room: room, acked: make(map[string]string),
		writer: openOn(t, url, redisbroker.Options{}), reader: openOn(t, url, redisbroker.Options{}),
	}
	w.heard = subscribe(t, w.reader, room)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() { w.append(ctx, fmt.Sprint(i)) })
	}
	running.Go(func() { w.tick(ctx) })
	w.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(w.stop) // before the brokers close
	w.flows(t)
	return w
}

func (w *traffic) append(ctx context.Context, name string) {
	again := time.NewTicker(pace)
	defer again.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		<-again.C
		batch := fmt.Sprintf("batch %s/%d", name, i)
		id, err := w.writer.Append(context.WithoutCancel(ctx), w.room, []byte(batch), []byte(batch))
		w.mu.Lock()
		if err == nil {
			w.acked[id] = batch
		} else {
			w.failed++
		}
		w.mu.Unlock()
	}
}

func (w *traffic) tick(ctx context.Context) {
	again := time.NewTicker(pace)
	defer again.Stop()
	var l chat.Lease
	var asked time.Time
	for ctx.Err() == nil {
		<-again.C
		call := context.WithoutCancel(ctx)
		if !l.Held || time.Since(asked) > 300*time.Millisecond {
			asked = time.Now()
			var err error
			if l, err = w.writer.Lead(call, w.room, "w", time.Second); err != nil || !l.Held {
				l.Held = false
				continue
			}
		}
		if err := w.writer.Advance(call, w.room, "w", l.Seq+1, fmt.Appendf(nil, "tick %d", l.Seq+1)); err != nil {
			l.Held = false // it may have been done: Lead tells
			continue
		}
		l.Seq++
		w.mu.Lock()
		w.last = l.Seq
		w.mu.Unlock()
	}
}

func (w *traffic) now() (acked, failed int, last uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked), w.failed, w.last
}

// flows waits until appends are acknowledged and ticks are heard again, and returns
// how long that took.
func (w *traffic) flows(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	acked, _, last := w.now()
	poll(t, 20*time.Second, "appends are acknowledged", func() bool { now, _, _ := w.now(); return now > acked })
	poll(t, 20*time.Second, "ticks are numbered", func() bool { _, _, now := w.now(); return now > last })
	_, _, last = w.now()
	w.heard.Wait(t, "ticks are heard", func(all []string) bool {
		for _, what := range slices.Backward(all) {
			var seq uint64
			if n, _ := fmt.Sscanf(what, "frame tick %d", &seq); n == 1 {
				return seq > last
			}
		}
		return false
	})
	return time.Since(begin)
}

// check stops the traffic and says whether all that was acked is there, once, and all
// that was numbered.
func (w *traffic) check(t *testing.T) {
	t.Helper()
	w.stop()
	logged := make(map[string]string)
	times := make(map[string]int)
	after := ""
	for {
		entries, err := w.reader.Read(t.Context(), w.room, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			logged[e.ID] = string(e.Batch)
			times[string(e.Batch)]++
			after = e.ID
		}
	}
	missing := 0
	for id, batch := range w.acked {
		if logged[id] != batch {
			missing++
		}
		if times[batch] != 1 {
			t.Errorf("%s was acked, and is %d times in the log", batch, times[batch])
		}
	}
	acked, failed, last := w.now()
	t.Logf("acked %d, missing %d, without an ack %d, logged %d, ticks %d", acked, missing, failed, len(logged), last)
	if missing > 0 || acked == 0 {
		t.Errorf("%d of %d acked batches are missing", missing, acked)
	}
	var seq uint64
	for {
		frames, err := w.reader.Ticks(t.Context(), w.room, seq, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(frames) == 0 {
			break
		}
		for _, f := range frames {
			seq++
			if want := fmt.Sprintf("tick %d", seq); string(f) != want {
				t.Fatalf("%q in the tick log, want %q", f, want)
			}
		}
	}
	if seq < last {
		t.Errorf("the tick log ends with %d, %d were numbered", seq, last)
	}
	w.checkHeard(t)
}

// checkHeard: what came came in order, each tick once but for late ones, and where ticks
// are missing the link was said to be down.
func (w *traffic) checkHeard(t *testing.T) {
	t.Helper()
	var seq uint64
	warned := true // before the subscription
	for _, what := range w.heard.Seen("") {
		var now uint64
		if n, _ := fmt.Sscanf(what, "frame tick %d", &now); n == 1 {
			if now <= seq && w.late {
				continue
			}
			if now <= seq || now != seq+1 && !warned {
				t.Errorf("heard tick %d after %d, warned: %t", now, seq, warned)
			}
			seq, warned = now, false
		}
		warned = warned || strings.HasPrefix(what, "link ")
	}
}

// undisturbed checks that a room was told of no broken link, and works.
func undisturbed(t *testing.T, w *traffic, room string, r *brokertest.Recorder) {
	t.Helper()
	if err := w.writer.Publish(t.Context(), room, []byte("calm")); err != nil {
		t.Errorf("Publish in another partition: %v", err)
	}
	r.WaitFor(t, "frame calm")
	if told := r.Seen("link "); len(told) > 0 {
		t.Errorf("another partition was told %q", told)
	}
}

// TestTraffic: whatever happens to connections, nothing that was acked is lost, and
// nothing is missed without a word.
func TestTraffic(t *testing.T) {
	r := brokertest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	everywhere := func(command string) { r.Do(t, command) }
	t.Run("killed", func(t *testing.T) {
		w := startTraffic(t, r.URL(), "killed")
		for range 2 {
			r.Kill(t)
			waitLink(t, w.heard, false)
			r.Start(t)
			resumes(t, w, "Redis is back")
		}
		w.check(t)
	})
	t.Run("connections killed", func(t *testing.T) { connectionsKilled(t, r.URL(), everywhere) })
	t.Run("buffers overflow", func(t *testing.T) { buffersOverflow(t, r.URL(), everywhere) })
}

// resumes checks how long it takes until everything works again.
func resumes(t *testing.T, w *traffic, since string) {
	t.Helper()
	took := w.flows(t)
	t.Logf("resumed %v after: %s", took.Round(time.Millisecond), since)
	if took > recovery {
		t.Errorf("resumed %v after %s, want at most %v", took, since, recovery)
	}
}

func connectionsKilled(t *testing.T, url string, everywhere func(string)) {
	t.Helper()
	w := startTraffic(t, url, "client-kill")
	for i := range 5 {
		everywhere("CLIENT KILL TYPE pubsub")
		w.heard.Wait(t, "link down and up", func([]string) bool {
			return slices.Equal(w.heard.Seen("link "), slices.Repeat([]string{"false", "true"}, i+1))
		})
		everywhere("CLIENT KILL TYPE normal")
		resumes(t, w, "all connections were killed")
	}
	w.check(t)
}

func buffersOverflow(t *testing.T, url string, everywhere func(string)) {
	t.Helper()
	w := startTraffic(t, url, "overflow")
	everywhere(`CONFIG SET client-output-buffer-limit "pubsub 32kb 0 0"`)
	if err := w.writer.Publish(t.Context(), w.room, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	waitLink(t, w.heard, false)
	everywhere(`CONFIG SET client-output-buffer-limit "pubsub 32mb 8mb 60"`)
	waitLink(t, w.heard, true)
	resumes(t, w, "the reader was cut off")
	w.check(t)
}
