package flv

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"barrage/packager/media"
)

// Audio is one audio message.
type Audio struct {
	Packet Packet
	Track  media.TrackID
	Data   []byte // AudioSpecificConfig or one raw AAC frame; slices into the message
}

// Sound formats of the legacy header (FLV v10.1, E.4.2.1).
const (
	soundAAC = 10
	soundEx  = 9 // the Enhanced RTMP header follows
)

// Audio packet types of the Enhanced RTMP header beyond the shared ones.
const exAudioMultitrack = 5

// ParseAudio reads the body of an audio message. Errors: ErrShort,
// *UnsupportedError.
func ParseAudio(b []byte) (Audio, error) {
	if len(b) < 1 {
		return Audio{}, ErrShort
	}
	switch format := b[0] >> 4; format {
	case soundEx:
		return parseExAudio(b)
	case soundAAC:
	default:
		return Audio{}, &UnsupportedError{Kind: media.Audio, Codec: legacyAudioName(format)}
	}
	if len(b) < 2 {
		return Audio{}, ErrShort
	}
	a := Audio{Data: b[2:]}
	switch b[1] {
	case 0:
		a.Packet = Config
	case 1:
		a.Packet = Frame
	}
	return a, nil
}

func parseExAudio(b []byte) (Audio, error) {
	h, err := parseEx(b[0]&0x0f, exAudioMultitrack, b[1:])
	if err != nil {
		return Audio{}, err
	}
	if h.fourCC != "mp4a" {
		return Audio{}, &UnsupportedError{Kind: media.Audio, Codec: codecName(h.fourCC)}
	}
	a := Audio{Track: h.track, Data: h.rest}
	switch h.packetType {
	case exSequenceStart:
		a.Packet = Config
	case exCodedFrames:
		a.Packet = Frame
	case exSequenceEnd:
		a.Packet = End
	}
	return a, nil
}

func legacyAudioName(format byte) string {
	switch format {
	case 0, 3:
		return "PCM"
	case 1:
		return "ADPCM"
	case 2, 14:
		return "MP3"
	case 4, 5, 6:
		return "Nellymoser"
	case 7, 8:
		return "G.711"
	case 11:
		return "Speex"
	}
	return "number " + decimal(format)
}

func decimal(b byte) string { return strconv.Itoa(int(b)) }

// Bounds of an AudioSpecificConfig that makes sense.
const (
	maxAudioConfig = 64 // bytes
	minSampleRate  = 7350
	maxSampleRate  = 96000
)

var errNoLayout = errors.New("parse audio config: a channel layout in a program config element is not carried: set the encoder to mono, stereo or 5.1")

// AudioTrack describes the AAC track whose AudioSpecificConfig (ISO/IEC
// 14496-3, 1.6.2.1) is given. The track keeps config. Times are milliseconds.
func AudioTrack(config []byte) (media.Track, error) {
	if len(config) > maxAudioConfig {
		return media.Track{}, fmt.Errorf("parse audio config: %d bytes, at most %d make sense", len(config), maxAudioConfig)
	}
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(config); err != nil {
		return media.Track{}, fmt.Errorf("parse audio config: %w", err)
	}
	channels := int(c.ChannelConfig)
	switch channels {
	case 0:
		return media.Track{}, errNoLayout
	case 7:
		channels = 8
	}
	rate := max(c.SampleRate, c.ExtensionSampleRate)
	if c.SampleRate < minSampleRate || rate > maxSampleRate {
		return media.Track{}, fmt.Errorf("parse audio config: sampling rate %d Hz, want %d to %d", rate, minSampleRate, maxSampleRate)
	}
	return media.Track{
		Kind: media.Audio, Codec: media.AAC, TimeScale: TimeScale, Config: config,
		SampleRate: uint32(rate), Channels: channels,
	}, nil
}
