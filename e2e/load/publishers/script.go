//go:build load

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// script is an FLV file as it goes over the wire, cut into chunks once for all
// publishers.
type script struct {
	intro []message // onMetaData and decoder configurations: said once
	loop  []message // pictures and sounds, by time
	dur   time.Duration
	bytes int // of loop, on the wire
}

// message is one RTMP message: a header of type 0 whose timestamp is filled in
// when it is sent, and its body in chunks.
type message struct {
	at   time.Duration // since the beginning of the file
	wire []byte
}

// FLV tag types, which are RTMP message types too.
const (
	typeAudio  = 8
	typeVideo  = 9
	typeScript = 18
)

// streamID is what the server's createStream returns first.
const streamID = 1

var errNotFLV = errors.New("not an FLV file")

// readScript reads an FLV file and cuts it into chunks of size bytes.
func readScript(path string, size int) (*script, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the person who runs this names the file
	if err != nil {
		return nil, err
	}
	s, err := parseScript(b, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// parseScript reads what Annex E of the FLV specification describes: a header of
// 9 bytes, then tags of an 11-byte header, a body and the tag's length.
func parseScript(b []byte, size int) (*script, error) {
	if len(b) < 13 || string(b[:3]) != "FLV" {
		return nil, errNotFLV
	}
	s := &script{}
	for b = b[13:]; len(b) >= 11; {
		kind, length := b[0]&0x1f, int(b[1])<<16|int(b[2])<<8|int(b[3])
		ms := int(b[7])<<24 | int(b[4])<<16 | int(b[5])<<8 | int(b[6])
		if len(b) < 11+length+4 {
			break // a file cut short
		}
		s.add(kind, time.Duration(ms)*time.Millisecond, b[11:11+length], size)
		b = b[11+length+4:]
	}
	if len(s.loop) < 2 {
		return nil, fmt.Errorf("%w with media in it", errNotFLV)
	}
	first, last := s.loop[0].at, s.loop[len(s.loop)-1].at
	for i := range s.loop {
		s.loop[i].at -= first
	}
	// The last message lasts as long as the average one of all tracks together.
	s.dur = (last - first) + (last-first)/time.Duration(len(s.loop)-1)
	return s, nil
}

func (s *script) add(kind byte, at time.Duration, body []byte, size int) {
	switch {
	case kind == typeScript:
		s.intro = append(s.intro, message{wire: chunked(kind, append([]byte("\x02\x00\x0d@setDataFrame"), body...), size)})
	case kind != typeAudio && kind != typeVideo || len(body) < 2:
	case isConfig(kind, body):
		s.intro = append(s.intro, message{wire: chunked(kind, body, size)})
	case kind == typeVideo && body[0]&0x80 == 0 && body[1] != 1: // end of sequence
	default:
		m := message{at: at, wire: chunked(kind, body, size)}
		s.loop = append(s.loop, m)
		s.bytes += len(m.wire)
	}
}

// isConfig reports a decoder configuration: packet type 0 of H.264 and AAC, or of
// Enhanced RTMP.
func isConfig(kind byte, body []byte) bool {
	switch {
	case kind == typeVideo && body[0]&0x80 != 0, kind == typeAudio && body[0]>>4 == 9:
		return body[0]&0x0f == 0
	case kind == typeAudio:
		return body[0]>>4 == 10 && body[1] == 0
	}
	return body[1] == 0
}

// chunked cuts a message for the wire, each kind on a chunk stream of its own.
func chunked(kind byte, body []byte, size int) []byte {
	csid := kind&3 + 4
	b := []byte{csid, 0, 0, 0, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body)), kind}
	b = binary.LittleEndian.AppendUint32(b, streamID)
	for i := 0; i < len(body); i += size {
		if i > 0 {
			b = append(b, 0xc0|csid)
		}
		b = append(b, body[i:min(i+size, len(body))]...)
	}
	return b
}

// stamp writes the timestamp of a chunked message, below the 4 h 39 m from where
// it would need more room.
func stamp(wire []byte, at time.Duration) {
	ms := at.Milliseconds()
	wire[1], wire[2], wire[3] = byte(ms>>16), byte(ms>>8), byte(ms)
}
