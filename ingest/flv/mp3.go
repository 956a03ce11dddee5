package flv

import (
	"errors"
	"fmt"

	"barrage/packager/media"
)

// MP3Frame is one frame of MPEG audio layer III: the head of an access unit.
type MP3Frame struct {
	SampleRate uint32
	Channels   int
	Samples    int // per channel
	Size       int // bytes of the whole frame; 0: unknown (free format)

	config [4]byte
}

// Errors of ParseMP3.
var (
	errNoSync   = errors.New("parse MP3 frame: no sync word")
	errReserved = errors.New("parse MP3 frame: reserved version, sampling rate or bitrate")
)

const mp3Header = 4 // bytes

// ParseMP3 reads the header of a frame (ISO/IEC 11172-3, 2.4.1.3 and 13818-3,
// 2.4.1; version 2.5 is a custom that everybody follows). Errors: ErrShort,
// *UnsupportedError for another layer.
func ParseMP3(b []byte) (MP3Frame, error) {
	if len(b) < mp3Header {
		return MP3Frame{}, fmt.Errorf("parse MP3 frame: %w", ErrShort)
	}
	if b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return MP3Frame{}, errNoSync
	}
	version, layer := b[1]>>3&3, b[1]>>1&3 // version 3: MPEG-1, 2: MPEG-2, 0: 2.5
	bitrate, rate := b[2]>>4, b[2]>>2&3
	if layer != 1 {
		return MP3Frame{}, layerError(layer)
	}
	if version == 1 || rate == 3 || bitrate == 15 {
		return MP3Frame{}, errReserved
	}
	f := MP3Frame{SampleRate: [...]uint32{44100, 48000, 32000}[rate], Channels: 2, Samples: 1152}
	switch version {
	case 2:
		f.SampleRate, f.Samples = f.SampleRate/2, 576
	case 0:
		f.SampleRate, f.Samples = f.SampleRate/4, 576
	}
	mode := b[3] & 0xc0
	if mode == 0xc0 {
		f.Channels = 1
	} else {
		mode = 0 // stereo and joint stereo change from frame to frame
	}
	if kbps := mp3Bitrate(version, bitrate); kbps > 0 {
		f.Size = f.Samples/8*kbps*1000/int(f.SampleRate) + int(b[2]>>1&1)
	}
	f.config = [4]byte{0xff, b[1] | 1, b[2] & 0x0c, mode}
	return f, nil
}

func layerError(layer byte) error {
	switch layer {
	case 2:
		return &UnsupportedError{Kind: media.Audio, Codec: "MPEG audio layer II"}
	case 3:
		return &UnsupportedError{Kind: media.Audio, Codec: "MPEG audio layer I"}
	}
	return errReserved
}

// mp3Bitrate returns kilobits per second, 0 for free format.
func mp3Bitrate(version, index byte) int {
	if version == 3 {
		return [...]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}[index]
	}
	return [...]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}[index]
}

// CutMP3 splits the first frame off the payload of a message. What follows it
// belongs to it unless it is another frame of the same kind.
func CutMP3(b []byte) (f MP3Frame, frame, rest []byte, err error) {
	if f, err = ParseMP3(b); err != nil {
		return MP3Frame{}, nil, nil, err
	}
	if f.Size >= mp3Header && f.Size < len(b) {
		if next, err := ParseMP3(b[f.Size:]); err == nil && next.config == f.config {
			return f, b[:f.Size:f.Size], b[f.Size:], nil
		}
	}
	return f, b, nil, nil
}

// Is reports whether a track's Config is that of the frame.
func (f MP3Frame) Is(config []byte) bool { return string(f.config[:]) == string(config) }

// Track describes the track of the frame. Times are milliseconds.
func (f MP3Frame) Track() media.Track {
	return media.Track{
		Kind: media.Audio, Codec: media.MP3, TimeScale: TimeScale, Config: f.config[:],
		SampleRate: f.SampleRate, Channels: f.Channels,
	}
}
