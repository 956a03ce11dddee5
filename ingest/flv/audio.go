package flv

import (
	"errors"
	"fmt"
	"strconv"

	"barrage/packager/media"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// Sound formats of the legacy header (FLV v10.1, E.4.2.1).
const (
	soundMP3  = 2
	soundEx   = 9 // the Enhanced RTMP header follows
	soundAAC  = 10
	soundMP38 = 14 // MP3 at 8 kHz, which the rate field cannot say
)

// Audio packet types of the Enhanced RTMP header beyond the shared ones.
const exAudioMultitrack = 5

// AppendAudio reads the body of an audio message and appends what it carries:
// one packet, or one for each track of a multitrack message. On an error nothing
// is appended.
func AppendAudio(dst []Packet, b []byte) ([]Packet, error) {
	if len(b) < 1 {
		return dst, ErrShort
	}
	format := b[0] >> 4
	if format == soundEx {
		d := dialect{multitrack: exAudioMultitrack, coding: audioCoding, fill: fillAudio}
		return d.appendEx(dst, b[0]&0x0f, b[1:])
	}
	c := legacyAudio(format)
	p := Packet{Type: Frame, Codec: c.codec, Name: c.name, Data: b[1:]}
	if format != soundAAC { // no other has a packet type, and none a configuration
		return append(dst, p), nil
	}
	if len(b) < 2 {
		return dst, ErrShort
	}
	p.Data = b[2:]
	switch b[1] {
	case 0:
		p.Type = Config
	case 1:
	default:
		p.Type = Ignored
	}
	return append(dst, p), nil
}

func fillAudio(p Packet, packetType byte) (Packet, error) {
	switch packetType {
	case exSequenceStart:
		p.Type = Config
	case exCodedFrames:
		p.Type = Frame
	case exSequenceEnd:
		p.Type = End
	}
	return p, nil
}

func audioCoding(fourCC [4]byte) coding {
	switch string(fourCC[:]) {
	case "mp4a":
		return coding{media.AAC, "AAC"}
	case ".mp3":
		return coding{media.MP3, "MP3"}
	case "Opus":
		return coding{name: "Opus"}
	case "fLaC":
		return coding{name: "FLAC"}
	case "ac-3":
		return coding{name: "AC-3"}
	case "ec-3":
		return coding{name: "E-AC-3"}
	}
	return unknown(fourCC)
}

func legacyAudio(format byte) coding {
	switch format {
	case soundAAC:
		return coding{media.AAC, "AAC"}
	case soundMP3, soundMP38:
		return coding{media.MP3, "MP3"}
	case 0, 3:
		return coding{name: "PCM"}
	case 1:
		return coding{name: "ADPCM"}
	case 4, 5, 6:
		return coding{name: "Nellymoser"}
	case 7, 8:
		return coding{name: "G.711"}
	case 11:
		return coding{name: "Speex"}
	}
	return coding{name: "number " + strconv.Itoa(int(format))}
}

// Bounds of an AudioSpecificConfig that makes sense.
const (
	maxAudioConfig = 64 // bytes
	minSampleRate  = 7350
	maxSampleRate  = 96000
)

var errNoLayout = errors.New("parse audio config: a channel layout in a program config element is not carried: set the encoder to mono, stereo or 5.1")

// AACTrack describes the AAC track whose AudioSpecificConfig (ISO/IEC 14496-3,
// 1.6.2.1) is given. The track keeps config. Times are milliseconds.
func AACTrack(config []byte) (media.Track, error) {
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
