package flv_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"barrage/ingest/flv"
	"barrage/packager/media"
)

// unhex reads hex with spaces.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("bad hex in test %q: %v", s, err)
	}
	return b
}

// Bodies of video messages that are good.
var videoCases = []struct {
	name, body string
	want       flv.Video
}{
	{"sequence header", "17 00 000000 0142", flv.Video{Packet: flv.Config, Data: []byte{1, 0x42}}},
	{"composition time of a header is ignored", "17 00 000005 01", flv.Video{Packet: flv.Config, Data: []byte{1}}},
	{"key picture", "17 01 000021 aabb", flv.Video{Packet: flv.Frame, CTS: 33, Data: []byte{0xaa, 0xbb}}},
	{"negative composition time", "27 01 ffffdf aa", flv.Video{Packet: flv.Frame, CTS: -33, Data: []byte{0xaa}}},
	{"most negative composition time", "27 01 800000", flv.Video{Packet: flv.Frame, CTS: -1 << 23, Data: []byte{}}},
	{"frame type 0", "07 01 000000 aa", flv.Video{Packet: flv.Frame, Data: []byte{0xaa}}},
	{"end of sequence", "17 02 000000", flv.Video{Packet: flv.End, Data: []byte{}}},
	{"unknown AVC packet", "17 09 000000 aa", flv.Video{Packet: flv.Ignored, Data: []byte{0xaa}}},
	{"command frame", "57 00", flv.Video{}},
	{"enhanced sequence start", "90 61766331 0142", flv.Video{Packet: flv.Config, Data: []byte{1, 0x42}}},
	{"enhanced coded frames", "91 61766331 ffffff aa", flv.Video{Packet: flv.Frame, CTS: -1, Data: []byte{0xaa}}},
	{"enhanced coded frames x", "a3 61766331 aabbccdd", flv.Video{Packet: flv.Frame, Data: []byte{0xaa, 0xbb, 0xcc, 0xdd}}},
	{"enhanced sequence end", "92 61766331", flv.Video{Packet: flv.End, Data: []byte{}}},
	{"enhanced metadata", "94 61766331 aa", flv.Video{Packet: flv.Ignored, Data: []byte{0xaa}}},
	{"enhanced command frame", "d0 00", flv.Video{}},
	{"multitrack, one track", "96 00 61766331 02 0142", flv.Video{Packet: flv.Config, Track: 2, Data: []byte{1, 0x42}}},
	{"multitrack, coded frames x", "a6 03 61766331 01 aa", flv.Video{Packet: flv.Frame, Track: 1, Data: []byte{0xaa}}},
	{"nanosecond modifier", "97 02 000001 03 61766331 aa", flv.Video{Packet: flv.Frame, Data: []byte{0xaa}}},
	{"two modifiers", "97 00 ff 07 00 ff 00 61766331 01", flv.Video{Packet: flv.Config, Data: []byte{1}}},
	{"long modifier", "97 ff 0000 ee 00 61766331 01", flv.Video{Packet: flv.Config, Data: []byte{1}}},
}

func TestParseVideo(t *testing.T) {
	for _, c := range videoCases {
		got, err := flv.ParseVideo(unhex(t, c.body))
		if err != nil || got.Packet != c.want.Packet || got.Track != c.want.Track || got.CTS != c.want.CTS || !bytes.Equal(got.Data, c.want.Data) {
			t.Errorf("%s: ParseVideo(%s) = %+v, %v, want %+v", c.name, c.body, got, err, c.want)
		}
	}
}

// Bodies of audio messages that are good.
var audioCases = []struct {
	name, body string
	want       flv.Audio
}{
	{"sequence header", "af 00 1210", flv.Audio{Packet: flv.Config, Data: []byte{0x12, 0x10}}},
	{"raw frame", "af 01 21aa", flv.Audio{Packet: flv.Frame, Data: []byte{0x21, 0xaa}}},
	{"unknown AAC packet", "af 07 21", flv.Audio{Packet: flv.Ignored, Data: []byte{0x21}}},
	{"enhanced sequence start", "90 6d703461 1210", flv.Audio{Packet: flv.Config, Data: []byte{0x12, 0x10}}},
	{"enhanced coded frames", "91 6d703461 21", flv.Audio{Packet: flv.Frame, Data: []byte{0x21}}},
	{"enhanced sequence end", "92 6d703461", flv.Audio{Packet: flv.End, Data: []byte{}}},
	{"channel layout", "94 6d703461 0102", flv.Audio{Packet: flv.Ignored, Data: []byte{1, 2}}},
	{"multitrack, one track", "95 01 6d703461 01 21", flv.Audio{Packet: flv.Frame, Track: 1, Data: []byte{0x21}}},
}

