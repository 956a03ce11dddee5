package flv

import (
	"errors"
	"io"
	"math"
	"strings"
	"unicode"

	"barrage/ingest/amf0"
)

// Metadata is what an encoder promises in onMetaData. Zero means not promised.
// None of it is trusted where the bitstream says the same.
type Metadata struct {
	Video, Audio               bool    // such a track will come
	FrameRate                  float64 // frames per second
	VideoBitrate, AudioBitrate int     // bits per second
	Encoder                    string  // printable, at most 64 runes
}

const (
	maxEncoder = 64  // runes
	maxKbps    = 1e6 // a gigabit
)

// ParseMetadata reads the values of a data message: any number of names
// (@setDataFrame, onMetaData), then an object or an ECMA array. What was read
// before an error is returned with it.
func ParseMetadata(b []byte) (Metadata, error) {
	var m Metadata
	r := amf0.NewReader(b)
	for {
		v, err := r.Next()
		for _, member := range v.Members {
			m.set(member.Name, member.Value)
		}
		switch {
		case errors.Is(err, io.EOF):
			return m, nil
		case err != nil || v.Kind != amf0.String:
			return m, err
		}
	}
}

func (m *Metadata) set(name string, v amf0.Value) {
	switch name {
	case "videocodecid":
		m.Video = promised(v)
	case "audiocodecid":
		m.Audio = promised(v)
	case "framerate":
		m.FrameRate = frameRate(v.Number)
	case "videodatarate":
		m.VideoBitrate = bitrate(v.Number)
	case "audiodatarate":
		m.AudioBitrate = bitrate(v.Number)
	case "encoder":
		m.Encoder = printable(v.Text)
	}
}

// promised reports whether a codec id names a codec. OBS writes a number, other
// encoders a FourCC as text.
func promised(v amf0.Value) bool {
	return v.Kind == amf0.Number && v.Number != 0 || v.Text != ""
}

// bitrate turns the kilobits per second of onMetaData into bits per second.
func bitrate(kbps float64) int {
	if math.IsNaN(kbps) || kbps <= 0 || kbps > maxKbps {
		return 0
	}
	return int(kbps * 1000)
}

func printable(s string) string {
	n := 0
	return strings.Map(func(c rune) rune {
		if n++; n > maxEncoder || !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			return -1
		}
		return c
	}, s)
}
