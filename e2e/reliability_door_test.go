//go:build reliability

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	maxMemory     = 50 << 20    // of a server after an attack
	honestLimit   = time.Second // for a publisher to be accepted while others attack
	lorisLimit    = 10 * time.Second
	openMode      = "BARRAGE_INGEST_AUTH_MODE=open"
	endedProtocol = `barrage_ingest_connections_ended_total{reason="protocol"}`
)

// each runs f for 0 to n-1 on that many goroutines and returns all errors.
func each(n, workers int, f func(i int) error) error {
	var all sync.WaitGroup
	var next atomic.Int64
	var mu sync.Mutex
	var errs []error
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					mu.Lock()
					errs = append(errs, fmt.Errorf("%d: %w", i, err))
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if len(errs) > 5 {
		errs = append(errs[:5], fmt.Errorf("and %d more", len(errs)-5))
	}
	return errors.Join(errs...)
}

// loopback is an address of this machine: a different one for each of 250 i.
func loopback(net, i int) string { return fmt.Sprintf("127.0.%d.%d", net, i%250+1) }

func TestR01Bombs(t *testing.T) {
	r := newRow(t, "R01", "AMF0 bombs before publish: a list of 2^31, objects in objects of 60 KB and of 16 MiB, 1,000 times each")
	s := serve(t, openMode)
	bombs := []string{listBomb, nestBomb(60_000), nestBomb(16 << 20)}
	before := s.memory(t)
	if err := each(1000*len(bombs), 8, func(i int) error {
		c, err := dialFrom(t.Context(), s.addrs.RTMP, loopback(1, i))
		if err != nil {
			return err
		}
		defer c.Close()
		if err = c.shake(); err != nil {
			return err
		}
		b := rtmpMessage(rtmpCommand, 0, 0, amfText("connect")+amfNumber(1)+bombs[i%len(bombs)])
		_, _ = c.Write(b) // fails when the server has seen enough
		return c.closed()
	}); err != nil {
		t.Error(err)
	}
	after := s.memory(t)
	r.measured("resident memory %.1f MiB before, %.1f MiB after", mebi(before), mebi(after))
	if after-before >= 20<<20 || after >= maxMemory {
		t.Error("want less than 20 MiB more and less than 50 MiB in all")
	}
	ended := s.metric(t, endedProtocol) + s.metric(t, `barrage_ingest_connections_ended_total{reason="network"}`)
	r.measured("%.0f connections closed and counted", ended)
	if int(ended) != 1000*len(bombs) {
		t.Errorf("%v connections counted as closed for a fault, want %d", ended, 1000*len(bombs))
	}
	s.honest(t, r)
}

// honest shows that the server is well: a publisher gets in.
func (s *server) honest(t *testing.T, r *row) {
	t.Helper()
	c, took, err := publisher(t.Context(), s.addrs.RTMP, "", "honest")
	if err != nil {
		t.Fatalf("honest publisher: %v", err)
	}
	r.measured("a publisher is accepted in %v afterwards", took.Round(time.Millisecond))
	if took > honestLimit {
		t.Errorf("want under %v", honestLimit)
	}
	c.Close()
}

// unfinished is the beginnings of n messages of that length, each on a chunk
// stream of its own and with its first chunk.
func unfinished(n, length int) []byte {
	const first = 5
	var b []byte
	for id := first; id < first+n; id++ {
		basic := []byte{byte(id)}
		if id >= 64 {
			basic = []byte{0, byte(id - 64)}
		}
		b = append(append(b, basic...), 0, 0, 0, byte(length>>16), byte(length>>8), byte(length), rtmpVideo, 1, 0, 0, 0)
		b = append(b, make([]byte, clientChunk)...)
	}
	return b
}

