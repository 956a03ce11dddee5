package fmp4

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/bits"
)

// avcConfig is what an AVCDecoderConfigurationRecord tells about its stream
// (ISO/IEC 14496-15, 5.3.3.1). Its slices alias the record.
type avcConfig struct {
	sps, pps [][]byte
}

// parseAVCConfig reads a record far enough to describe the track. What follows
// the parameter sets (chroma format and bit depths of the High profiles) is
// optional, often wrong, and not looked at.
func parseAVCConfig(record []byte) (avcConfig, error) {
	var c avcConfig
	if len(record) < 6 {
		return c, fmt.Errorf("parse avcC: %d bytes, want at least 6", len(record))
	}
	if record[0] != 1 {
		return c, fmt.Errorf("parse avcC: configuration version %d, want 1", record[0])
	}
	var err error
	rest := record[6:]
	if c.sps, rest, err = parameterSets(rest, int(record[5]&0x1f)); err != nil {
		return c, fmt.Errorf("parse avcC: SPS %w", err)
	}
	if len(rest) == 0 {
		return c, errors.New("parse avcC: ends before its PPS")
	}
	if c.pps, _, err = parameterSets(rest[1:], int(rest[0])); err != nil {
		return c, fmt.Errorf("parse avcC: PPS %w", err)
	}
	if len(c.sps) == 0 || len(c.pps) == 0 {
		return c, fmt.Errorf("parse avcC: %d SPS and %d PPS, want at least one of each", len(c.sps), len(c.pps))
	}
	if len(c.sps[0]) < 4 {
		return c, fmt.Errorf("parse avcC: SPS of %d bytes has no profile and level", len(c.sps[0]))
	}
	return c, nil
}

// parameterSets reads n NAL units with 16 bit lengths.
func parameterSets(b []byte, n int) (units [][]byte, rest []byte, err error) {
	for i := range n {
		if len(b) < 2 {
			return nil, nil, fmt.Errorf("%d of %d: no length", i+1, n)
		}
		size := int(binary.BigEndian.Uint16(b))
		if size == 0 || size > len(b)-2 {
			return nil, nil, fmt.Errorf("%d of %d: %d bytes announced, %d left", i+1, n, size, len(b)-2)
		}
		units = append(units, b[2:2+size])
		b = b[2+size:]
	}
	return units, b, nil
}

// MPEG-4 audio object types (ISO/IEC 14496-3, table 1.17).
const (
	aacLC   = 2
	aacSBR  = 5
	aacPS   = 29
	aacMore = 31 // escape: six more bits follow
)

// aacConfig is what an AudioSpecificConfig tells about its stream
// (ISO/IEC 14496-3, 1.6.2.1).
type aacConfig struct {
	objectType int // what a decoder must know to play all of it: SBR and PS count
	sampleRate int // of the core, before SBR
	channels   int // 0: told by a program config element
}

// parseAACConfig reads an AudioSpecificConfig of the general audio types.
func parseAACConfig(config []byte) (aacConfig, error) {
	r := bitReader{buf: config}
	c := aacConfig{objectType: r.objectType()}
	c.sampleRate = r.sampleRate()
	layout := r.read(4)
	if layout > 7 {
		return c, fmt.Errorf("parse AudioSpecificConfig: channel configuration %d is reserved", layout)
	}
	c.channels = layout
	if layout == 7 {
		c.channels = 8
	}
	if c.objectType == aacSBR || c.objectType == aacPS { // explicit, hierarchical signalling
		r.sampleRate() // after SBR
		r.objectType() // of the core
	}
	if r.err != nil {
		return c, fmt.Errorf("parse AudioSpecificConfig: %w", r.err)
	}
	if c.sampleRate == 0 {
		return c, errors.New("parse AudioSpecificConfig: no valid sampling rate")
	}
	if c.objectType == aacLC && layout != 0 { // a PCE would stand in between
		c.objectType = r.compatibleExtension()
	}
	return c, nil
}

// bitReader reads big endian bit fields; the first error sticks and later reads
// give 0.
type bitReader struct {
	buf []byte
	pos int
	err error
}

func (r *bitReader) read(n int) int {
	if r.err != nil {
		return 0
	}
	v, err := bits.ReadBits(r.buf, &r.pos, n)
	if err != nil {
		r.err = fmt.Errorf("ends at bit %d of a longer record", len(r.buf)*8)
		return 0
	}
	return int(v)
}

func (r *bitReader) objectType() int {
	t := r.read(5)
	if t == aacMore {
		t = 32 + r.read(6)
	}
	return t
}

// sampleRate reads samplingFrequencyIndex and the rate it escapes to; 0 is
// reserved or forbidden.
func (r *bitReader) sampleRate() int {
	rates := [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	index := r.read(4)
	switch {
	case index == 15:
		return r.read(24)
	case index < len(rates):
		return rates[index]
	}
	return 0
}

// compatibleExtension reads the backward compatible signalling behind an AAC-LC
// configuration (1.6.6.1): old decoders stop before it and play half the
// bandwidth. It gives the object type that a player needs for all of it; a
// record that ends early simply has no extension.
func (r *bitReader) compatibleExtension() int {
	r.read(1) // frameLengthFlag
	if r.read(1) == 1 {
		r.read(14) // coreCoderDelay
	}
	r.read(1) // extensionFlag; 0 for AAC-LC
	if r.read(11) != 0x2b7 || r.objectType() != aacSBR || r.read(1) != 1 {
		return aacLC
	}
	r.sampleRate()
	if r.err == nil && r.read(11) == 0x548 && r.read(1) == 1 {
		return aacPS
	}
	return aacSBR
}
