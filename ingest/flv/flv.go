package flv

import (
	"errors"
	"fmt"

	"barrage/packager/media"
)

// Packet is what one message carries.
type Packet uint8

// The kinds of packets. Ignored is well formed and of no use to us (a command
// frame, colour information, a channel layout).
const (
	Ignored Packet = iota
	Config         // decoder configuration record
	Frame          // one access unit
	End            // end of sequence
)

// ErrShort says that a message ends before its header does.
var ErrShort = errors.New("message is too short")

// UnsupportedError names a codec that the server does not carry.
type UnsupportedError struct {
	Kind  media.Kind
	Codec string // for people: "HEVC", "MP3"
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s codec %s is not carried: set the encoder to %s", e.Kind, e.Codec, supported(e.Kind))
}

func supported(k media.Kind) string {
	if k == media.Video {
		return "H.264"
	}
	return "AAC"
}

// Packet types that the Enhanced RTMP headers of video and audio share
// (E-RTMP v2, VideoPacketType and AudioPacketType).
const (
	exSequenceStart = 0
	exCodedFrames   = 1
	exSequenceEnd   = 2
	exModEx         = 7
)

// Kinds of multitrack messages (E-RTMP v2, AvMultitrackType).
const oneTrack = 0

// exHeader is what both kinds of Enhanced RTMP headers come down to.
type exHeader struct {
	packetType byte
	fourCC     string
	track      media.TrackID
	rest       []byte
}

// parseEx reads the Enhanced RTMP header whose first packet type is given and
// whose remaining bytes are b. multitrack is the packet type that announces
// several tracks: 6 for video, 5 for audio.
//
// E-RTMP v2: "while (packetType == ModEx) { modExDataSize = UI8 + 1; if
// (modExDataSize == 256) modExDataSize = UI16 + 1; ... modExType = UB[4];
// packetType = UB[4] }".
func parseEx(packetType, multitrack byte, b []byte) (exHeader, error) {
	h := exHeader{packetType: packetType, rest: b}
	if err := h.skipModifiers(); err != nil {
		return exHeader{}, err
	}
	multi := h.packetType == multitrack
	if multi {
		if len(h.rest) < 1 {
			return exHeader{}, ErrShort
		}
		if h.rest[0]>>4 != oneTrack {
			return exHeader{}, errManyTracks
		}
		h.packetType = h.rest[0] & 0x0f
		h.rest = h.rest[1:]
	}
	if len(h.rest) < 4 {
		return exHeader{}, ErrShort
	}
	h.fourCC, h.rest = string(h.rest[:4]), h.rest[4:]
	if multi {
		if len(h.rest) < 1 {
			return exHeader{}, ErrShort
		}
		h.track, h.rest = media.TrackID(h.rest[0]), h.rest[1:]
	}
	return h, nil
}

var errManyTracks = errors.New("several tracks in one message are not carried: send one track per message")

func (h *exHeader) skipModifiers() error {
	for h.packetType == exModEx {
		if len(h.rest) < 1 {
			return ErrShort
		}
		size, head := int(h.rest[0])+1, 1
		if size == 256 {
			if len(h.rest) < 3 {
				return ErrShort
			}
			size, head = int(h.rest[1])<<8|int(h.rest[2])+1, 3
		}
		if len(h.rest) < head+size+1 {
			return ErrShort
		}
		h.packetType = h.rest[head+size] & 0x0f
		h.rest = h.rest[head+size+1:]
	}
	return nil
}

// codecName turns a FourCC into the name people use.
func codecName(fourCC string) string {
	switch fourCC {
	case "avc1":
		return "H.264"
	case "hvc1":
		return "HEVC"
	case "vvc1":
		return "VVC"
	case "av01":
		return "AV1"
	case "vp08":
		return "VP8"
	case "vp09":
		return "VP9"
	case "mp4a":
		return "AAC"
	case ".mp3":
		return "MP3"
	case "Opus":
		return "Opus"
	case "fLaC":
		return "FLAC"
	case "ac-3":
		return "AC-3"
	case "ec-3":
		return "E-AC-3"
	}
	return fmt.Sprintf("%q", fourCC)
}
