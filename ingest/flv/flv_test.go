package flv_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"barrage/ingest/flv"
	"barrage/packager/media"
)

// unhex reads hex with spaces.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatalf("bad hex in test %q: %v", s, err)
	}
	return b
}

// Bodies of video messages that are good, and what they carry.
var videoCases = []struct {
	name, body string
	want       []flv.Packet
}{
	{"sequence header", "17 00 000000 0142", avc(flv.Config, 0, 0, "0142")},
	{"composition time of a header is ignored", "17 00 000005 01", avc(flv.Config, 0, 0, "01")},
	{"key picture", "17 01 000021 aabb", avc(flv.Frame, 0, 33, "aabb")},
	{"negative composition time", "27 01 ffffdf aa", avc(flv.Frame, 0, -33, "aa")},
	{"most negative composition time", "27 01 800000", avc(flv.Frame, 0, -1<<23, "")},
	{"frame type 0", "07 01 000000 aa", avc(flv.Frame, 0, 0, "aa")},
	{"end of sequence", "17 02 000000", avc(flv.End, 0, 0, "")},
	{"unknown AVC packet", "17 09 000000 aa", avc(flv.Ignored, 0, 0, "aa")},
	{"command frame", "57 00", nil},
	{"HEVC under codec id 12", "1c 00 000000 01", hevc(flv.Config, 0, 0, "01")},
	{"HEVC picture under codec id 12", "2c 01 000042 aa", hevc(flv.Frame, 0, 66, "aa")},
	{"enhanced sequence start", "90 61766331 0142", avc(flv.Config, 0, 0, "0142")},
	{"enhanced coded frames", "91 61766331 ffffff aa", avc(flv.Frame, 0, -1, "aa")},
	{"enhanced coded frames x", "a3 61766331 aabbccdd", avc(flv.Frame, 0, 0, "aabbccdd")},
	{"enhanced frame type 0", "83 68766331 aa", hevc(flv.Frame, 0, 0, "aa")},
	{"enhanced HEVC", "91 68766331 000001 aa", hevc(flv.Frame, 0, 1, "aa")},
	{"enhanced sequence end", "92 61766331", avc(flv.End, 0, 0, "")},
	{"enhanced metadata", "94 61766331 aa", avc(flv.Ignored, 0, 0, "aa")},
	{"ffmpeg's metadata in a command frame", "d4 68766331 aa", hevc(flv.Ignored, 0, 0, "aa")},
	{"enhanced command frame", "d0 00", nil},
	{"AV1", "90 61763031 01", []flv.Packet{{Type: flv.Config, Name: "AV1", Data: []byte{1}}}},
	{"AV1 has no composition time", "91 61763031 aa", []flv.Packet{{Type: flv.Frame, Name: "AV1", Data: []byte{0xaa}}}},
	{"nanosecond modifier", "97 02 000001 03 61766331 aa", avc(flv.Frame, 0, 0, "aa")},
	{"two modifiers", "97 00 ff 07 00 ff 00 61766331 01", avc(flv.Config, 0, 0, "01")},
	{"long modifier", "97 ff 0000 ee 00 61766331 01", avc(flv.Config, 0, 0, "01")},
	{"multitrack, one track", "96 00 61766331 02 0142", avc(flv.Config, 2, 0, "0142")},
	{"multitrack, coded frames x", "a6 03 61766331 01 aa", avc(flv.Frame, 1, 0, "aa")},
	{"multitrack behind a modifier", "97 00 ff 06 03 61766331 01 aa", avc(flv.Frame, 1, 0, "aa")},
	{
		"many tracks", "96 11 61766331 00 000004 000021 aa 01 000005 ffffff bbcc",
		append(avc(flv.Frame, 0, 33, "aa"), avc(flv.Frame, 1, -1, "bbcc")...),
	},
	{
		"many tracks and codecs", "96 20 68766331 00 000001 aa 61766331 03 000002 bbcc 61763031 09 000000",
		append(append(hevc(flv.Config, 0, 0, "aa"), avc(flv.Config, 3, 0, "bbcc")...), flv.Packet{Type: flv.Config, Name: "AV1", Track: 9}),
	},
}

func avc(kind flv.Type, track media.TrackID, cts int32, data string) []flv.Packet {
	return packet(media.H264, "H.264", kind, track, cts, data)
}

func hevc(kind flv.Type, track media.TrackID, cts int32, data string) []flv.Packet {
	return packet(media.HEVC, "HEVC", kind, track, cts, data)
}