func TestParseAudio(t *testing.T) {
	for _, c := range audioCases {
		got, err := flv.ParseAudio(unhex(t, c.body))
		if err != nil || got.Packet != c.want.Packet || got.Track != c.want.Track || !bytes.Equal(got.Data, c.want.Data) {
			t.Errorf("%s: ParseAudio(%s) = %+v, %v, want %+v", c.name, c.body, got, err, c.want)
		}
	}
}

func TestShort(t *testing.T) {
	for _, c := range videoCases {
		full := unhex(t, c.body)
		for n := range len(full) - len(c.want.Data) {
			if c.want.Packet == flv.Ignored && n >= 1 {
				continue // the rest of what is ignored is not looked at
			}
			if _, err := flv.ParseVideo(full[:n]); !errors.Is(err, flv.ErrShort) {
				t.Errorf("%s: ParseVideo(%x) = %v, want ErrShort", c.name, full[:n], err)
			}
		}
	}
	for _, c := range audioCases {
		full := unhex(t, c.body)
		for n := range len(full) - len(c.want.Data) {
			if _, err := flv.ParseAudio(full[:n]); !errors.Is(err, flv.ErrShort) {
				t.Errorf("%s: ParseAudio(%x) = %v, want ErrShort", c.name, full[:n], err)
			}
		}
	}
}

func TestUnsupported(t *testing.T) {
	for body, want := range map[string]string{
		"12 00":                "video codec Sorenson H.263 is not carried: set the encoder to H.264",
		"13 00":                "video codec Screen Video is not carried: set the encoder to H.264",
		"14 00":                "video codec VP6 is not carried: set the encoder to H.264",
		"1c 00 000000":         "video codec HEVC is not carried: set the encoder to H.264",
		"1d 00 000000":         "video codec AV1 is not carried: set the encoder to H.264",
		"1f 00 000000":         "video codec number 15 is not carried: set the encoder to H.264",
		"90 68766331 01":       "video codec HEVC is not carried: set the encoder to H.264",
		"90 61763031 01":       "video codec AV1 is not carried: set the encoder to H.264",
		"90 76703039 01":       "video codec VP9 is not carried: set the encoder to H.264",
		"90 00ff0a20 01":       `video codec "\x00\xff\n " is not carried: set the encoder to H.264`,
		"audio 2f ff":          "audio codec MP3 is not carried: set the encoder to AAC",
		"audio 00 ff":          "audio codec PCM is not carried: set the encoder to AAC",
		"audio 5f ff":          "audio codec Nellymoser is not carried: set the encoder to AAC",
		"audio 7f ff":          "audio codec G.711 is not carried: set the encoder to AAC",
		"audio bf ff":          "audio codec Speex is not carried: set the encoder to AAC",
		"audio cf ff":          "audio codec number 12 is not carried: set the encoder to AAC",
		"audio 90 4f707573 01": "audio codec Opus is not carried: set the encoder to AAC",
		"audio 90 664c6143":    "audio codec FLAC is not carried: set the encoder to AAC",
		"audio 90 61632d33":    "audio codec AC-3 is not carried: set the encoder to AAC",
	} {
		var err error
		if audio, ok := strings.CutPrefix(body, "audio "); ok {
			_, err = flv.ParseAudio(unhex(t, audio))
		} else {
			_, err = flv.ParseVideo(unhex(t, body))
		}
		var unsupported *flv.UnsupportedError
		if !errors.As(err, &unsupported) || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestManyTracksAreRefused(t *testing.T) {
	if _, err := flv.ParseVideo(unhex(t, "96 10 61766331 00 000001 aa")); err == nil || !strings.Contains(err.Error(), "one track per message") {
		t.Errorf("many tracks: %v, want advice", err)
	}
}

// checkInside fails unless data is part of b.
func checkInside(t *testing.T, b, data []byte) {
	t.Helper()
	if len(data) > len(b) || !bytes.HasSuffix(b, data) {
		t.Errorf("payload %x is not the end of the message %x", data, b)
	}
}

func FuzzParseVideo(f *testing.F) {
	for _, c := range videoCases {
		f.Add(unhex(f, c.body))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := flv.ParseVideo(b)
		if err != nil {
			return
		}
		checkInside(t, b, v.Data)
		if v.CTS < -1<<23 || v.CTS >= 1<<23 {
			t.Errorf("composition time %d does not fit 24 bits", v.CTS)
		}
	})
}

func FuzzParseAudio(f *testing.F) {
	for _, c := range audioCases {
		f.Add(unhex(f, c.body))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := flv.ParseAudio(b)
		if err != nil {
			return
		}
		checkInside(t, b, a.Data)
		if a.Packet == flv.Config {
			if track, err := flv.AudioTrack(a.Data); err == nil && (track.SampleRate == 0 || track.Channels == 0 || track.Kind != media.Audio) {
				t.Errorf("AudioTrack(%x) = %+v", a.Data, track)
			}
		}
	})
}
