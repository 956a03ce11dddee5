package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"time"
)

// The header of a segment, and of a record in it: length of the payload, checksum of
// number and payload, number. Integers are little endian.
const (
	magic      = "barrage1"
	bootBytes  = 40
	fileHeader = len(magic) + bootBytes
	headBytes  = 4 + 4 + 8

	maxRecord = 16 << 20
	maxSkip   = 1 << 32 // between the numbers of two records that follow each other
)

// The first byte of a payload of the journal's own.
const (
	kindClosed = 0 // the journal was closed; nothing follows
	kindTrial  = 1
)

// segment is one file. Its size is the writer's, the rest guarded by Journal.mu.
type segment struct {
	number uint32
	file   *os.File
	size   int64

	live    int // records that somebody needs
	written time.Time
}

func segmentName(number uint32) string { return fmt.Sprintf("%08d.log", number) }

func parseSegmentName(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, ".log")
	number, err := strconv.ParseUint(digits, 10, 32)
	return uint32(number), ok && err == nil && segmentName(uint32(number)) == name
}

func appendFileHeader(dst []byte, boot string) []byte {
	dst = append(dst, magic...)
	name := make([]byte, bootBytes)
	copy(name, boot)
	return append(dst, name...)
}

// parseFileHeader returns the boot in which the segment was begun.
func parseFileHeader(data []byte) (boot string, ok bool) {
	if len(data) < fileHeader || string(data[:len(magic)]) != magic {
		return "", false
	}
	return string(bytes.TrimRight(data[len(magic):fileHeader], "\x00")), true
}

func appendRecord(dst []byte, number uint64, payload ...[]byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, 8)...)
	dst = binary.LittleEndian.AppendUint64(dst, number)
	for _, p := range payload {
		dst = append(dst, p...)
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-headBytes))
	binary.LittleEndian.PutUint32(dst[at+4:], checksum(dst[at+8:]))
	return dst
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// parseRecord reads the record at the beginning of data.
func parseRecord(data []byte) (number uint64, payload []byte, ok bool) {
	if len(data) < headBytes {
		return 0, nil, false
	}
	size := binary.LittleEndian.Uint32(data)
	if size == 0 || size > maxRecord || int(size) > len(data)-headBytes {
		return 0, nil, false
	}
	end := headBytes + int(size)
	if checksum(data[8:end]) != binary.LittleEndian.Uint32(data[4:]) {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64(data[8:]), data[headBytes:end:end], true
}

// found is what a segment's bytes hold.
type found struct {
	boot    string
	end     int    // of the last record
	last    uint64 // its number
	closed  bool   // the last record says so
	damaged bool   // something is unreadable, and whole records follow it
}

// scan calls f with each whole record behind number last.
func scan(data []byte, last uint64, f func(offset int, payload []byte)) found {
	s := found{last: last}
	at := 0
	if boot, ok := parseFileHeader(data); ok {
		s.boot, at = boot, fileHeader
	}
	s.end = min(at, len(data))
	for at < len(data) {
		number, payload, ok := parseRecord(data[at:])
		if !ok || number <= s.last {
			next := search(data, at+1, s.last)
			if next < 0 {
				break
			}
			at, s.damaged = next, true
			continue
		}
		s.closed = payload[0] == kindClosed
		if payload[0] > kindTrial {
			f(at, payload)
		}
		at += headBytes + len(payload)
		s.end, s.last = at, number
	}
	return s
}

// search returns where behind at a whole record begins that follows number last, or -1.
func search(data []byte, at int, last uint64) int {
	for ; at+headBytes < len(data); at++ {
		number := binary.LittleEndian.Uint64(data[at+8:])
		if number <= last || number-last > maxSkip {
			continue
		}
		if _, _, ok := parseRecord(data[at:]); ok {
			return at
		}
	}
	return -1
}

// bootName names the time since the machine was started, "" where the system does not say.
func bootName() string {
	name, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}
