//go:build !unix || aix || (solaris && !illumos)

package archive

import "os"

// lockFile does nothing: this system has no such locks.
func lockFile(*os.File) error { return nil }
