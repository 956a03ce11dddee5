//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the top of the repository, seen from this package.
const root = ".."

// binary is the server under test, built by TestMain.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if err := requireTools(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "barrage-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "barrage")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/barrage")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// requireTools reports everything that is missing in one line that can be pasted.
func requireTools() error {
	var missing []string
	for _, tool := range []struct{ command, debian string }{
		{"ffmpeg", "ffmpeg"}, {"redis-server", "redis-server"}, {"chromium", "chromium"}, {"promtool", "prometheus"}, {"node", "nodejs"},
	} {
		if _, err := exec.LookPath(tool.command); err != nil {
			missing = append(missing, tool.debian)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the end-to-end tests need more: sudo apt-get install --no-install-recommends %s", strings.Join(missing, " "))
	}
	if _, err := os.Stat(filepath.Join(root, "web", "node_modules", "playwright-core")); err != nil {
		return fmt.Errorf("the end-to-end tests need the page's npm packages: make page (%w)", err)
	}
	return nil
}
