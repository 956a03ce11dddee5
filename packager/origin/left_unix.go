//go:build unix

package origin

import "syscall"

// left looks whether the client has closed its side while an answer is waited for. What
// it has sent meanwhile stays where it is.
func (c *laneConn) left() bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		n, _, errno := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		gone = n <= 0 && errno != syscall.EAGAIN && errno != syscall.EINTR
	})
	return gone || err != nil
}
