package chat_test

import (
	"net"
	"syscall"
	"testing"
)

// TestKernelBounds asks the kernel for what was set on a subscriber's socket.
func TestKernelBounds(t *testing.T) {
	accepted := make(chan net.Conn, 1)
	n := start(t, setup{accepted: accepted})
	conn, _, err := n.connect(t, "live", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := watch(t, conn)
	p.send(map[string]any{"op": "hello"})
	p.await("welcome", func(m message) bool { return m.Op == "welcome" })
	raw, err := (<-accepted).(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what               string
		level, option      int
		atLeast, andAtMost int
	}{
		{"send buffer", syscall.SOL_SOCKET, syscall.SO_SNDBUF, 32 << 10, 64 << 10},
		{"TCP_USER_TIMEOUT", syscall.IPPROTO_TCP, 0x12, 10_000, 10_000},
	} {
		var got int
		var failed error
		if err = raw.Control(func(fd uintptr) { got, failed = syscall.GetsockoptInt(int(fd), c.level, c.option) }); err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		if got < c.atLeast || got > c.andAtMost {
			t.Errorf("%s = %d, want %d to %d", c.what, got, c.atLeast, c.andAtMost)
		}
	}
}
