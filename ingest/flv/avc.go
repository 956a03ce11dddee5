package flv

import (
	"errors"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// parseAVC reads an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1.2).
func parseAVC(b []byte) (Record, error) {
	switch {
	case len(b) < 7:
		return Record{}, ErrShort
	case b[0] != 1:
		return Record{}, errRecordVersion
	case b[4]&3 != 3: // lengthSizeMinusOne
		return Record{}, errRecordLength
	}
	var r Record
	sps, rest, err := parameterSets(b[6:], int(b[5]&0x1f))
	if err != nil {
		return Record{}, err
	}
	if len(rest) < 1 {
		return Record{}, ErrShort
	}
	r.SPS = sps
	r.PPS, _, err = parameterSets(rest[1:], int(rest[0]))
	return r, err
}

var errTooManySets = errors.New("more parameter sets than a record can hold")

// encodeAVC is the inverse of parseAVC.
func encodeAVC(r Record) ([]byte, error) {
	if len(r.SPS) > 31 || len(r.PPS) > 255 {
		return nil, errTooManySets
	}
	var sps h264.SPS
	if err := sps.Unmarshal(r.SPS[0]); err != nil {
		return nil, err
	}
	b := append([]byte{1}, r.SPS[0][1:4]...) // profile, constraints, level
	b = append(b, 0xff, 0xe0|byte(len(r.SPS)))
	b = appendSets(b, r.SPS)
	b = append(b, byte(len(r.PPS)))
	b = appendSets(b, r.PPS)
	switch sps.ProfileIdc {
	case 100, 110, 122, 144, 244:
		b = append(b, 0xfc|byte(sps.ChromaFormatIdc&3), 0xf8|byte(sps.BitDepthLumaMinus8&7), 0xf8|byte(sps.BitDepthChromaMinus8&7), 0)
	}
	return b, nil
}

func describeAVC(nal []byte) (picture, error) {
	var sps h264.SPS
	if err := sps.Unmarshal(nal); err != nil {
		return picture{}, err
	}
	return picture{sps.Width(), sps.Height(), sps.FPS()}, nil
}
