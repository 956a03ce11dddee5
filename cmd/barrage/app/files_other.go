//go:build !unix

package app

// openFiles reports that this system has no such limit.
func openFiles() (uint64, bool) { return 0, false }

// filesInUse is not asked where there is no limit.
func filesInUse(uint64) uint64 { return 0 }
