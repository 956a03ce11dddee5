package flv

import (
	"encoding/binary"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

const hevcFixed = 23 // bytes before the arrays of an hvcC

// parseHEVC reads an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15,
// 8.3.3.1.2).
func parseHEVC(b []byte) (Record, error) {
	switch {
	case len(b) < hevcFixed:
		return Record{}, ErrShort
	// ffmpeg before 2014 and some cameras write version 0, with the same layout.
	case b[0] > 1:
		return Record{}, errRecordVersion
	case b[21]&3 != 3: // lengthSizeMinusOne
		return Record{}, errRecordLength
	}
	var r Record
	rest := b[hevcFixed:]
	for range b[hevcFixed-1] {
		if len(rest) < 3 {
			return Record{}, ErrShort
		}
		kind, n := h265.NALUType(rest[0]&0x3f), int(binary.BigEndian.Uint16(rest[1:]))
		var sets [][]byte
		var err error
		if sets, rest, err = parameterSets(rest[3:], n); err != nil {
			return Record{}, err
		}
		switch hevcType(kind) {
		case setVPS:
			r.VPS = append(r.VPS, sets...)
		case setSPS:
			r.SPS = append(r.SPS, sets...)
		case setPPS:
			r.PPS = append(r.PPS, sets...)
		default: // SEI messages
		}
	}
	return r, nil
}

// encodeHEVC is the inverse of parseHEVC.
func encodeHEVC(r Record) ([]byte, error) {
	if len(r.VPS) > 16 || len(r.SPS) > 16 || len(r.PPS) > 64 {
		return nil, errTooManySets
	}
	var sps h265.SPS
	if err := sps.Unmarshal(r.SPS[0]); err != nil {
		return nil, err
	}
	// Behind the NAL unit's header and a byte with the id of the VPS lies the
	// profile, tier and level as hvcC wants them: 12 bytes.
	raw := h264.EmulationPreventionRemove(r.SPS[0])
	b := append([]byte{1}, raw[3:15]...)
	nested := byte(0)
	if sps.TemporalIDNestingFlag {
		nested = 1
	}
	b = append(b,
		0xf0, 0, // min_spatial_segmentation_idc: unknown
		0xfc, // parallelismType: unknown
		0xfc|byte(sps.ChromaFormatIdc&3), 0xf8|byte(sps.BitDepthLumaMinus8&7), 0xf8|byte(sps.BitDepthChromaMinus8&7),
		0, 0, // avgFrameRate: unknown
		(sps.MaxSubLayersMinus1+1)<<3|nested<<2|3,
		3)
	for _, a := range []struct {
		kind h265.NALUType
		sets [][]byte
	}{{h265.NALUType_VPS_NUT, r.VPS}, {h265.NALUType_SPS_NUT, r.SPS}, {h265.NALUType_PPS_NUT, r.PPS}} {
		b = append(b, 0x80|byte(a.kind), 0, byte(len(a.sets)))
		b = appendSets(b, a.sets)
	}
	return b, nil
}

func describeHEVC(nal []byte) (picture, error) {
	var sps h265.SPS
	if err := sps.Unmarshal(nal); err != nil {
		return picture{}, err
	}
	return picture{sps.Width(), sps.Height(), sps.FPS()}, nil
}
