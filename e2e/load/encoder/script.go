//go:build load

package encoder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// Script is an FLV file as it goes over the wire, cut into chunks once for all
// publishers.
type Script struct {
	Intro []Message // onMetaData and decoder configurations: said once
	Loop  []Message // pictures and sounds, by time
	Dur   time.Duration
	Bytes int // of Loop, on the wire
}

// Message is one RTMP message: a header of type 0 whose timestamp is filled in
// when it is sent, and its body in chunks.
type Message struct {
	At   time.Duration // since the beginning of the file
	Wire []byte

	chunk int // bytes of the body in each chunk
}

// Clone is a script of its own: timestamps are written into messages.
func (s *Script) Clone() *Script {
	own := &Script{Dur: s.Dur, Bytes: s.Bytes, Intro: slices.Clone(s.Intro), Loop: slices.Clone(s.Loop)}
	for _, part := range [][]Message{own.Intro, own.Loop} {
		for i := range part {
			part[i].Wire = slices.Clone(part[i].Wire)
		}
	}
	return own
}

// FLV tag types, which are RTMP message types too.
const (
	typeAudio  = 8
	typeVideo  = 9
	typeScript = 18
)

// streamID is what the server's createStream returns first.
const streamID = 1

// ErrNotFLV is returned for a file that is none, or that has no media in it.
var ErrNotFLV = errors.New("not an FLV file")

// ReadScript reads an FLV file and cuts it into chunks of size bytes.
func ReadScript(path string, size int) (*Script, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the person who runs this names the file
	if err != nil {
		return nil, err
	}
	s, err := ParseScript(b, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ParseScript reads what Annex E of the FLV specification describes: a header of
// 9 bytes, then tags of an 11-byte header, a body and the tag's length.
func ParseScript(b []byte, size int) (*Script, error) {
	if len(b) < 13 || string(b[:3]) != "FLV" {
		return nil, ErrNotFLV
	}
	s := &Script{}
	for b = b[13:]; len(b) >= 11; {
		kind, length := b[0]&0x1f, int(b[1])<<16|int(b[2])<<8|int(b[3])
		ms := int(b[7])<<24 | int(b[4])<<16 | int(b[5])<<8 | int(b[6])
		if len(b) < 11+length+4 {
			break // a file cut short
		}
		s.add(kind, time.Duration(ms)*time.Millisecond, b[11:11+length], size)
		b = b[11+length+4:]
	}
	if len(s.Loop) < 2 {
		return nil, fmt.Errorf("%w with media in it", ErrNotFLV)
	}
	first, last := s.Loop[0].At, s.Loop[len(s.Loop)-1].At
	for i := range s.Loop {
		s.Loop[i].At -= first
	}
	// The last message lasts as long as the average one of all tracks together.
	s.Dur = (last - first) + (last-first)/time.Duration(len(s.Loop)-1)
	return s, nil
}

func (s *Script) add(kind byte, at time.Duration, body []byte, size int) {
	switch {
	case kind == typeScript:
		s.Intro = append(s.Intro, Message{Wire: chunked(kind, append([]byte("\x02\x00\x0d@setDataFrame"), body...), size), chunk: size})
	case kind != typeAudio && kind != typeVideo || len(body) < 2:
	case isConfig(kind, body):
		s.Intro = append(s.Intro, Message{Wire: chunked(kind, body, size), chunk: size})
	case kind == typeVideo && body[0]&0x80 == 0 && body[1] != 1: // end of sequence
	default:
		m := Message{At: at, Wire: chunked(kind, body, size), chunk: size}
		s.Loop = append(s.Loop, m)
		s.Bytes += len(m.Wire)
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

// headerSize is that of a chunk header of type 0 with a one-byte stream id.
const headerSize = 12

// Stamp writes the timestamp of a message, below the 4 h 39 m from where it would
// need more room.
func (m Message) Stamp(at time.Duration) {
	ms := at.Milliseconds()
	m.Wire[1], m.Wire[2], m.Wire[3] = byte(ms>>16), byte(ms>>8), byte(ms)
}

// Mark overwrites the last bytes of the access unit, across chunks, and returns
// false when it is too short: every body begins with 5 bytes or fewer that are no
// media, and the first bytes of a unit say what it is. Who decodes it sees noise.
func (m Message) Mark(mark []byte) bool {
	size := int(m.Wire[4])<<16 | int(m.Wire[5])<<8 | int(m.Wire[6])
	if size < 16+len(mark) {
		return false
	}
	for i, b := range mark {
		at := size - len(mark) + i
		m.Wire[headerSize+at+at/m.chunk] = b
	}
	return true
}
