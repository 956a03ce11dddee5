package flv

import (
	"errors"
	"fmt"
	"math"

	"barrage/packager/media"
)

// TimeScale is the ticks per second of everything RTMP carries.
const TimeScale = 1000

// Type is what one packet carries.
type Type uint8

// The types of packets. Ignored is well formed and of no use to us (colour
// information, a channel layout).
const (
	Ignored Type = iota
	Config       // decoder configuration record
	Frame        // one access unit; for MP3 any number of them
	End          // end of sequence
)

// Packet is what one message carries for one track.
type Packet struct {
	Type  Type
	Track media.TrackID
	Codec media.Codec // 0: one that the server does not carry
	Name  string      // of the codec, for people
	CTS   int32       // milliseconds; PTS = DTS + CTS, may be negative
	Data  []byte      // configuration record or access unit; slices into the message
}

// ErrShort says that a message ends before its header does.
var ErrShort = errors.New("message is too short")

// UnsupportedError names a codec that the server does not carry.
type UnsupportedError struct {
	Kind  media.Kind
	Codec string // for people: "AV1", "Opus"
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s codec %s is not carried: set the encoder to %s", e.Kind, e.Codec, advised(e.Kind))
}

// advised is the codec that every player has.
func advised(k media.Kind) string {
	if k == media.Video {
		return "H.264"
	}
	return "AAC"
}

// Bounds of what makes sense.
const (
	maxRecord    = 16 << 10 // bytes of a video configuration record
	maxSPS       = 1024     // bytes
	maxDimension = 16384    // luma samples each way, level 6.2 of both codecs
	maxFrameRate = 1000
)

// VideoTrack describes the H.264 or HEVC track whose configuration record is
// given: size and frame rate come from its first SPS. The track keeps config.
// Times are milliseconds.
func VideoTrack(codec media.Codec, config []byte) (media.Track, error) {
	r, err := ParseRecord(codec, config)
	if err != nil {
		return media.Track{}, err
	}
	if !r.Complete() {
		return media.Track{}, errNoSets
	}
	sps := r.SPS[0]
	if len(sps) > maxSPS {
		return media.Track{}, fmt.Errorf("parse SPS: %d bytes, at most %d make sense", len(sps), maxSPS)
	}
	describe := describeAVC
	if codec == media.HEVC {
		describe = describeHEVC
	}
	p, err := describe(sps)
	if err != nil {
		return media.Track{}, fmt.Errorf("parse SPS: %w", err)
	}
	if p.width < 1 || p.height < 1 || p.width > maxDimension || p.height > maxDimension {
		return media.Track{}, fmt.Errorf("parse SPS: picture of %dx%d, at most %d each way", p.width, p.height, maxDimension)
	}
	return media.Track{
		Kind: media.Video, Codec: codec, TimeScale: TimeScale, Config: config,
		Width: p.width, Height: p.height, FrameRate: frameRate(p.fps),
	}, nil
}

// picture is what an SPS says about the pictures.
type picture struct {
	width, height int
	fps           float64
}

// frameRate returns fps, or 0 (unknown) when it cannot be true. A stream may
// state any 32-bit fraction, a zero denominator included.
func frameRate(fps float64) float64 {
	if math.IsNaN(fps) || fps <= 0 || fps > maxFrameRate {
		return 0
	}
	return fps
}
