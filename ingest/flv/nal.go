package flv

import (
	"encoding/binary"
	"fmt"

	"barrage/packager/media"

	"github.com/bluenviron/mediacommon/v2/pkg/bits"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

// AccessUnit is what the NAL units of one access unit say.
type AccessUnit struct {
	Picture bool // it holds at least one coded slice
	Sync    bool // decoding can start here: an IDR picture, or any random access picture of HEVC
	Leading bool // shown before the random access picture it follows (HEVC)
	Sets    bool // it holds parameter sets
}

// walk visits the NAL units of b, each behind its length in 4 bytes. Empty ones
// are illegal and harmless, and left out.
func walk(b []byte, visit func(nal []byte)) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return fmt.Errorf("walk access unit: %w", ErrShort)
		}
		size := uint64(binary.BigEndian.Uint32(b))
		if b = b[4:]; size > uint64(len(b)) {
			return fmt.Errorf("walk access unit: NAL unit of %d bytes where %d are left", size, len(b))
		}
		if size > 0 {
			visit(b[:size:size])
		}
		b = b[size:]
	}
	return nil
}

// Inspect walks the NAL units of an access unit of H.264 or HEVC.
func Inspect(codec media.Codec, b []byte) (AccessUnit, error) {
	var au AccessUnit
	err := walk(b, func(nal []byte) {
		switch nalType(codec, nal) {
		case sliceSync:
			au.Picture, au.Sync = true, true
		case sliceLeading:
			au.Picture, au.Leading = true, true
		case slice:
			au.Picture = true
		case setVPS, setSPS, setPPS:
			au.Sets = true
		default:
		}
	})
	if err != nil {
		return AccessUnit{}, err
	}
	return au, nil
}

// class is what matters of a NAL unit's type.
type class uint8

const (
	other class = iota
	slice
	sliceSync
	sliceLeading
	setVPS
	setSPS
	setPPS
)

func nalType(codec media.Codec, nal []byte) class {
	if codec == media.HEVC {
		return hevcType(h265.NALUType(nal[0] >> 1 & 0x3f))
	}
	return avcType(h264.NALUType(nal[0] & 0x1f))
}

func avcType(t h264.NALUType) class {
	switch t {
	case h264.NALUTypeIDR:
		return sliceSync
	case h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA:
		return slice
	case h264.NALUTypeSPS:
		return setSPS
	case h264.NALUTypePPS:
		return setPPS
	default:
		return other
	}
}

// hevcType classifies by ranges: ITU-T H.265, table 7-1 gives slices the types 0
// to 31, those of random access pictures (7.4.2.2, IRAP) 16 to 23, and leading
// pictures 6 to 9.
func hevcType(t h265.NALUType) class {
	switch {
	case t >= h265.NALUType_RADL_N && t <= h265.NALUType_RASL_R:
		return sliceLeading
	case t >= h265.NALUType_BLA_W_LP && t <= h265.NALUType_CRA_NUT:
		return sliceSync
	case t < h265.NALUType_VPS_NUT:
		return slice
	case t == h265.NALUType_VPS_NUT:
		return setVPS
	case t == h265.NALUType_SPS_NUT:
		return setSPS
	case t == h265.NALUType_PPS_NUT:
		return setPPS
	}
	return other
}

// setID returns the id of a parameter set, by which a later one replaces it.
func setID(codec media.Codec, nal []byte) (uint32, error) {
	if codec == media.HEVC {
		return hevcSetID(nal)
	}
	pos := 8 // behind the NAL unit's header
	if avcType(h264.NALUType(nal[0]&0x1f)) == setSPS {
		pos += 24 // profile_idc, constraint flags, level_idc
	}
	return golomb(nal, pos)
}

func hevcSetID(nal []byte) (uint32, error) {
	switch hevcType(h265.NALUType(nal[0] >> 1 & 0x3f)) {
	case setVPS:
		if len(nal) < 3 {
			return 0, ErrShort
		}
		return uint32(nal[2] >> 4), nil
	case setSPS:
		var sps h265.SPS
		err := sps.Unmarshal(nal)
		return uint32(sps.ID), err
	default:
		return golomb(nal, 16)
	}
}

// golomb reads an Exp-Golomb code near the start of a NAL unit.
func golomb(nal []byte, pos int) (uint32, error) {
	b := h264.EmulationPreventionRemove(nal[:min(len(nal), 16)])
	if pos >= 8*len(b) { // mediacommon panics there
		return 0, ErrShort
	}
	return bits.ReadGolombUnsigned(b, &pos)
}
