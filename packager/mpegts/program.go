package mpegts

import (
	"encoding/binary"
	"errors"
	"fmt"

	"barrage/packager/media"
)

// ErrCodec says that a stream is for players of fMP4 only.
var ErrCodec = errors.New("MPEG-TS is made of H.264 and AAC only")

// What a program is made of (13818-1, 2.4.4 and table 2-34).
const (
	packetSize = 188
	syncByte   = 0x47

	pidPAT   = 0x0000
	pidPMT   = 0x1000
	pidVideo = 0x0100
	pidAudio = 0x0101

	programNumber = 1

	streamH264 = 0x1b
	streamADTS = 0x0f
)

// Program is what all segments of the same tracks have in common. It is immutable.
type Program struct {
	tables []byte // PAT and PMT, their continuity counters 0
	video  *avc
	audio  *adts
}

// Counters are the continuity counters with which the next segment starts. The zero
// value starts a stream.
type Counters struct{ tables, video, audio uint8 }

// NewProgram describes a stream of these tracks: one video, one audio, or both.
// ErrCodec, with the name of the codec, when a track cannot be part of it.
func NewProgram(tracks ...media.Track) (*Program, error) {
	p := &Program{}
	for _, t := range tracks {
		var err error
		switch t.Codec {
		case media.H264:
			p.video, err = newAVC(t)
		case media.AAC:
			p.audio, err = newADTS(t)
		default:
			err = fmt.Errorf("%w, not of %v", ErrCodec, t.Codec)
		}
		if err != nil {
			return nil, err
		}
	}
	if p.video == nil && p.audio == nil {
		return nil, errors.New("a transport stream without tracks")
	}
	p.tables = appendTable(appendTable(nil, pidPAT, p.pat()), pidPMT, p.pmt())
	return p, nil
}

// pat lists the only program (2.4.4.3).
func (p *Program) pat() []byte {
	return section(0x00, 1, []byte{programNumber >> 8, programNumber & 0xff, 0xe0 | pidPMT>>8, pidPMT & 0xff})
}

// pmt lists the elementary streams of the program (2.4.4.8).
func (p *Program) pmt() []byte {
	clock := uint16(pidAudio)
	if p.video != nil {
		clock = pidVideo
	}
	body := []byte{0xe0 | byte(clock>>8), byte(clock), 0xf0, 0}
	if p.video != nil {
		body = append(body, streamH264, 0xe0|pidVideo>>8, pidVideo&0xff, 0xf0, 0)
	}
	if p.audio != nil {
		body = append(body, streamADTS, 0xe0|pidAudio>>8, pidAudio&0xff, 0xf0, 0)
	}
	return section(0x02, programNumber, body)
}

// section writes a table of one section, version 0, valid now (2.4.4.3).
func section(id byte, number uint16, body []byte) []byte {
	const behindLength, crc = 5, 4
	b := []byte{id, 0xb0, byte(behindLength + len(body) + crc), byte(number >> 8), byte(number), 0xc1, 0, 0}
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32(b))
}

// crc32 is the CRC of annex A, which package hash/crc32 has not: most significant bit
// first, and not inverted at the end.
func crc32(b []byte) uint32 {
	const poly = 0x04c11db7
	crc := ^uint32(0)
	for _, x := range b {
		crc ^= uint32(x) << 24
		for range 8 {
			top := crc >> 31
			crc = crc<<1 ^ top*poly
		}
	}
	return crc
}

// appendTable wraps a section in one packet.
func appendTable(dst []byte, pid uint16, table []byte) []byte {
	const unitStart, payloadOnly, pointer = 0x40, 0x10, 0
	dst = append(dst, syncByte, unitStart|byte(pid>>8), byte(pid), payloadOnly, pointer)
	dst = append(dst, table...)
	for len(dst)%packetSize != 0 {
		dst = append(dst, 0xff)
	}
	return dst
}
