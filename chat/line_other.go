//go:build !linux

package chat

import "time"

func setUserTimeout(uintptr, time.Duration) {}
