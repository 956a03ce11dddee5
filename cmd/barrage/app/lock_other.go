//go:build !unix || aix || (solaris && !illumos)

package app

import (
	"errors"
	"os"
)

// lockFile says that this system has no lock that ends with its process.
func lockFile(*os.File) error { return errors.ErrUnsupported }