// TestR02Unfinished holds the bounds on what is announced and never finished:
// little before publish, 8 MiB after, and no more than 16 chunk streams.
func TestR02Unfinished(t *testing.T) {
	r := newRow(t, "R02", "unfinished messages of 16 MiB: 64 on each of 100 connections; 12 on each of 100 that do not publish; 8 MiB on each of 4 that do")
	s := serve(t, openMode)
	var conns []*rtmpClient
	closeAll := func() {
		for _, c := range conns {
			c.Close()
		}
		conns = nil
		s.idle(t)
	}
	grow := func(what string, limit int64, attack func()) {
		before := s.memory(t)
		attack()
		grown := s.memory(t) - before
		r.measured("%s: %+.1f MiB", what, mebi(grown))
		if grown > limit {
			t.Errorf("%s: memory grew by %.1f MiB, want at most %.0f", what, mebi(grown), mebi(limit))
		}
		closeAll()
	}
	dial := func(i int) *rtmpClient {
		c, err := dialFrom(t.Context(), s.addrs.RTMP, loopback(2, i))
		if err == nil {
			err = c.shake()
		}
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		return c
	}
	const perConn = 164 << 10 // 64 KiB of messages, 100 KiB for being connected
	grow("64 messages", 100*perConn, func() {
		for i := range 100 {
			c := dial(i)
			_, _ = c.Write(unfinished(64, 16<<20-1)) // fails when closed
			if err := c.closed(); err != nil {
				t.Error(err)
			}
		}
	})
	grow("12 messages, before publish", 100*perConn, func() {
		for i := range 100 {
			if _, err := dial(i).Write(unfinished(12, 16<<20-1)); err != nil {
				t.Error(err)
			}
		}
		s.settled(t)
	})
	grow("8 MiB after publish", 4*(9<<20)+4*8<<20, func() { // what is sent, and room for the collector
		for i := range 4 {
			c := dial(i)
			if err := c.publish(fmt.Sprintf("unfinished-%d", i)); err != nil {
				t.Fatal(err)
			}
			const length = 8 << 20
			b := unfinished(1, length)
			for range length/clientChunk - 1 { // all but the last chunk
				b = append(append(b, 0xc5), make([]byte, clientChunk)...)
			}
			if _, err := c.Write(b); err != nil {
				t.Error(err)
			}
		}
		s.settled(t)
	})
	s.honest(t, r)
	if after := s.memory(t); after > 2*maxMemory {
		t.Errorf("%.1f MiB resident afterwards, want at most 100", mebi(after))
	}
}

// idle waits until no connection is left.
func (s *server) idle(t *testing.T) {
	t.Helper()
	eventually(t, 15*time.Second, "the server lets go of all connections", func() error {
		if n := s.metric(t, "barrage_ingest_connections"); n != 0 {
			return fmt.Errorf("%v connections", n)
		}
		return nil
	})
}

// settled waits until the server has read all that was sent.
func (s *server) settled(t *testing.T) {
	t.Helper()
	last := -1.0
	eventually(t, 10*time.Second, "the server has read everything", func() error {
		now := s.metric(t, "barrage_ingest_received_bytes_total")
		if now != last {
			last = now
			return errors.New("it still reads")
		}
		return nil
	})
}

// TestR03SlowLoris opens more connections than the server allows in all, each
// sending a byte now and then.
func TestR03SlowLoris(t *testing.T) {
	const n = 5000
	r := newRow(t, "R03", "5,000 slow-loris handshakes from 250 addresses")
	s := serve(t, openMode)
	lives := make([]time.Duration, n)
	stop := make(chan struct{})
	defer close(stop)
	dialled := make(chan struct{})
	var failed error
	go func() {
		defer close(dialled)
		failed = each(n, n, func(i int) error { return loris(t.Context(), s.addrs.RTMP, loopback(3, i), &lives[i]) })
	}()
	var honest []time.Duration
	var peak int64
	every := time.NewTicker(250 * time.Millisecond)
	defer every.Stop()
	for done := false; !done; {
		c, took, err := publisher(t.Context(), s.addrs.RTMP, "", fmt.Sprintf("honest-%d", len(honest)))
		honest = append(honest, took)
		if err != nil {
			t.Errorf("honest publisher %d: after %v: %v", len(honest), took, err)
		} else {
			c.Close()
		}
		peak = max(peak, s.memory(t))
		select {
		case <-every.C:
		case <-dialled:
			done = true
		}
	}
	if failed != nil {
		t.Error(failed)
	}
	longest := slices.Max(lives)
	r.measured("the last is closed %.1f s after it came", longest.Seconds())
	if longest > lorisLimit {
		t.Errorf("want at most %v", lorisLimit)
	}
	worst := slices.Max(honest)
	r.measured("%d publishers accepted meanwhile, the slowest in %v", len(honest), worst.Round(time.Millisecond))
	if worst > honestLimit {
		t.Errorf("want under %v", honestLimit)
	}
	r.measured("resident memory at most %.1f MiB", mebi(peak))
}

