//go:build load && linux

package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"unsafe"
)

// perAddr is how many connections of one process come from one address: fewer than
// servers bound.
const perAddr = 100

// source is the address of connection i of a process, below 127/8, so that neither
// ports nor bounds for one address end the run.
func source(process, i int) [4]byte {
	a := i / perAddr
	return [4]byte{127, byte(16 + process), byte(a / 250), byte(a%250 + 1)}
}

// dial begins a connection from a source to a server on this machine.
func dial(to syscall.SockaddrInet4, from [4]byte, small bool) (fd int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if small {
		// So small a window is full at once: what more is kept, the server's kernel keeps.
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
	}
	if to.Addr[0] == 127 {
		const bindAddressNoPort = 24 // ip(7): the port is chosen when the peer is known, so addresses do not run out of them
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, bindAddressNoPort, 1)
		if err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: from}); err != nil {
			_ = syscall.Close(fd)
			return -1, fmt.Errorf("bind: %w", err)
		}
	}
	if err = syscall.Connect(fd, &to); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		_ = syscall.Close(fd)
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

// resolve reads HOST:PORT of an IPv4 server.
func resolve(addr string) (to syscall.SockaddrInet4, err error) {
	a, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return to, err
	}
	to.Port = a.Port
	copy(to.Addr[:], a.IP.To4())
	return to, nil
}

// recv reads from a socket that does not block. Raw: the scheduler of Go need not
// hear of a call that never waits, and it costs as much as the call.
func recv(fd int32, b []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0) //nolint:gosec // the pointer is used during the call only
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// send writes to a socket that does not block.
func send(fd int32, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0) //nolint:gosec // as above
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
