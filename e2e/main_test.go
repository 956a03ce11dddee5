//go:build e2e || reliability

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
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/barrage")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		panic(fmt.Sprintf("build: %v\n%s", err, out))
	}
	m.Run() // its result becomes the exit code when TestMain returns
	if err = os.RemoveAll(dir); err != nil {
		panic(err)
	}
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
