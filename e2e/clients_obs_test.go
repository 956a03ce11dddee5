//go:build clients

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// obs is a running OBS Studio without a screen.
type obs struct {
	*process
	dir string
}

// startOBS streams to the server at addr for a minute, or until it is stopped.
func startOBS(t *testing.T, addr, key string, keyint int) *obs {
	t.Helper()
	needs(t, program{"obs", "obs-studio obs-plugins libgl1-mesa-dri fonts-dejavu-core"}, program{"xvfb-run", "xvfb xauth"})
	dir := t.TempDir()
	env := []string{"OBS_LOG=" + filepath.Join(dir, "log"), "OBS_PID=" + filepath.Join(dir, "pid")}
	o := &obs{dir: dir, process: start(t, env, "obs/run.sh", "rtmp://"+addr+"/live", key, "60", strconv.Itoa(keyint))}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("OBS logged:\n%s", tail(o.text(), 40))
		}
	})
	return o
}

// text is the log OBS has written so far.
func (o *obs) text() string {
	text, err := os.ReadFile(filepath.Join(o.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (o *obs) waitLog(t *testing.T, sentence string, within time.Duration) {
	t.Helper()
	eventually(t, within, "OBS logs "+sentence, func() error {
		if text := o.text(); !strings.Contains(text, sentence) {
			return errors.New(tail(text, 5))
		}
		return nil
	})
}

// signal reaches OBS itself. An interrupt is what Quit in its menu is.
func (o *obs) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(o.dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err = syscall.Kill(pid, s); err != nil {
		t.Fatalf("signal OBS: %v", err)
	}
}

// quit ends OBS as its user would, and waits.
func (o *obs) quit(t *testing.T) {
	t.Helper()
	o.signal(t, syscall.SIGINT)
	o.wait(t, 20*time.Second)
}

// TestOBS streams with a sync sample every 2 s, and with what x264 does when nobody
// sets it: every 250 frames.
func TestOBS(t *testing.T) {
	t.Parallel()
	for _, keyint := range []int{60, 250} {
		t.Run(strconv.Itoa(keyint), func(t *testing.T) {
			t.Parallel()
			s := serveClients(t)
			p := startTap(t, s.addrs.RTMP)
			o := startOBS(t, p.addr, s.command(t, "key", room), keyint)
			s.waitPhase(t, "live", 40*time.Second)
			// At least one more sync sample than it takes to go live.
			eventually(t, 30*time.Second, "20 s of pictures", func() error {
				if _, sent, err := p.seen(); err != nil || sent.video < 600 {
					return fmt.Errorf("%d pictures, %w", sent.video, err)
				}
				return nil
			})
			o.quit(t)
			conns, sent, err := p.seen()
			if conns != 1 || err != nil {
				t.Errorf("%d connections, %v", conns, err)
			}
			if !strings.Contains(o.text(), fmt.Sprintf("Total frames output: %d", sent.video)) {
				t.Errorf("%d pictures on the wire, but OBS counts otherwise", sent.video)
			}
			s.delivered(t, fmt.Sprintf("OBS, keyint %d", keyint), sent)
		})
	}
}

// TestOBSWrongKey: it is told why, says so, and does not come again.
func TestOBSWrongKey(t *testing.T) {
	t.Parallel()
	s := serveClients(t)
	p := startTap(t, s.addrs.RTMP)
	key := s.command(t, "key", room)
	o := startOBS(t, p.addr, key[:len(key)-4]+"AAAA", 60)
	eventually(t, 40*time.Second, "our sentence in its log", func() error { return says(t, "wrong key", o.text()) })
	throughout(t, 12*time.Second, "it does not try again", func() error {
		if conns, _, _ := p.seen(); conns != 1 {
			return fmt.Errorf("%d connections", conns)
		}
		return nil
	})
	t.Log("| OBS, wrong key | one attempt in 12 s | our sentence in its log |")
	o.signal(t, syscall.SIGKILL) // a dialogue is open that nobody can close
}

// TestOBSTakesOver kills one OBS and lets a second one in at once, while the server
// still believes in the first: nothing tells it that the connection is dead.
func TestOBSTakesOver(t *testing.T) {
	t.Parallel()
	s := serveClients(t, "BARRAGE_INGEST_GRACE=30s")
	key := s.command(t, "key", room)
	dead := startTap(t, s.addrs.RTMP, func(p *tap) { p.deaf = true })
	first := startOBS(t, dead.addr, key, 60)
	s.waitPhase(t, "live", 40*time.Second)
	before, err := s.room(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The second has started and connected, and waits at the gate.
	next := startTap(t, s.addrs.RTMP, func(p *tap) { p.gate = make(chan struct{}) })
	second := startOBS(t, next.addr, key, 60)
	eventually(t, 40*time.Second, "the second connects", func() error {
		if conns, _, _ := next.seen(); conns == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	first.signal(t, syscall.SIGKILL)
	close(next.gate)
	killed := time.Now()
	eventually(t, time.Second, "takeover", func() error {
		if !strings.Contains(s.log.String(), "took over the room") {
			return errors.New(tail(s.log.String(), 3))
		}
		return nil
	})
	took := time.Since(killed)
	eventually(t, 20*time.Second, "pictures of the second are served", func() error {
		all, wrong := s.walk(t.Context())
		if wrong == nil && all.discontinuities != 1 {
			wrong = fmt.Errorf("%d discontinuities", all.discontinuities)
		}
		return wrong
	})
	second.quit(t)
	after, err := s.room(t.Context())
	if err != nil || after.Session != before.Session || after.Epoch != before.Epoch {
		t.Errorf("%+v before, %+v after (%v): want one session in one epoch", before, after, err)
	}
	if conns, _, _ := next.seen(); conns != 1 {
		t.Errorf("the second needed %d connections", conns)
	}
	all, sent := s.bothDelivered(t, dead, next)
	t.Logf("| OBS, killed, a second takes over in %v | %d sent, %d served | %d sent, %d served |",
		took.Round(time.Millisecond), sent.video, all.video, sent.audio, all.audio)
}

// bothDelivered checks that all two publishers sent is served, in one session.
func (s *server) bothDelivered(t *testing.T, taps ...*tap) (all served, sent count) {
	t.Helper()
	for _, p := range taps {
		_, n, err := p.seen()
		if err != nil {
			t.Error(err)
		}
		sent.video += n.video
		sent.audio += n.audio
	}
	eventually(t, 10*time.Second, "all of it is served", func() (err error) {
		all, err = s.walk(t.Context())
		if err == nil && all.count != sent {
			err = fmt.Errorf("%+v of %+v", all.count, sent)
		}
		return err
	})
	if all.discontinuities != 1 || len(all.gaps) != 0 {
		t.Errorf("%d discontinuities, gaps %q: want one where the second begins", all.discontinuities, all.gaps)
	}
	return all, sent
}

// TestOBSServerRestart: OBS comes back by itself, and the room with it.
func TestOBSServerRestart(t *testing.T) {
	t.Parallel()
	s := serveClients(t)
	o := startOBS(t, s.addrs.RTMP, s.command(t, "key", room), 60)
	s.waitPhase(t, "live", 40*time.Second)
	s.stop(t)
	stopped := time.Now()
	again := startServer(t, "serve", s.state, "BARRAGE_INGEST_RTMP_ADDR="+s.addrs.RTMP, "BARRAGE_PACKAGER_WINDOW=10m")
	again.waitPhase(t, "live", 40*time.Second)
	t.Logf("| OBS, server restarted | live again %v after the stop | |", time.Since(stopped).Round(10*time.Millisecond))
	o.waitLog(t, "Reconnect", time.Second)
	o.quit(t)
}
