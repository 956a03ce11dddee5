//go:build unix

package packager_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// hung is a server on a disk that can hang: no bubble waits for a system call, so that
// time is counted by what is published.
type hung struct {
	*host
	since *atomic.Int64
	src   *source
}

// publish writes d of media at once.
func (h *hung) publish(d time.Duration) {
	h.t.Helper()
	for end := h.since.Load() + int64(d); h.since.Load() < end; h.since.Add(int64(time.Second / 30)) {
		err := h.stream.WriteSample(h.src.video())
		for err == nil && h.src.units*1024*30 < h.src.frames*48000 {
			err = h.stream.WriteSample(h.src.sound())
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// begin is an encoder that starts.
func (h *hung) begin() {
	h.t.Helper()
	h.attach()
	h.tracks(videoTrack(h.t), audioTrack(h.t))
	h.src = &source{fps: 30, gop: 60, audio: true}
}

// The disk hangs for a minute and a half, and then the server is killed. The next one believes the
// record that it finds: none of its numbers may have been used for anything else.
func TestDiskHangs(t *testing.T) {
	began, since, log := time.Now(), &atomic.Int64{}, &bytes.Buffer{}
	now := func() time.Time { return began.Add(time.Duration(since.Load())) }
	start := func(dir string) *hung {
		h := &hung{host: &host{room: &room{t: t}, dir: dir, now: now, log: slog.New(slog.NewTextHandler(log, nil))}, since: since}
		h.boot()
		return h
	}
	h := start(t.TempDir())
	h.begin()
	h.publish(7 * time.Second)
	h.term() // whoever takes the session up has written its record when that is done
	h.boot()
	pipe := filepath.Join(h.dir, ".live.tmp")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil { // to open it is to wait for a reader
		t.Fatal(err)
	}
	seen := newMemory(t)
	h.begin()
	for range 30 {
		h.publish(3 * time.Second)
		seen.look(h.host)
	}
	if st := h.stream.Status(); strings.Count(log.String(), "stream epoch ended early") == 0 || st.PDT.Before(now().Add(-time.Second)) {
		t.Errorf("%+v\n%s", st, log)
	}
	if n := metric(t, h.room, "barrage_packager_record_errors_total"); n == 0 {
		t.Error("no error counted")
	}

	left := t.TempDir()
	record, err := os.ReadFile(filepath.Join(h.dir, "live.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(left, "live.json"), record, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	next := start(left) // the other one could as well be dead: it has nothing of this folder
	next.begin()
	for range 20 {
		next.publish(3 * time.Second)
		seen.look(next.host)
	}
	next.term()

	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0) // the disk is back
	if err != nil {
		t.Fatal(err)
	}
	if err = os.Remove(pipe); err != nil {
		t.Fatal(err)
	}
	h.term()
	if err = reader.Close(); err != nil {
		t.Error(err)
	}
}
