//go:build e2e || clients || players || reliability

package e2e_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// program is a command a test starts, and the Debian package it is in.
type program struct{ command, debian string }

// require reports everything that is missing in one line that can be pasted.
func require(programs ...program) error {
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p.command); err != nil {
			missing = append(missing, p.debian)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("these tests need more: sudo apt-get install --no-install-recommends %s", strings.Join(missing, " "))
	}
	return nil
}

// needs fails the test when programs are missing that only it uses.
func needs(t *testing.T, programs ...program) {
	t.Helper()
	if err := require(programs...); err != nil {
		t.Fatal(err)
	}
}
