//go:build unix

package app

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
)

func TestFileGuard(t *testing.T) {
	var said bytes.Buffer
	guard := newFileGuard(slog.New(slog.NewTextHandler(&said, nil)), true)
	if err := guard.check(); err != nil {
		t.Errorf("few files are open: %v", err)
	}
	guard.share = 1 // nothing is for chat
	for range 3 {
		if err := guard.check(); err == nil {
			t.Error("no error when all files are kept")
		}
	}
	if n := strings.Count(said.String(), "LimitNOFILE"); n != 1 {
		t.Errorf("said %d times what to raise, want once a minute: %s", n, said.String())
	}
}

func TestFilesInUse(t *testing.T) {
	const limit = 1 << 40
	before := filesInUse(limit)
	for range 20 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
	}
	if after := filesInUse(limit); after < before+20 {
		t.Errorf("%d files in use before 20 more, %d then", before, after)
	}
}