func aac(kind flv.Type, track media.TrackID, data string) []flv.Packet {
	return packet(media.AAC, "AAC", kind, track, 0, data)
}

func packet(codec media.Codec, name string, kind flv.Type, track media.TrackID, cts int32, data string) []flv.Packet {
	b, err := hex.DecodeString(data)
	if err != nil {
		panic(err)
	}
	return []flv.Packet{{Type: kind, Track: track, Codec: codec, Name: name, CTS: cts, Data: b}}
}

func same(a, b []flv.Packet) bool {
	return slices.EqualFunc(a, b, func(x, y flv.Packet) bool {
		return x.Type == y.Type && x.Track == y.Track && x.Codec == y.Codec && x.Name == y.Name && x.CTS == y.CTS && bytes.Equal(x.Data, y.Data)
	})
}

func TestAppendVideo(t *testing.T) {
	for _, c := range videoCases {
		if got, err := flv.AppendVideo(nil, unhex(t, c.body)); err != nil || !same(got, c.want) {
			t.Errorf("%s: AppendVideo(%s) = %+v, %v, want %+v", c.name, c.body, got, err, c.want)
		}
	}
}

// Bodies of audio messages that are good, and what they carry.
var audioCases = []struct {
	name, body string
	want       []flv.Packet
}{
	{"sequence header", "af 00 1210", aac(flv.Config, 0, "1210")},
	{"raw frame", "af 01 21aa", aac(flv.Frame, 0, "21aa")},
	{"unknown AAC packet", "af 07 21", aac(flv.Ignored, 0, "21")},
	{"MP3", "2f fffb9064", packet(media.MP3, "MP3", flv.Frame, 0, 0, "fffb9064")},
	{"MP3 at 8 kHz", "ee ffe318c4", packet(media.MP3, "MP3", flv.Frame, 0, 0, "ffe318c4")},
	{"enhanced sequence start", "90 6d703461 1210", aac(flv.Config, 0, "1210")},
	{"enhanced coded frames", "91 6d703461 21", aac(flv.Frame, 0, "21")},
	{"enhanced sequence end", "92 6d703461", aac(flv.End, 0, "")},
	{"enhanced MP3", "91 2e6d7033 ff", packet(media.MP3, "MP3", flv.Frame, 0, 0, "ff")},
	{"channel layout", "94 6d703461 0102", aac(flv.Ignored, 0, "0102")},
	{"multitrack, one track", "95 01 6d703461 01 21", aac(flv.Frame, 1, "21")},
	{
		"many tracks and codecs", "95 21 6d703461 00 000001 21 4f707573 01 000001 ff",
		append(aac(flv.Frame, 0, "21"), flv.Packet{Type: flv.Frame, Name: "Opus", Track: 1, Data: []byte{0xff}}),
	},
}

func TestAppendAudio(t *testing.T) {
	for _, c := range audioCases {
		if got, err := flv.AppendAudio(nil, unhex(t, c.body)); err != nil || !same(got, c.want) {
			t.Errorf("%s: AppendAudio(%s) = %+v, %v, want %+v", c.name, c.body, got, err, c.want)
		}
	}
}

// A message that ends within its headers appends nothing.
func TestShort(t *testing.T) {
	before := avc(flv.End, 7, 0, "")
	check := func(name string, parse func([]flv.Packet, []byte) ([]flv.Packet, error), b []byte, want []flv.Packet) {
		t.Helper()
		if len(want) == 0 || want[0].Type == flv.Ignored {
			return // the rest of what is ignored is not looked at
		}
		for n := range len(b) - len(want[len(want)-1].Data) {
			got, err := parse(before, b[:n])
			if err == nil && len(got)-len(before) < len(want) && n > 0 {
				continue // whole tracks were left
			}
			if !errors.Is(err, flv.ErrShort) || !same(got, before) {
				t.Errorf("%s: %x gives %+v, %v, want ErrShort", name, b[:n], got, err)
			}
		}
	}
	for _, c := range videoCases {
		check(c.name, flv.AppendVideo, unhex(t, c.body), c.want)
	}
	for _, c := range audioCases {
		check(c.name, flv.AppendAudio, unhex(t, c.body), c.want)
	}
}

