//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package auth

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile waits until no other process holds path. The kernel lets go of it when
// the holder dies, so the file that stays behind locks nobody out.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's own state directory
	if err != nil {
		return nil, fmt.Errorf("lock stream keys: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR { //nolint:errorlint // a bare errno
			break
		}
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("lock stream keys %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil // closing unlocks
}
