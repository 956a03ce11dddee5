//go:build e2e

package e2e_test

import "testing"

// TestRestartUnderPlayers restarts the server while players play: none loads anything
// anew.
func TestRestartUnderPlayers(t *testing.T) {
	for _, c := range []struct {
		name string
		restart
	}{
		{"hls.js, kill -9", restart{kill: true}},
		{"hls.js, SIGTERM", restart{}},
		{"our page, kill -9", restart{kill: true, ours: true}},
		{"our page, SIGTERM", restart{ours: true}},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t).check(t) })
	}
}
