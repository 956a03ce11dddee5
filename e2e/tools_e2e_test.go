//go:build e2e || reliability

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
)

func requireTools() error {
	err := require(
		program{"ffmpeg", "ffmpeg"}, program{"redis-server", "redis-server"}, program{"chromium", "chromium"},
		program{"promtool", "prometheus"}, program{"node", "nodejs"},
	)
	if err != nil {
		return err
	}
	if _, err = os.Stat(filepath.Join(root, "web", "node_modules", "playwright-core")); err != nil {
		return fmt.Errorf("the end-to-end tests need the page's npm packages: make page (%w)", err)
	}
	return nil
}
