package flv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"barrage/packager/media"
)

// TimeScale is the ticks per second of everything RTMP carries.
const TimeScale = 1000

// Bounds of an H.264 configuration that makes sense.
const (
	maxSPS       = 1024  // bytes
	maxDimension = 16384 // luma samples, level 6.2
	maxFrameRate = 1000
)

// AVCConfig is the part of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15,
// 5.3.3.1) that we need.
type AVCConfig struct {
	SPS, PPS [][]byte // NAL units; slice into the record
}

// Errors of ParseAVCConfig.
var (
	errConfigVersion = errors.New("parse avcC: version is not 1")
	errConfigLength  = errors.New("parse avcC: NAL unit lengths that are not 4 bytes wide are not carried")
	errConfigEmpty   = errors.New("parse avcC: no parameter sets: the encoder must send them before the first picture")
)

// ParseAVCConfig reads an avcC.
func ParseAVCConfig(b []byte) (AVCConfig, error) {
	switch {
	case len(b) < 7:
		return AVCConfig{}, fmt.Errorf("parse avcC: %w", ErrShort)
	case b[0] != 1:
		return AVCConfig{}, errConfigVersion
	case b[4]&3 != 3: // lengthSizeMinusOne
		return AVCConfig{}, errConfigLength
	}
	sps, rest, err := parameterSets(b[6:], int(b[5]&0x1f))
	if err != nil {
		return AVCConfig{}, err
	}
	if len(rest) < 1 {
		return AVCConfig{}, fmt.Errorf("parse avcC: %w", ErrShort)
	}
	pps, _, err := parameterSets(rest[1:], int(rest[0]))
	if err != nil {
		return AVCConfig{}, err
	}
	if len(sps) == 0 || len(pps) == 0 {
		return AVCConfig{}, errConfigEmpty
	}
	return AVCConfig{SPS: sps, PPS: pps}, nil
}

func parameterSets(b []byte, n int) (sets [][]byte, rest []byte, err error) {
	for range n {
		if len(b) < 2 {
			return nil, nil, fmt.Errorf("parse avcC: %w", ErrShort)
		}
		size := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; size == 0 || size > len(b) {
			return nil, nil, fmt.Errorf("parse avcC: parameter set of %d bytes where %d are left", size, len(b))
		}
		sets = append(sets, b[:size])
		b = b[size:]
	}
	return sets, b, nil
}

// VideoTrack describes the H.264 track whose avcC is given: size and frame rate
// come from the SPS. The track keeps config. Times are milliseconds.
func VideoTrack(config []byte) (media.Track, error) {
	c, err := ParseAVCConfig(config)
	if err != nil {
		return media.Track{}, err
	}
	if len(c.SPS[0]) > maxSPS {
		return media.Track{}, fmt.Errorf("parse SPS: %d bytes, at most %d make sense", len(c.SPS[0]), maxSPS)
	}
	var sps h264.SPS
	if err = sps.Unmarshal(c.SPS[0]); err != nil {
		return media.Track{}, fmt.Errorf("parse SPS: %w", err)
	}
	width, height := sps.Width(), sps.Height()
	if width < 1 || height < 1 || width > maxDimension || height > maxDimension {
		return media.Track{}, fmt.Errorf("parse SPS: picture of %dx%d, at most %d each way", width, height, maxDimension)
	}
	return media.Track{
		Kind: media.Video, Codec: media.H264, TimeScale: TimeScale, Config: config,
		Width: width, Height: height, FrameRate: frameRate(sps.FPS()),
	}, nil
}

// frameRate returns fps, or 0 (unknown) when it cannot be true. A stream may
// state any 32-bit fraction, a zero denominator included.
func frameRate(fps float64) float64 {
	if math.IsNaN(fps) || fps <= 0 || fps > maxFrameRate {
		return 0
	}
	return fps
}

// AccessUnit is what the NAL units of one access unit say.
type AccessUnit struct {
	Picture bool // it holds at least one coded slice
	Sync    bool // it is an IDR picture: decoding can start here
}

// InspectAVC walks the NAL units of b, each behind its length in 4 bytes.
func InspectAVC(b []byte) (AccessUnit, error) {
	var au AccessUnit
	for len(b) > 0 {
		if len(b) < 4 {
			return AccessUnit{}, fmt.Errorf("walk access unit: %w", ErrShort)
		}
		size := uint64(binary.BigEndian.Uint32(b))
		if b = b[4:]; size > uint64(len(b)) {
			return AccessUnit{}, fmt.Errorf("walk access unit: NAL unit of %d bytes where %d are left", size, len(b))
		}
		if size > 0 { // an empty NAL unit is illegal and harmless
			au.add(h264.NALUType(b[0] & 0x1f))
		}
		b = b[size:]
	}
	return au, nil
}

func (au *AccessUnit) add(t h264.NALUType) {
	switch t {
	case h264.NALUTypeIDR:
		au.Picture, au.Sync = true, true
	case h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA:
		au.Picture = true
	default:
	}
}
