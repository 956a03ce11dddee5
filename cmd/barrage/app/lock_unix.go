//go:build unix && !aix && (!solaris || illumos)

package app

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes f for this process until it is closed or the process ends, however it
// ends. It does not wait: errTaken says that another has it.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errTaken
	}
	return err
}
