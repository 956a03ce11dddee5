package chat

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), in milliseconds, which package
// syscall lacks.
const tcpUserTimeout = 0x12

func setUserTimeout(fd uintptr, d time.Duration) {
	// Without it a vanished peer is noticed by its missing pong.
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
}
