//go:build unix && !aix && (!solaris || illumos)

package archive

import (
	"errors"
	"os"
	"syscall"
)

// lockFile keeps other processes out until f is closed or this process ends.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return ErrBusy
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK):
		return nil // a file system without locks: whoever shares it over the network is on his own
	}
	return err
}
