//go:build e2e

package redisbroker_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"barrage/chat"
	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// recovery is how long people may wait for comments once Redis is back.
const recovery = 5 * time.Second

func subscribe(t *testing.T, b *redisbroker.Broker, room string) *brokertest.Recorder {
	t.Helper()
	r := brokertest.NewRecorder()
	s, err := b.Subscribe(t.Context(), room, r)
	if err != nil {
		t.Fatalf("Subscribe(%q): %v", room, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return r
}

// roundTrip sends frame from one broker and waits for it at another's recorder.
func roundTrip(t *testing.T, from *redisbroker.Broker, to *brokertest.Recorder, frame string) {
	t.Helper()
	if err := from.Publish(t.Context(), "live", []byte(frame)); err != nil {
		t.Fatalf("Publish(%q): %v", frame, err)
	}
	to.WaitFor(t, "frame "+frame)
}

// poll asks until ok or limit.
func poll(tb testing.TB, limit time.Duration, what string, ok func() bool) {
	tb.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(limit)
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			tb.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// waitLink waits until r was told what as its last link.
func waitLink(t *testing.T, r *brokertest.Recorder, want bool) {
	t.Helper()
	r.Wait(t, fmt.Sprintf("last link %t", want), func([]string) bool {
		links := r.Seen("link ")
		return len(links) > 0 && links[len(links)-1] == fmt.Sprint(want)
	})
}

// TestRedisKilled is reliability row R10: Redis dies while people watch, and
// comes back.
func TestRedisKilled(t *testing.T) {
	r := brokertest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	a, b := open(t, r, redisbroker.Options{}), open(t, r, redisbroker.Options{})
	var seen []*brokertest.Recorder
	for i := range 30 {
		seen = append(seen, subscribe(t, b, fmt.Sprintf("room-%d", i)))
	}
	live := subscribe(t, b, "live")
	lease, err := a.Lead(t.Context(), "live", "a", 100*time.Millisecond)
	if err != nil || !lease.Held {
		t.Fatalf("Lead = %+v, %v", lease, err)
	}
	if err = a.Advance(t.Context(), "live", "a", 41, nil); err != nil {
		t.Fatalf("Advance: %v", err)
	}
	if _, err = a.Append(t.Context(), "live", []byte("before"), []byte("before")); err != nil {
		t.Fatalf("Append: %v", err)
	}
	live.WaitFor(t, "frame before")
	goroutines := runtime.NumGoroutine()

	r.Kill(t)
	waitLink(t, live, false)
	poll(t, recovery, "commands refused at once", func() bool {
		begin := time.Now()
		_, err = a.Append(t.Context(), "live", []byte("lost"), []byte("lost"))
		if !errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("Append without Redis = %v, want ErrUnavailable", err)
		}
		return time.Since(begin) < time.Millisecond
	})
	poll(t, recovery, "a says so", func() bool { // it has a link of its own to notice it by
		reason, degraded := a.Degraded()
		return degraded && strings.Contains(reason, "redis")
	})

	r.Start(t)
	begin := time.Now()
	waitLink(t, live, true)
	for _, s := range seen {
		waitLink(t, s, true)
	}
	poll(t, recovery, "a is up", func() bool { return a.Up() && b.Up() })
	poll(t, recovery, "Append works", func() bool {
		_, err = a.Append(t.Context(), "live", []byte("after"), []byte("after"))
		return err == nil
	})
	live.WaitFor(t, "frame after")
	took := time.Since(begin)
	t.Logf("frames flow %v after Redis answered", took)
	if took > recovery {
		t.Errorf("recovered in %v, want at most %v", took, recovery)
	}
	entries, err := b.Tail(t.Context(), "live", 10)
	if err != nil || len(entries) != 2 || string(entries[0].Batch) != "before" || string(entries[1].Batch) != "after" {
		t.Errorf("Tail = %q, %v, want before and after", entries, err)
	}
	var again chat.Lease
	poll(t, recovery, "the old lease ends", func() bool {
		again, err = b.Lead(t.Context(), "live", "b", time.Second)
		return err == nil && again.Held
	})
	if again.Epoch != lease.Epoch || again.Seq != 41 {
		t.Errorf("Lead = %+v, want epoch %s and seq 41 as before", again, lease.Epoch)
	}
	for i, s := range seen {
		if err := a.Publish(t.Context(), fmt.Sprintf("room-%d", i), []byte("x")); err != nil {
			t.Errorf("Publish: %v", err)
		}
		s.WaitFor(t, "frame x")
	}
	poll(t, recovery, fmt.Sprintf("at most %d goroutines again", goroutines+10), func() bool {
		return runtime.NumGoroutine() <= goroutines+10
	})
}

func TestPubSubConnectionKilled(t *testing.T) {
	r := brokertest.StartRedis(t)
	a, b := open(t, r, redisbroker.Options{}), open(t, r, redisbroker.Options{})
	live := subscribe(t, b, "live")
	state := chat.RoomState{Room: "live", Phase: "live", PDT: 1}
	for i := range 5 {
		poll(t, recovery, "both up", func() bool { return a.Up() && b.Up() })
		if got := r.Do(t, "CLIENT KILL TYPE pubsub"); got != ":2" {
			t.Fatalf("CLIENT KILL = %s, want 2 connections", got)
		}
		state.PDT++
		if err := a.Rooms().PutState(t.Context(), state, time.Minute); err != nil { // commands work on
			t.Fatalf("PutState: %v", err)
		}
		live.Wait(t, "link down and up", func([]string) bool {
			return slices.Equal(live.Seen("link "), slices.Repeat([]string{"false", "true"}, i+1))
		})
		live.WaitFor(t, fmt.Sprintf("state live %q %d", "live", state.PDT)) // missed or not
		roundTrip(t, a, live, fmt.Sprint(i))
	}
}

func TestRedisStartsLater(t *testing.T) {
	r := brokertest.StartRedis(t)
	r.Kill(t)
	b := open(t, r, redisbroker.Options{})
	if b.Up() {
		t.Error("up without Redis")
	}
	if _, err := b.Subscribe(t.Context(), "live", brokertest.NewRecorder()); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Subscribe without Redis = %v, want ErrUnavailable", err)
	}
	r.Start(t)
	poll(t, recovery, "up", b.Up)
	poll(t, recovery, "Subscribe and a frame", func() bool {
		rec := brokertest.NewRecorder()
		s, err := b.Subscribe(t.Context(), "live", rec)
		if err != nil {
			return false
		}
		roundTrip(t, b, rec, "first")
		_ = s.Close()
		return true
	})
}

// TestRedisHangs stops Redis without closing a connection, as a dead host or a
// cut network does.
func TestRedisHangs(t *testing.T) {
	r := brokertest.StartRedis(t)
	a, b := open(t, r, redisbroker.Options{}), open(t, r, redisbroker.Options{})
	live := subscribe(t, b, "live")
	roundTrip(t, a, live, "before")

	r.Signal(t, syscall.SIGSTOP)
	stopped := time.Now()
	var callers sync.WaitGroup
	for range 50 { // as many rooms that tick
		callers.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for time.Since(stopped) < 4*time.Second {
				<-tick.C
				begin := time.Now()
				_, err := a.Append(t.Context(), "live", []byte("x"), []byte("x"))
				if took := time.Since(begin); took > 2500*time.Millisecond {
					t.Errorf("Append took %v with a Redis that hangs", took)
				}
				if err == nil {
					t.Error("Append worked with a Redis that hangs")
				}
			}
		})
	}
	waitLink(t, live, false)
	t.Logf("link down %v after the hang began", time.Since(stopped))
	callers.Wait()

	r.Signal(t, syscall.SIGCONT)
	begin := time.Now()
	waitLink(t, live, true)
	poll(t, recovery, "Publish works", func() bool { return a.Publish(t.Context(), "live", []byte("after")) == nil })
	live.WaitFor(t, "frame after")
	t.Logf("frames flow %v after the hang ended", time.Since(begin))
	if took := time.Since(begin); took > recovery {
		t.Errorf("recovered in %v, want at most %v", took, recovery)
	}
}

