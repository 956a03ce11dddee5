package packager_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barrage/packager"
	"barrage/packager/origin"

	"github.com/prometheus/client_golang/prometheus"
)

// host runs one server process after the other on one state directory.
type host struct {
	*room
	dir  string
	root *os.Root
	done chan error
	now  func() time.Time // nil: time.Now
	log  *slog.Logger     // nil: silence
}

// boots runs test in a bubble on a machine whose server has been started.
func boots(t *testing.T, test func(*host)) {
	t.Helper()
	dirs := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := &host{room: &room{t: t}, dir: filepath.Join(dirs, "0")}
		if err := os.Mkdir(m.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		m.boot()
		defer m.term()
		test(m)
	})
}

func (m *host) boot() {
	m.t.Helper()
	var err error
	if m.root, err = os.OpenRoot(m.dir); err != nil {
		m.t.Fatal(err)
	}
	m.prom = prometheus.NewRegistry()
	if m.reg, err = packager.New(packager.DefaultConfig(), packager.Options{Registerer: m.prom, Records: m.root, Now: m.now, Logger: m.log}); err != nil {
		m.t.Fatal(err)
	}
	if m.origin, err = origin.New(m.reg, origin.Options{Registerer: m.prom}); err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(m.t.Context()))
	m.stop, m.done = cancel, make(chan error, 1)
	go func(reg *packager.Registry, done chan error) { done <- reg.Run(ctx) }(m.reg, m.done)
	m.stream, _ = m.reg.Stream("live")
}

// term ends the process as SIGTERM does.
func (m *host) term() {
	m.t.Helper()
	m.stop()
	if err := <-m.done; err != nil {
		m.t.Errorf("Run = %v, want nil", err)
	}
	if err := m.root.Close(); err != nil {
		m.t.Error(err)
	}
}

// kill ends the process as kill -9 does: what it does from now on, the next one does
// not see.
func (m *host) kill() {
	m.t.Helper()
	left := filepath.Join(filepath.Dir(m.dir), fmt.Sprint(time.Now().UnixNano()))
	if err := os.CopyFS(left, os.DirFS(m.dir)); err != nil {
		m.t.Fatal(err)
	}
	m.term()
	m.dir = left
}

func (m *host) records() []string {
	m.t.Helper()
	synctest.Wait()
	names, err := filepath.Glob(filepath.Join(m.dir, "*.json"))
	if err != nil {
		m.t.Fatal(err)
	}
	return names
}

// publish is an encoder that starts: its times begin at zero.
func (m *host) publish(d time.Duration) *source {
	m.t.Helper()
	m.attach()
	m.tracks(videoTrack(m.t), audioTrack(m.t))
	src := &source{fps: 30, gop: 60, audio: true}
	src.run(m.room, d)
	return src
}

// stand is where a segment stands.
type stand struct {
	pdt    time.Time
	dur    time.Duration
	breaks int // discontinuity sequence of the segment
}

// memory is what somebody who asks all the time has ever seen of all epochs.
type memory struct {
	t      *testing.T
	bytes  map[string][32]byte
	stands map[string]map[int]stand // by epoch and rendition
	tops   map[string][2]int        // media and discontinuity sequence of the playlist
}

func newMemory(t *testing.T) *memory {
	t.Helper()
	return &memory{t: t, bytes: map[string][32]byte{}, stands: map[string]map[int]stand{}, tops: map[string][2]int{}}
}

// look fetches both playlists of the current epoch and everything they list.
func (v *memory) look(m *host) {
	v.t.Helper()
	if m.stream == nil || m.stream.Status().Epoch == "" {
		return
	}
	folder := m.folder()
	for _, name := range []string{"v0", "a0", "ts"} {
		res := m.get(folder + name + ".m3u8")
		if res.status != http.StatusOK {
			continue
		}
		l := readList(v.t, res.body)
		v.top(folder+name, l)
		breaks := l.discontinuities
		for _, s := range l.segments {
			if s.discontinuity {
				breaks++
			}
			if s.uri != "" {
				v.fetch(m, folder+s.uri)
				v.segment(folder+name, s.msn, stand{s.pdt, time.Duration(s.dur * float64(time.Second)), breaks})
			}
			for _, p := range s.parts {
				v.fetch(m, folder+p.uri)
			}
		}
		for _, uri := range l.maps {
			v.fetch(m, folder+uri)
		}
	}
	v.together(folder)
}

