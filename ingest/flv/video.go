package flv

import "barrage/packager/media"

// Video is one video message.
type Video struct {
	Packet Packet
	Track  media.TrackID
	CTS    int32  // milliseconds; PTS = DTS + CTS, may be negative
	Data   []byte // avcC or access unit in AVCC form; slices into the message
}

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
	exVideoMultitrack   = 6
)

// ParseVideo reads the body of a video message. Errors: ErrShort,
// *UnsupportedError.
func ParseVideo(b []byte) (Video, error) {
	if len(b) < 1 {
		return Video{}, ErrShort
	}
	if b[0]&0x80 != 0 {
		return parseExVideo(b)
	}
	if b[0]>>4 == frameCommand {
		return Video{}, nil
	}
	if id := b[0] & 0x0f; id != videoAVC {
		return Video{}, &UnsupportedError{Kind: media.Video, Codec: legacyVideoName(id)}
	}
	if len(b) < 5 {
		return Video{}, ErrShort
	}
	v := Video{CTS: si24(b[2:5]), Data: b[5:]}
	switch b[1] {
	case 0:
		v.Packet, v.CTS = Config, 0
	case 1:
		v.Packet = Frame
	case 2:
		v.Packet = End
	}
	return v, nil
}

// parseExVideo reads "UB[1] isExHeader, UB[3] videoFrameType, UB[4]
// videoPacketType" and what follows (E-RTMP v2, ExVideoTagHeader).
func parseExVideo(b []byte) (Video, error) {
	if b[0]>>4&0x07 == frameCommand {
		return Video{}, nil
	}
	h, err := parseEx(b[0]&0x0f, exVideoMultitrack, b[1:])
	if err != nil {
		return Video{}, err
	}
	v := Video{Track: h.track, Data: h.rest}
	if h.fourCC != "avc1" {
		return Video{}, &UnsupportedError{Kind: media.Video, Codec: codecName(h.fourCC)}
	}
	switch h.packetType {
	case exSequenceStart:
		v.Packet = Config
	case exCodedFrames: // for AVC and HEVC, "compositionTimeOffset = SI24" comes first
		if len(h.rest) < 3 {
			return Video{}, ErrShort
		}
		v.Packet, v.CTS, v.Data = Frame, si24(h.rest), h.rest[3:]
	case exVideoCodedFramesX:
		v.Packet = Frame
	case exSequenceEnd:
		v.Packet = End
	}
	return v, nil
}

// si24 reads a signed 24-bit number from the first three bytes of b.
func si24(b []byte) int32 {
	return int32(uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8) >> 8
}

func legacyVideoName(id byte) string {
	switch id {
	case 2:
		return "Sorenson H.263"
	case 3, 6:
		return "Screen Video"
	case 4, 5:
		return "VP6"
	case videoHEVC:
		return "HEVC"
	case videoAV1:
		return "AV1"
	}
	return "number " + decimal(id)
}