// TestRedisRefusesWrites: out of memory, nothing is logged and nothing is shown.
func TestRedisRefusesWrites(t *testing.T) {
	r := brokertest.StartRedis(t)
	b := open(t, r, redisbroker.Options{})
	live := subscribe(t, b, "live")
	if _, err := b.Lead(t.Context(), "live", "b", time.Minute); err != nil {
		t.Fatalf("Lead: %v", err)
	}
	if got := r.Do(t, "CONFIG SET maxmemory 1"); got != "+OK" {
		t.Fatalf("CONFIG SET: %s", got)
	}
	if _, err := b.Append(t.Context(), "live", []byte("batch"), []byte("refused")); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Append to a full Redis = %v, want ErrUnavailable", err)
	}
	if err := b.Advance(t.Context(), "live", "b", 1, []byte("refused")); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Advance on a full Redis = %v, want ErrUnavailable", err)
	}
	r.Do(t, "CONFIG SET maxmemory 0")
	roundTrip(t, b, live, "last")
	if got := live.Seen("frame "); !slices.Equal(got, []string{"last"}) {
		t.Errorf("frames = %q, want the last alone", got)
	}
}

// TestReadOnly is what a failover leaves behind: Redis answers, and takes no
// writes.
func TestReadOnly(t *testing.T) {
	r := brokertest.StartRedis(t)
	b := open(t, r, redisbroker.Options{})
	live := subscribe(t, b, "live")
	if got := r.Do(t, "REPLICAOF 127.0.0.1 1"); got != "+OK" {
		t.Fatalf("REPLICAOF: %s", got)
	}
	_, err := b.Append(t.Context(), "live", []byte("batch"), []byte("refused"))
	if !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Append to a replica = %v, want ErrUnavailable", err)
	}
	if _, err = b.Lead(t.Context(), "live", "b", time.Minute); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Lead on a replica = %v, want ErrUnavailable", err)
	}
	r.Do(t, "REPLICAOF NO ONE")
	if _, err = b.Append(t.Context(), "live", []byte("batch"), []byte("taken")); err != nil {
		t.Errorf("Append: %v", err)
	}
	live.WaitFor(t, "frame taken")
	if got := live.Seen(""); !slices.Equal(got, []string{"frame taken"}) {
		t.Errorf("told %q, want the one that was logged", got)
	}
}

