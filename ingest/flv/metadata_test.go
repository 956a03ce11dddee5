package flv_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"barrage/ingest/flv"
)

// AMF0 by hand, so that the reader is not tested with itself.

func text(s string) string {
	return "\x02" + string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

func number(v float64) string {
	return "\x00" + string(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
}

func field(name, value string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(name)))) + name + value
}

const objectEnd = "\x00\x00\x09"

func ecma(fields ...string) string {
	return "\x08\x00\x00\x00\x00" + strings.Join(fields, "") + objectEnd
}

func object(fields ...string) string { return "\x03" + strings.Join(fields, "") + objectEnd }

var metadataCases = []struct {
	name, body string
	want       flv.Metadata
}{
	{"nothing", "", flv.Metadata{}},
	{"name only", text("onMetaData"), flv.Metadata{}},
	{
		"ffmpeg", text("onMetaData") + ecma(
			field("duration", number(0)), field("width", number(640)), field("height", number(360)),
			field("videodatarate", number(2500)), field("framerate", number(30)), field("videocodecid", number(7)),
			field("audiodatarate", number(128)), field("audiosamplerate", number(44100)), field("stereo", "\x01\x01"),
			field("audiocodecid", number(10)), field("encoder", text("Lavf59")), field("filesize", number(0))),
		flv.Metadata{Video: true, Audio: true, FrameRate: 30, VideoBitrate: 2_500_000, AudioBitrate: 128_000, Encoder: "Lavf59"},
	},
	{
		"object behind two names", text("@setDataFrame") + text("onMetaData") + object(field("videocodecid", text("avc1"))),
		flv.Metadata{Video: true},
	},
	{
		"every type of member", object(
			field("a", "\x05"), field("b", "\x06"), field("c", "\x07\x00\x01"), field("d", "\x0b"+strings.Repeat("\x00", 10)),
			field("e", "\x0c\x00\x00\x00\x01x"), field("f", "\x0f\x00\x00\x00\x01x"), field("g", "\x0d"),
			field("h", "\x0a\x00\x00\x00\x02"+number(1)+object(field("audiocodecid", number(10)))),
			field("i", "\x10"+field("class", "")+field("x", number(2))+objectEnd),
			field("j", ecma(field("videocodecid", number(7)))), field("framerate", number(25))),
		flv.Metadata{FrameRate: 25}, // members of members promise nothing
	},
	{
		"lies", ecma(
			field("framerate", number(math.NaN())), field("videodatarate", number(math.Inf(1))), field("audiodatarate", number(-1)),
			field("videocodecid", number(0)), field("audiocodecid", "\x05"), field("encoder", text("a\x00b\xff\u202e"+strings.Repeat("x", 100)))),
		flv.Metadata{Encoder: "ab" + strings.Repeat("x", 59)},
	},
}

func TestParseMetadata(t *testing.T) {
	for _, c := range metadataCases {
		if got, err := flv.ParseMetadata([]byte(c.body)); err != nil || got != c.want {
			t.Errorf("%s: ParseMetadata = %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

func TestParseMetadataKeepsWhatItRead(t *testing.T) {
	whole := text("onMetaData") + ecma(field("framerate", number(30)), field("encoder", text("OBS")))
	for n := 1; n < len(whole); n++ {
		got, err := flv.ParseMetadata([]byte(whole[:n]))
		if n == len(text("onMetaData")) {
			continue // a whole value
		}
		if err == nil {
			t.Errorf("ParseMetadata of %d of %d bytes: no error", n, len(whole))
		}
		if n > len(whole)-len(objectEnd) && got.FrameRate != 30 {
			t.Errorf("ParseMetadata of %d of %d bytes = %+v, want what came before the end", n, len(whole), got)
		}
	}
}

// Each of these would cost another reader its memory or its stack.
func TestParseMetadataBombs(t *testing.T) {
	for name, body := range map[string]string{
		"array of 2^32-1":      "\x0a\xff\xff\xff\xff",
		"array of 2^32-1 full": "\x0a\xff\xff\xff\xff" + strings.Repeat("\x05", 1<<16),
		"nested arrays":        strings.Repeat("\x0a\x00\x00\x00\x01", 1<<16),
		"nested objects":       strings.Repeat("\x03\x00\x01a", 1<<16),
		"long string":          "\x0c\xff\xff\xff\xffx",
		"wide object":          "\x03" + strings.Repeat("\x00\x01a\x05", 1<<16),
		"AMF3":                 "\x11",
	} {
		var err error
		allocated := testing.AllocsPerRun(1, func() { _, err = flv.ParseMetadata([]byte(body)) })
		if err == nil || allocated > 10_000 {
			t.Errorf("%s: error %v after %.0f allocations, want an error and less than 10000", name, err, allocated)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	for _, c := range metadataCases {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := flv.ParseMetadata(b)
		if m.FrameRate < 0 || m.VideoBitrate < 0 || m.AudioBitrate < 0 || len([]rune(m.Encoder)) > 64 {
			t.Errorf("ParseMetadata(%x) = %+v", b, m)
		}
	})
}