func TestNames(t *testing.T) {
	for body, want := range map[string]string{
		"12 00":                "Sorenson H.263",
		"13 00":                "Screen Video",
		"14 00":                "VP6",
		"1d 00 000000":         "AV1",
		"1f 00 000000":         "number 15",
		"90 76703038 01":       "VP8",
		"90 76703039 01":       "VP9",
		"90 76766331 01":       "VVC",
		"90 00ff0a20 01":       `"\x00\xff\n "`,
		"audio 00 ff":          "PCM",
		"audio 10 ff":          "ADPCM",
		"audio 5f ff":          "Nellymoser",
		"audio 7f ff":          "G.711",
		"audio bf ff":          "Speex",
		"audio cf ff":          "number 12",
		"audio 90 4f707573 01": "Opus",
		"audio 90 664c6143":    "FLAC",
		"audio 90 61632d33":    "AC-3",
		"audio 90 65632d33":    "E-AC-3",
		"audio 90 61626364":    `"abcd"`,
	} {
		parse := flv.AppendVideo
		rest, audio := strings.CutPrefix(body, "audio ")
		if audio {
			parse = flv.AppendAudio
		}
		got, err := parse(nil, unhex(t, rest))
		if err != nil || len(got) != 1 || got[0].Codec != 0 || got[0].Name != want || got[0].Type == flv.Ignored {
			t.Errorf("%s: %+v, %v, want one packet of %s", body, got, err, want)
		}
	}
	err := &flv.UnsupportedError{Kind: media.Audio, Codec: "Opus"}
	if want := "audio codec Opus is not carried: set the encoder to AAC"; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err, want)
	}
}

func TestMultitrackErrors(t *testing.T) {
	for body, want := range map[string]string{
		"96 30 61766331 00 000001 aa":                        "reserved kind",
		"96 06 00 61766331 00 aa":                            "multitrack within multitrack",
		"96 10 61766331 " + strings.Repeat("00 000000", 257): "more than 256 tracks",
		"96 10 61766331 00 000002 aa":                        "too short",
		"96 11 61766331 00 000002 aabb":                      "too short", // no composition time
	} {
		if got, err := flv.AppendVideo(nil, unhex(t, body)); err == nil || !strings.Contains(err.Error(), want) || len(got) > 0 {
			t.Errorf("AppendVideo(%.40s) = %d packets, %v, want an error with %q", body, len(got), err, want)
		}
	}
	if got, err := flv.AppendVideo(nil, unhex(t, "96 10 61766331 "+strings.Repeat("07 000000", 256))); err != nil || len(got) != 256 {
		t.Errorf("256 tracks: %d packets, %v", len(got), err)
	}
}

// The packets are the caller's memory.
func TestAppendAllocatesNothing(t *testing.T) {
	body := unhex(t, "96 11 61766331 00 000004 000021 aa 01 000005 ffffff bbcc")
	packets := make([]flv.Packet, 0, 2)
	if n := testing.AllocsPerRun(100, func() { packets, _ = flv.AppendVideo(packets[:0], body) }); n > 0 {
		t.Errorf("%v allocations for each message, want 0", n)
	}
}

// checkPackets fails unless all payloads lie in b, one behind the other.
func checkPackets(t *testing.T, b []byte, packets []flv.Packet) {
	t.Helper()
	end := 0
	for _, p := range packets {
		at := bytes.Index(b[end:], p.Data)
		if at < 0 {
			t.Fatalf("payload %x is not in %x behind %d", p.Data, b, end)
		}
		if p.CTS < -1<<23 || p.CTS >= 1<<23 {
			t.Errorf("composition time %d does not fit 24 bits", p.CTS)
		}
		end += at + len(p.Data)
	}
}

func FuzzAppendVideo(f *testing.F) {
	for _, c := range videoCases {
		f.Add(unhex(f, c.body))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := flv.AppendVideo(nil, b)
		if err != nil && len(got) > 0 || len(got) > 256 {
			t.Errorf("%d packets with %v", len(got), err)
		}
		checkPackets(t, b, got)
	})
}

func FuzzAppendAudio(f *testing.F) {
	for _, c := range audioCases {
		f.Add(unhex(f, c.body))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := flv.AppendAudio(nil, b)
		if err != nil && len(got) > 0 || len(got) > 256 {
			t.Errorf("%d packets with %v", len(got), err)
		}
		checkPackets(t, b, got)
		for _, p := range got {
			if p.Codec != media.AAC || p.Type != flv.Config {
				continue
			}
			if track, err := flv.AACTrack(p.Data); err == nil && (track.SampleRate == 0 || track.Channels == 0 || track.Kind != media.Audio) {
				t.Errorf("AACTrack(%x) = %+v", p.Data, track)
			}
		}
	})
}
