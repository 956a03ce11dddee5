package fmp4

import "errors"

// Object type indications of audio (ISO/IEC 14496-1, table 5).
const (
	indicationMPEG4 = 0x40
	indicationMPEG2 = 0x69 // ISO/IEC 13818-3: the low sampling rates
	indicationMPEG1 = 0x6b // ISO/IEC 11172-3
)

var errNotMP3 = errors.New("parse MP3 header: not the 4 bytes of a frame of layer III")

// mp3Indication returns the object type of the frames whose header is given.
// MPEG 2.5, which no standard knows, goes with MPEG-2 as everywhere.
func mp3Indication(header []byte) (byte, error) {
	if len(header) != 4 || header[0] != 0xff || header[1]&0xe6 != 0xe2 {
		return 0, errNotMP3
	}
	if header[1]>>3&3 == 3 {
		return indicationMPEG1, nil
	}
	return indicationMPEG2, nil
}