// loris sends a byte of the handshake every second until the server closes, and
// notes how long that took.
func loris(ctx context.Context, addr, from string, life *time.Duration) error {
	c, err := dialFrom(ctx, addr, from)
	if err != nil {
		return err
	}
	defer c.Close()
	began := time.Now()
	var drip sync.WaitGroup
	gone := make(chan struct{})
	drip.Go(func() {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			if _, failed := c.Write([]byte{3}); failed != nil {
				return
			}
			select {
			case <-every.C:
			case <-gone:
				return
			}
		}
	})
	err = c.closed()
	*life = time.Since(began)
	close(gone)
	drip.Wait()
	return err
}

// TestR27Files takes all open files away.
func TestR27Files(t *testing.T) {
	r := newRow(t, "R27", "open files run out")
	s := serve(t, openMode)
	s.honest(t, r)
	limit := s.files(t) + 40
	if out, err := tool(t.Context(), "prlimit", "--pid", strconv.Itoa(s.cmd.Process.Pid), fmt.Sprintf("--nofile=%d:%d", limit, limit)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The admin listener cannot be asked meanwhile: its connection is open already.
	_ = s.metric(t, "barrage_ingest_accept_errors_total")
	var conns []*rtmpClient
	for i := range 100 {
		c, err := dialFrom(t.Context(), s.addrs.RTMP, loopback(6, i))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	eventually(t, 5*time.Second, "files run out", func() error {
		if n := s.metric(t, "barrage_ingest_accept_errors_total"); n == 0 {
			return errors.New("no failed accept")
		}
		return nil
	})
	began, cpu := time.Now(), s.cpu(t)
	throughout(t, 3*time.Second, "the server lives", func() error {
		if !s.running() {
			return errors.New("it ended")
		}
		return nil
	})
	share := (s.cpu(t) - cpu) / time.Since(began).Seconds()
	failed := s.metric(t, "barrage_ingest_accept_errors_total")
	r.measured("%.1f %% of a core while 100 connections want %d files, %.0f failed accepts", share*100, 40, failed)
	if share > 0.2 {
		t.Error("want under 20 %")
	}
	for _, c := range conns {
		c.Close()
	}
	c, took, err := publisher(t.Context(), s.addrs.RTMP, "", "recovered")
	if err != nil {
		t.Fatalf("publisher after the files came back: %v", err)
	}
	c.Close()
	r.measured("a publisher is accepted %v after they came back", took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Error("want under 2 s")
	}
}

// TestProbe runs the clients of ingest's probe against the binary.
func TestProbe(t *testing.T) {
	r := newRow(t, "probe", "odd and hostile clients, each followed by an honest frame or closed")
	s := serve(t)
	cmd := exec.CommandContext(t.Context(), "go", "test", "-tags", "reliability", "-count=1", "-v", "-run", "^TestProbeOfServer$", "./ingest")
	cmd.Dir = root
	cmd.Env = append(cleanEnv(), "PROBE_RTMP="+s.addrs.RTMP, "PROBE_METRICS="+s.admin("/metrics"), "PROBE_KEY="+s.command(t, "key", room))
	out, err := cmd.CombinedOutput()
	passed := strings.Count(string(out), "    --- PASS: ")
	failed := strings.Count(string(out), "    --- FAIL: ")
	after := s.memory(t)
	r.measured("%d of %d pass; resident memory %.1f MiB afterwards", passed, passed+failed, mebi(after))
	if err != nil || failed > 0 || passed < 37 {
		t.Errorf("%v, want at least 37 to pass and none to fail:\n%s", err, tail(string(out), 60))
	}
	if after > maxMemory {
		t.Error("want under 50 MiB")
	}
}
