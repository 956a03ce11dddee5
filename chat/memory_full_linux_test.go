package chat_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"barrage/chat"
)

// TestMemoryDiskFull: a file system that takes no more makes the broker unavailable,
// with one line that says what to do, and what was acknowledged stays; when there is
// room again it goes on by itself. The process's own limit of file sizes stands for the
// disk, so that it needs a process of its own.
func TestMemoryDiskFull(t *testing.T) { alone(t, diskFull) }

// alone runs a test in a process of its own.
func alone(t *testing.T, test func(*testing.T)) {
	t.Helper()
	if os.Getenv("BARRAGE_TEST_ALONE") != "" {
		test(t)
		return
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "BARRAGE_TEST_ALONE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// limitFiles bounds what this process may write to one file.
func limitFiles(t *testing.T, size uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(size, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}

func diskFull(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	var log bytes.Buffer
	m := openDurable(t, dir, chat.MemoryOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	leadRoom(t, m)
	limitFiles(t, 50_000)
	kept := 0
	var err error
	for err == nil {
		if _, err = m.Append(t.Context(), "live", bytes.Repeat([]byte("x"), 7000), []byte("frame")); err == nil {
			kept++
		}
	}
	if !errors.Is(err, chat.ErrUnavailable) || kept != 7 {
		t.Errorf("after %d batches: %v, want 7 and ErrUnavailable", kept, err)
	}
	if _, err := m.Lead(t.Context(), "live", "a", time.Minute); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("Lead = %v, want ErrUnavailable: all nodes are to know", err)
	}
	if reason, degraded := m.Degraded(); !degraded || m.Up() || !strings.Contains(reason, "state_dir") {
		t.Errorf("Degraded = %q, %t", reason, degraded)
	}
	if err := m.SetRules(t.Context(), "live", chat.Rules{Body: bytes.Repeat([]byte("r"), 100_000)}); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("SetRules = %v, want ErrUnavailable", err)
	}
	if got := memoryTail(t, m); len(got) != kept {
		t.Errorf("%d batches can be read, want %d", len(got), kept)
	}
	limitFiles(t, 1<<40)
	for late := time.After(10 * time.Second); !m.Up(); {
		select {
		case <-late:
			t.Fatal("it does not come back")
		case <-time.After(10 * time.Millisecond):
		}
	}
	leadRoom(t, m)
	tickRoom(t, m, 1)
	memoryAppend(t, m, "after")
	if err := m.SetRules(t.Context(), "live", chat.Rules{Body: []byte("rules")}); err != nil {
		t.Errorf("SetRules = %v", err)
	}
	want := contents(t, m)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"comments cannot be written", "free space", "comments are written again"} {
		if strings.Count(log.String(), line) < 1 || strings.Count(log.String(), "cannot be written") > 2 {
			t.Errorf("said %q, want %q", log.String(), line)
		}
	}
	if got := contents(t, openDurable(t, dir, chat.MemoryOptions{})); got != want {
		t.Errorf("after a restart\n%s\nwant\n%s", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "00000001.log")); err != nil {
		t.Error(err)
	}
}
