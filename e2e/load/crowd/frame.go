//go:build load && linux

package main

import (
	"encoding/binary"
	"errors"
)

// WebSocket opcodes and bits (RFC 6455, 5.2).
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10

	finBit  = 0x80
	maskBit = 0x80
)

// maxFrame is more than any server says at once.
const maxFrame = 8 << 20

var errFrame = errors.New("not a WebSocket frame of this protocol")

// header is the beginning of a server's frame.
type header struct {
	op   byte
	size int // of the header
	body int // bytes of the payload
}

// parseHeader reads the header in front of b; without all of it, ok is false.
func parseHeader(b []byte) (h header, ok bool, err error) {
	if len(b) < 2 {
		return h, false, nil
	}
	// RFC 6455, 5.1: "A server MUST NOT mask any frames". This server does not
	// fragment either, and has agreed to no extension.
	if b[0]&^0x0f != finBit || b[1]&maskBit != 0 {
		return h, false, errFrame
	}
	h = header{op: b[0] & 0x0f, size: 2, body: int(b[1])}
	switch h.body {
	case 126:
		h.size = 4
		if len(b) < h.size {
			return h, false, nil
		}
		h.body = int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.size = 10
		if len(b) < h.size {
			return h, false, nil
		}
		n := binary.BigEndian.Uint64(b[2:])
		if n > maxFrame {
			return h, false, errFrame
		}
		h.body = int(n)
	}
	return h, true, nil
}

// appendFrame appends a client's frame. "All frames sent from client to server
// are masked" (RFC 6455, 5.1); a key of zeros leaves the payload as it is, so that
// frames can be built once and sent by everybody.
func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, finBit|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, maskBit|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, maskBit|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, maskBit|127), uint64(n))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}
