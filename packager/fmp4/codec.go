package fmp4

import (
	"fmt"

	"barrage/packager/media"
)

// CodecString gives the track's entry in the CODECS attribute (RFC 6381, 3.3).
func CodecString(t media.Track) (string, error) {
	switch t.Codec {
	case media.H264:
		c, err := parseAVCConfig(t.Config)
		if err != nil {
			return "", fmt.Errorf("codec string: %w", err)
		}
		// profile_idc, constraint flags and level_idc from the SPS itself: the
		// copy at the head of avcC is what encoders get wrong.
		return fmt.Sprintf("avc1.%02x%02x%02x", c.sps[0][1], c.sps[0][2], c.sps[0][3]), nil
	case media.HEVC:
		c, err := parseHEVCConfig(t.Config)
		if err != nil {
			return "", fmt.Errorf("codec string: %w", err)
		}
		return hevcString(c.profile), nil
	case media.MP3:
		if _, err := mp3Indication(t.Config); err != nil {
			return "", fmt.Errorf("codec string: %w", err)
		}
		return "mp4a.40.34", nil // MPEG-4's object type for layer III
	case media.AAC:
		c, err := parseAACConfig(t.Config)
		if err != nil {
			return "", fmt.Errorf("codec string: %w", err)
		}
		return fmt.Sprintf("mp4a.40.%d", c.objectType), nil
	}
	return "", fmt.Errorf("codec string: no name for %v", t.Codec)
}
