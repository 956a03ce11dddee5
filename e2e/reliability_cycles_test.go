//go:build reliability

package e2e_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// holdings is what a server could leak.
type holdings struct {
	goroutines, series int
	open, stored       int // files
}

func (s *server) holds(t *testing.T) (h holdings) {
	t.Helper()
	h.goroutines = int(s.metric(t, "go_goroutines"))
	body, err := get(t.Context(), s.admin("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, "#") {
			h.series++
		}
	}
	h.open = s.files(t)
	err = filepath.WalkDir(s.state, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			h.stored++
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// forgotten waits until no room has a stream.
func (s *server) forgotten(t *testing.T) {
	t.Helper()
	eventually(t, 90*time.Second, "all rooms are forgotten", func() error {
		for _, phase := range []string{"starting", "live", "away", "ended"} {
			if n := s.metric(t, fmt.Sprintf("barrage_packager_streams{phase=%q}", phase)); n != 0 {
				return fmt.Errorf("%v streams are %s", n, phase)
			}
		}
		return nil
	})
}

// cycle publishes tags in an instant and goes, every other time with a goodbye.
func cycle(t *testing.T, s *server, i int, tags []flvTag) error {
	t.Helper()
	c, _, err := publisher(t.Context(), s.addrs.RTMP, loopback(7, i), fmt.Sprintf("cycle-%03d", i%200))
	if err != nil {
		return err
	}
	defer c.Close()
	for _, tag := range tags {
		if _, err = c.Write(rtmpMessage(tag.kind, 1, uint32(tag.at), tag.body)); err != nil {
			return err
		}
	}
	if i%2 == 0 {
		if _, err = c.Write(rtmpMessage(rtmpCommand, 0, 0, amfText("deleteStream")+amfNumber(4)+"\x05"+amfNumber(1))); err != nil {
			return err
		}
	}
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return errors.New("not TCP")
	}
	if err = tcp.CloseWrite(); err != nil { // and not Close, which throws away what was not read yet
		return err
	}
	return c.closed()
}

// TestR23Cycles publishes and leaves ten thousand times.
func TestR23Cycles(t *testing.T) {
	const cycles = 10_000
	r := newRow(t, "R23", "10,000 publishers come and go over 200 rooms")
	s := serve(t, openMode, "BARRAGE_INGEST_GRACE=2s", "BARRAGE_PACKAGER_WINDOW=10s")
	var tags []flvTag
	for _, tag := range parseFLV(t, record(t, 3*time.Second)) {
		if tag.at <= 2200 { // a GOP and the sync sample behind it
			tags = append(tags, tag)
		}
	}
	run := func(n int) (refused int64) {
		var busy atomic.Int64
		err := each(n, 20, func(i int) error {
			err := cycle(t, s, i, tags)
			if errors.Is(err, errBusy) { // its predecessor is being let go of
				busy.Add(1)
				return nil
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		s.forgotten(t)
		return busy.Load()
	}
	run(200) // what is made once
	before := s.holds(t)
	began := time.Now()
	refused := run(cycles)
	took := time.Since(began)
	after := s.holds(t)
	segments := s.metric(t, `barrage_packager_segments_total{kind="video"}`)
	r.measured("%v for all, %d refused, %.0f segments made; goroutines %d → %d, open files %d → %d, stored files %d → %d, series %d → %d; %.0f MiB resident",
		took.Round(time.Second), refused, segments, before.goroutines, after.goroutines, before.open, after.open,
		before.stored, after.stored, before.series, after.series, mebi(s.memory(t)))
	if held := s.metric(t, "barrage_packager_window_bytes"); held != 0 {
		t.Errorf("%.0f bytes of media are held for nobody", held)
	}
	if after.goroutines > before.goroutines+5 || after.open > before.open+5 || after.stored > before.stored || after.series > before.series {
		t.Error("something is left over")
	}
	if segments < cycles/2 {
		t.Error("want media of most of them")
	}
}
