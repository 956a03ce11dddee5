//go:build e2e || clients || players || reliability

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the top of the repository, seen from this package.
const root = ".."

// binary is the server under test, built by TestMain.
var binary string

// TestMain builds what is tested. It panics rather than skips when a tool is missing.
func TestMain(m *testing.M) {
	if err := requireTools(); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "barrage-e2e-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "barrage")
	// BARRAGE_RACE=1 puts the race detector into the server under test.
	args, cgo := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", binary}, "CGO_ENABLED=0"
	if os.Getenv("BARRAGE_RACE") == "1" {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	build := exec.CommandContext(context.Background(), "go", append(args, "./cmd/barrage")...)
	build.Dir, build.Env = root, append(os.Environ(), cgo)
	out, err := build.CombinedOutput()
	if err != nil {
		panic(fmt.Sprintf("build: %v\n%s", err, out))
	}
	m.Run() // its result becomes the exit code when TestMain returns
	if err = os.RemoveAll(dir); err != nil {
		panic(err)
	}
}
