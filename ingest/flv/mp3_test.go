package flv_test

import (
	"errors"
	"strings"
	"testing"

	"barrage/ingest/flv"
	"barrage/packager/media"
)

func TestParseMP3(t *testing.T) {
	for header, want := range map[string]struct {
		rate                    uint32
		channels, samples, size int
		config                  string
	}{
		"fffb9064": {44100, 2, 1152, 417, "fffb0000"}, // libmp3lame, 128 kb/s, joint stereo
		"fffb9264": {44100, 2, 1152, 418, "fffb0000"}, // padded
		"fffa9044": {44100, 2, 1152, 417, "fffb0000"}, // with a CRC
		"fffbe4c4": {48000, 1, 1152, 960, "fffb04c0"},
		"fffb18c4": {32000, 1, 1152, 144, "fffb08c0"},
		"fff340c4": {22050, 1, 576, 104, "fff300c0"}, // MPEG-2
		"ffe318c4": {8000, 1, 576, 72, "ffe308c0"},   // MPEG 2.5
		"fffb0064": {44100, 2, 1152, 0, "fffb0000"},  // free format
	} {
		f, err := flv.ParseMP3(unhex(t, header))
		if err != nil || f.SampleRate != want.rate || f.Channels != want.channels || f.Samples != want.samples || f.Size != want.size {
			t.Errorf("ParseMP3(%s) = %+v, %v, want %+v", header, f, err, want)
		}
		track := f.Track()
		if track.Codec != media.MP3 || track.Kind != media.Audio || track.SampleRate != want.rate || !f.Is(track.Config) || !f.Is(unhex(t, want.config)) {
			t.Errorf("ParseMP3(%s).Track() = %+v, want config %s", header, track, want.config)
		}
	}
}

func TestParseMP3Errors(t *testing.T) {
	for header, want := range map[string]string{
		"":         "too short",
		"fffb90":   "too short",
		"494433ff": "no sync word",
		"ff1b9064": "no sync word",
		"ffeb9064": "reserved",
		"fff99064": "reserved",
		"fffbf064": "reserved",
		"fffb9c64": "reserved",
		"fffd9064": "audio codec MPEG audio layer II is not carried",
		"ffff9064": "audio codec MPEG audio layer I is not carried",
	} {
		if f, err := flv.ParseMP3(unhex(t, header)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseMP3(%s) = %+v, %v, want %q", header, f, err, want)
		}
	}
	var unsupported *flv.UnsupportedError
	if _, err := flv.ParseMP3(unhex(t, "fffd9064")); !errors.As(err, &unsupported) {
		t.Errorf("layer II: %v, want an UnsupportedError", err)
	}
}

func TestCutMP3(t *testing.T) {
	frame := func(header string) []byte { return append(unhex(t, header), make([]byte, 413)...) }
	join := func(frames ...[]byte) (b []byte) {
		for _, f := range frames {
			b = append(b, f...)
		}
		return b
	}
	for name, c := range map[string]struct {
		in   []byte
		want []int // lengths
	}{
		"one":          {frame("fffb9064"), []int{417}},
		"three":        {join(frame("fffb9064"), frame("fffb9044"), frame("fffb9064")), []int{417, 417, 417}},
		"cut off":      {frame("fffb9064")[:100], []int{100}},
		"with a tail":  {join(frame("fffb9064"), []byte("TAG...")), []int{423}},
		"of two kinds": {join(frame("fffb9064"), frame("fffb90c4")), []int{834}},
		"free format":  {frame("fffb0064"), []int{417}},
	} {
		var got []int
		for rest := c.in; len(rest) > 0; {
			var frame []byte
			var err error
			if _, frame, rest, err = flv.CutMP3(rest); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, len(frame))
		}
		if len(got) != len(c.want) || got[0] != c.want[0] || got[len(got)-1] != c.want[len(c.want)-1] {
			t.Errorf("%s: frames of %v bytes, want %v", name, got, c.want)
		}
	}
}

func FuzzCutMP3(f *testing.F) {
	f.Add(append(unhex(f, "fffb9064"), make([]byte, 900)...))
	f.Add(unhex(f, "fffb18c4"))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		for rest := b; len(rest) > 0; {
			head, frame, more, err := flv.CutMP3(rest)
			if err != nil {
				break
			}
			if len(frame) == 0 || head.SampleRate == 0 || head.Samples == 0 || head.Channels == 0 {
				t.Fatalf("CutMP3(%x) = %+v, %d bytes", rest, head, len(frame))
			}
			total += len(frame)
			rest = more
		}
		if total > len(b) {
			t.Errorf("%d bytes of frames in %d", total, len(b))
		}
	})
}
