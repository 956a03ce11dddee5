//go:build unix

package app

import (
	"os"
	"syscall"
)

// openFiles returns how many files this process may have open.
func openFiles() (uint64, bool) {
	var files syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)
	return uint64(files.Cur), err == nil //nolint:unconvert // signed on some systems
}

// filesInUse returns how many files are open at least, limit when that many are.
// The kernel gives a new file the lowest number that is free (open(2)), so that its
// number says how many there are, without counting thousands of them.
func filesInUse(limit uint64) uint64 {
	fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return limit
	}
	_ = syscall.Close(fd) // nothing was written to it
	return uint64(fd)
}
