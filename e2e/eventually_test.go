//go:build e2e || clients || players || reliability

package e2e_test

import (
	"testing"
	"time"
)

// eventually asks check again and again until it returns nil, and fails the test
// with its last error when that takes longer than within.
func eventually(t *testing.T, within time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	again := time.NewTicker(40 * time.Millisecond)
	defer again.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", what, within, err)
		case <-t.Context().Done():
			t.Fatalf("%s: %v: %v", what, t.Context().Err(), err)
		}
	}
}

// throughout asks check again and again for a while and fails at the first error.
func throughout(t *testing.T, long time.Duration, what string, check func() error) {
	t.Helper()
	end := time.NewTimer(long)
	defer end.Stop()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		if err := check(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-again.C:
		case <-end.C:
			return
		}
	}
}
