package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"barrage/ingest"
)

// Exit codes, after sysexits.h, so that a supervisor can tell "fix the file" from "try again".
const (
	exitOK         = 0
	exitRuntime    = 1
	exitUsage      = 2
	exitCantCreate = 73
	exitPermission = 77
	exitConfig     = 78
)

// errConfig marks every error that only an edit of the configuration cures.
var errConfig = errors.New("configuration")

// errTaken says that another process has what this one needs, and may soon give it back.
var errTaken = errors.New("taken by another process")

// errUsage marks a command line that makes no sense.
var errUsage = errors.New("usage")

// exitCode is the one table from errors to exit codes.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errConfig):
		return exitConfig
	case errors.Is(err, fs.ErrPermission):
		return exitPermission
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.ENOTDIR), errors.Is(err, errTaken):
		return exitCantCreate
	default:
		return exitRuntime
	}
}

// listen binds addr; key is the setting it came from.
func listen(ctx context.Context, key, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, explainListen(key, addr, err)
	}
	return l, nil
}

// explainIngest says what to do about a server for publishers that does not open.
func explainIngest(err error) error {
	var taken *ingest.ListenError
	switch {
	case errors.As(err, &taken):
		return explainListen(taken.Key, taken.Addr, taken.Err)
	case errors.Is(err, ingest.ErrCertificate):
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	return err
}

// explainListen says what to do about an address that cannot be bound.
func explainListen(key, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s is taken by another program: stop it, or choose another address with %s (%s): %w",
			key, addr, key, envName(key), err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %s needs more rights than this user has: choose a port above 1023: %w", key, addr, err)
	default:
		return fmt.Errorf("%s: cannot listen on %s: %w", key, addr, err)
	}
}
