//go:build unix

package app

import "syscall"

// openFiles returns how many files this process may have open.
func openFiles() (uint64, bool) {
	var files syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)
	return uint64(files.Cur), err == nil //nolint:unconvert // signed on some systems
}
