package flv

import (
	"errors"
	"fmt"

	"barrage/packager/media"
)

// Packet types that the Enhanced RTMP headers of video and audio share
// (E-RTMP v2, VideoPacketType and AudioPacketType).
const (
	exSequenceStart = 0
	exCodedFrames   = 1
	exSequenceEnd   = 2
	exModEx         = 7
)

// Kinds of multitrack messages (E-RTMP v2, AvMultitrackType).
const (
	oneTrack         = 0
	manyTracks       = 1
	manyTracksCodecs = 2
)

// maxTracks bounds the tracks of one message: their ids have eight bits.
const maxTracks = 256

// Errors of the Enhanced RTMP header.
var (
	errMultitrack = errors.New("read multitrack message: reserved kind of multitrack")
	errNested     = errors.New("read multitrack message: multitrack within multitrack")
	errManyTracks = errors.New("read multitrack message: more than 256 tracks")
)

// dialect is where the Enhanced RTMP headers of video and audio differ.
type dialect struct {
	multitrack byte                                            // the packet type that announces several tracks
	coding     func(fourCC [4]byte) coding                     // the codec it names
	fill       func(p Packet, packetType byte) (Packet, error) // reads the rest of the header out of p.Data
}

// coding is a codec as a header names it.
type coding struct {
	codec media.Codec
	name  string
}

// appendEx reads the Enhanced RTMP header whose first packet type is given and
// whose remaining bytes are b, and appends a packet for every track in it.
func (d dialect) appendEx(dst []Packet, packetType byte, b []byte) ([]Packet, error) {
	packetType, b, err := skipModifiers(packetType, b)
	if err != nil {
		return dst, err
	}
	if packetType != d.multitrack {
		c, rest, err := d.fourCC(b)
		if err != nil {
			return dst, err
		}
		return d.append(dst, packetType, Packet{Codec: c.codec, Name: c.name, Data: rest})
	}
	if len(b) < 1 {
		return dst, ErrShort
	}
	kind, packetType := b[0]>>4, b[0]&0x0f
	switch {
	case kind > manyTracksCodecs:
		return dst, errMultitrack
	case packetType == d.multitrack: // "This fetch MUST not result in a VideoPacketType.Multitrack"
		return dst, errNested
	}
	return d.appendTracks(dst, kind, packetType, b[1:])
}

// appendTracks reads the body of a multitrack message:
//
//	if (multitrackType != ManyTracksManyCodecs) fourCc = FOURCC
//	while (bytes remain) {
//	  if (multitrackType == ManyTracksManyCodecs) fourCc = FOURCC
//	  trackId = UI8
//	  if (multitrackType != OneTrack) sizeOfTrack = UI24
//	  ...
//	}
func (d dialect) appendTracks(dst []Packet, kind, packetType byte, b []byte) ([]Packet, error) {
	var c coding
	var err error
	if kind != manyTracksCodecs {
		if c, b, err = d.fourCC(b); err != nil {
			return dst, err
		}
	}
	out := dst
	for range maxTracks {
		if kind == manyTracksCodecs {
			if c, b, err = d.fourCC(b); err != nil {
				return dst, err
			}
		}
		if len(b) < 1 {
			return dst, ErrShort
		}
		p := Packet{Codec: c.codec, Name: c.name, Track: media.TrackID(b[0])}
		if p.Data, b, err = trackBody(kind, b[1:]); err != nil {
			return dst, err
		}
		if out, err = d.append(out, packetType, p); err != nil {
			return dst, err
		}
		if len(b) == 0 {
			return out, nil
		}
	}
	return dst, errManyTracks
}

// trackBody splits the bytes of one track from those of the next.
func trackBody(kind byte, b []byte) (body, rest []byte, err error) {
	if kind == oneTrack {
		return b, nil, nil
	}
	if len(b) < 3 {
		return nil, nil, ErrShort
	}
	size := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	if b = b[3:]; size > len(b) {
		return nil, nil, ErrShort
	}
	return b[:size:size], b[size:], nil
}

func (d dialect) append(dst []Packet, packetType byte, p Packet) ([]Packet, error) {
	p, err := d.fill(p, packetType)
	if err != nil {
		return dst, err
	}
	return append(dst, p), nil
}

func (d dialect) fourCC(b []byte) (coding, []byte, error) {
	if len(b) < 4 {
		return coding{}, nil, ErrShort
	}
	return d.coding([4]byte(b)), b[4:], nil
}

// skipModifiers reads past the modifiers before the packet type proper.
//
// E-RTMP v2: "while (packetType == ModEx) { modExDataSize = UI8 + 1; if
// (modExDataSize == 256) modExDataSize = UI16 + 1; ... modExType = UB[4];
// packetType = UB[4] }".
func skipModifiers(packetType byte, b []byte) (byte, []byte, error) {
	for packetType == exModEx {
		if len(b) < 1 {
			return 0, nil, ErrShort
		}
		size, head := int(b[0])+1, 1
		if size == 256 {
			if len(b) < 3 {
				return 0, nil, ErrShort
			}
			size, head = int(b[1])<<8|int(b[2])+1, 3
		}
		if len(b) < head+size+1 {
			return 0, nil, ErrShort
		}
		packetType = b[head+size] & 0x0f
		b = b[head+size+1:]
	}
	return packetType, b, nil
}

// unknown names a FourCC that nobody has given a name.
func unknown(fourCC [4]byte) coding { return coding{name: fmt.Sprintf("%q", fourCC[:])} }
