package ingest

import (
	"net"
	"syscall"
)

// setLowWater returns how to set SO_RCVLOWAT of a connection, nil for what is no TCP
// (TLS: the bytes of the wire are not those of the messages).
func setLowWater(nc net.Conn) func(int) error {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	var bytes int
	var failed error
	control := func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, bytes)
	}
	return func(n int) error {
		bytes = n
		if err := raw.Control(control); err != nil {
			return err
		}
		return failed
	}
}
