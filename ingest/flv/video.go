package flv

import (
	"strconv"

	"barrage/packager/media"
)

// Codec ids of the legacy header (FLV v10.1, E.4.3.1), and two that encoders of
// one region added.
const (
	videoAVC  = 7
	videoHEVC = 12
	videoAV1  = 13
)

// frameCommand marks a message with a command instead of a picture.
const frameCommand = 5

// Video packet types of the Enhanced RTMP header beyond the shared ones.
const (
	exVideoCodedFramesX = 3 // coded frames whose composition time is zero
	exVideoMetadata     = 4
	exVideoMultitrack   = 6
)

// AppendVideo reads the body of a video message and appends what it carries:
// nothing for a command, one packet, or one for each track of a multitrack
// message. On an error nothing is appended.
func AppendVideo(dst []Packet, b []byte) ([]Packet, error) {
	if len(b) < 1 {
		return dst, ErrShort
	}
	if b[0]&0x80 != 0 {
		return appendExVideo(dst, b)
	}
	if b[0]>>4 == frameCommand {
		return dst, nil
	}
	c := legacyVideo(b[0] & 0x0f)
	p := Packet{Codec: c.codec, Name: c.name, Type: Frame}
	if c.codec == 0 {
		return append(dst, p), nil
	}
	if len(b) < 5 {
		return dst, ErrShort
	}
	p.CTS, p.Data = si24(b[2:5]), b[5:]
	switch b[1] {
	case 0:
		p.Type, p.CTS = Config, 0
	case 1:
	case 2:
		p.Type = End
	default:
		p.Type = Ignored
	}
	return append(dst, p), nil
}

// appendExVideo reads "UB[1] isExHeader, UB[3] videoFrameType, UB[4]
// videoPacketType" and what follows (E-RTMP v2, ExVideoTagHeader). Of the frame
// type only the command is believed: "if (videoPacketType !=
// VideoPacketType.Metadata && videoFrameType == VideoFrameType.Command)".
func appendExVideo(dst []Packet, b []byte) ([]Packet, error) {
	packetType := b[0] & 0x0f
	if b[0]>>4&0x07 == frameCommand && packetType != exVideoMetadata {
		return dst, nil
	}
	d := dialect{multitrack: exVideoMultitrack, coding: videoCoding, fill: fillVideo}
	return d.appendEx(dst, packetType, b[1:])
}

func fillVideo(p Packet, packetType byte) (Packet, error) {
	switch packetType {
	case exSequenceStart:
		p.Type = Config
	case exCodedFrames:
		p.Type = Frame
		if p.Codec == 0 {
			return p, nil
		}
		// For AVC, HEVC and VVC "compositionTimeOffset = SI24" comes first.
		if len(p.Data) < 3 {
			return Packet{}, ErrShort
		}
		p.CTS, p.Data = si24(p.Data), p.Data[3:]
	case exVideoCodedFramesX:
		p.Type = Frame
	case exSequenceEnd:
		p.Type = End
	}
	return p, nil
}

// si24 reads a signed 24-bit number from the first three bytes of b.
func si24(b []byte) int32 {
	return int32(uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8) >> 8
}

func videoCoding(fourCC [4]byte) coding {
	switch string(fourCC[:]) {
	case "avc1":
		return coding{media.H264, "H.264"}
	case "hvc1":
		return coding{media.HEVC, "HEVC"}
	case "vvc1":
		return coding{name: "VVC"}
	case "av01":
		return coding{name: "AV1"}
	case "vp08":
		return coding{name: "VP8"}
	case "vp09":
		return coding{name: "VP9"}
	}
	return unknown(fourCC)
}

func legacyVideo(id byte) coding {
	switch id {
	case videoAVC:
		return coding{media.H264, "H.264"}
	case videoHEVC:
		return coding{media.HEVC, "HEVC"}
	case 2:
		return coding{name: "Sorenson H.263"}
	case 3, 6:
		return coding{name: "Screen Video"}
	case 4, 5:
		return coding{name: "VP6"}
	case videoAV1:
		return coding{name: "AV1"}
	}
	return coding{name: "number " + strconv.Itoa(int(id))}
}