// TestSlowRedis is reliability row R11: half a second per command is slow, not away.
func TestSlowRedis(t *testing.T) {
	r := brokertest.StartRedis(t)
	b := open(t, r, redisbroker.Options{})
	live := subscribe(t, b, "live")
	for i := range 3 {
		r.Do(t, "CLIENT PAUSE 500 ALL")
		if _, err := b.Append(t.Context(), "live", []byte("batch"), fmt.Append(nil, i)); err != nil {
			t.Errorf("Append: %v", err)
		}
	}
	live.WaitFor(t, "frame 2")
	if got, want := live.Seen(""), []string{"frame 0", "frame 1", "frame 2"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestTooManyClients: Redis takes no more connections while the link is remade.
func TestTooManyClients(t *testing.T) {
	r := brokertest.StartRedis(t)
	b := open(t, r, redisbroker.Options{})
	live := subscribe(t, b, "live")
	// In one write: nobody can connect any more to send the second. Who is connected stays.
	r.Do(t, "CONFIG SET maxclients 1\r\nCLIENT KILL TYPE pubsub")
	waitLink(t, live, false)
	if b.Up() {
		t.Error("up while Redis refuses the connection")
	}
	if _, err := b.Append(t.Context(), "live", []byte("kept"), nil); err != nil { // over a connection that stayed
		t.Errorf("Append: %v", err)
	}
	r.Kill(t) // nobody can connect to lift the limit
	r.Start(t)
	waitLink(t, live, true)
	poll(t, recovery, "Publish works", func() bool { return b.Publish(t.Context(), "live", []byte("after")) == nil })
	live.WaitFor(t, "frame after")
}