func (v *memory) top(of string, l list) {
	v.t.Helper()
	old := v.tops[of]
	if l.first < old[0] || l.discontinuities < old[1] {
		v.t.Errorf("%s: media and discontinuity sequence %d, %d after %v", of, l.first, l.discontinuities, old)
	}
	v.tops[of] = [2]int{l.first, l.discontinuities}
}

func (v *memory) fetch(m *host, uri string) {
	v.t.Helper()
	sum := sha256.Sum256([]byte(m.body(uri)))
	if old, known := v.bytes[uri]; known && old != sum {
		v.t.Errorf("%s names other bytes than before", uri)
	}
	v.bytes[uri] = sum
}

// cutSlack is half an access unit: audio is cut at the nearest.
const cutSlack = 11 * time.Millisecond

// segment compares one with its neighbours, those that the server has lost as well.
func (v *memory) segment(of string, msn int, s stand) {
	v.t.Helper()
	all := v.stands[of]
	if all == nil {
		all = map[int]stand{}
		v.stands[of] = all
	}
	if old, known := all[msn]; known {
		if old != s {
			v.t.Errorf("%s: segment %d was %+v and is %+v", of, msn, old, s)
		}
		return
	}
	for n, o := range all {
		if n < msn && (o.breaks > s.breaks || o.pdt.Add(o.dur).After(s.pdt.Add(cutSlack))) || n > msn {
			v.t.Errorf("%s: segment %d %+v after segment %d %+v", of, msn, s, n, o)
		}
	}
	all[msn] = s
}

// together asserts that both renditions are in the same discontinuity sequence at the
// same moment.
func (v *memory) together(folder string) {
	v.t.Helper()
	for msn, s := range v.stands[folder+"v0"] {
		middle := s.pdt.Add(s.dur / 2)
		for n, a := range v.stands[folder+"a0"] {
			if !middle.Before(a.pdt) && middle.Before(a.pdt.Add(a.dur)) && a.breaks != s.breaks {
				v.t.Errorf("discontinuity sequence %d in the middle of video segment %d, %d in audio segment %d", s.breaks, msn, a.breaks, n)
			}
		}
	}
}

// Whatever happens to server and publisher: numbers only rise, dates only rise, and an
// address that was ever answered never names anything else.
func TestNothingIsNamedTwice(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			boots(t, func(m *host) { fate(m, rand.New(rand.NewPCG(seed, 1)), newMemory(m.t)) })
		})
	}
}

func fate(m *host, dice *rand.Rand, seen *memory) {
	const steps = 30
	src, past := (*source)(nil), []string{}
	for range steps {
		switch dice.IntN(8) {
		case 0:
			past = append(past, "kill")
			if dice.IntN(2) == 0 {
				synctest.Wait() // else whatever the keeper has managed by now
			}
			m.kill()
			<-time.After(time.Duration(dice.IntN(20)) * time.Second)
			m.boot()
			src = nil
		case 1:
			past = append(past, "term")
			m.term()
			seen.look(m) // while it drains
			<-time.After(time.Duration(dice.IntN(20)) * time.Second)
			m.boot()
			src = nil
		case 2:
			if src != nil {
				past = append(past, "detach")
				m.stream.Detach(dice.IntN(3) == 0)
				<-time.After(time.Duration(dice.IntN(20)) * time.Second)
				src = nil
			}
		case 3:
			if src != nil {
				past = append(past, "config")
				next := videoTrack(m.t)
				next.Config = config(m.t, strings.Replace(avc1080, "68ef8fcbfdf8f800", fmt.Sprintf("68ef8fcbfdf8f8%02x", dice.IntN(256)), 1))
				m.tracks(next)
			}
		default:
			past = append(past, "publish")
			if src == nil {
				src = m.publish(0)
			}
			src.run(m.room, time.Duration(dice.IntN(9000))*time.Millisecond)
		}
		seen.look(m)
		if m.t.Failed() {
			m.t.Fatalf("after %q", past)
		}
	}
}
