package fmp4_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"barrage/packager/fmp4"
	"barrage/packager/media"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package")

// Decoder configurations as encoders send them.
const (
	avcHigh     = "01640028ffe1001b67640028acd940780227e5c044000003000400000300f03c60c65801000468ef8fcbfdf8f800" // x264, 1920x1080 cropped from 1088, 30 fps
	avcBaseline = "0142c028ffe100196742c028da01e0089f970110000003001000000303c0f1832a01000468ce0fc8"             // x264, 1920x1080
	aacStereo   = "1190"                                                                                         // AAC-LC, 48 kHz, 2 channels
	aacMono     = "1208"                                                                                         // AAC-LC, 44.1 kHz, 1 channel
	heExplicit  = "2b8a0800"                                                                                     // HE-AAC, hierarchical signalling, 22.05 -> 44.1 kHz
	heHidden    = "138856e5a0"                                                                                   // HE-AAC, backward compatible signalling
	heV2Hidden  = "138856e5a54880"                                                                               // HE-AAC v2, backward compatible signalling
	hevcMain    = "01016000000090000000000" + "03ff000fcfdf8f800000f03" +                                        // x265, 640x360, 30 fps, array_completeness 0
		"2000010018" + "40010c01ffff01600000030090000003000003003f959409" +
		"210001002b" + "42010101600000030090000003000003003fa0050201" + "71f2e595952930bc05a020000003002000000303c1" +
		"2200010006" + "4401c073c189"
	mp3Stereo = "fffb0000" // MPEG-1, 44.1 kHz
	mp3Low    = "fff300c0" // MPEG-2, 22.05 kHz, mono
	mp3Lowest = "ffe308c0" // MPEG 2.5, 8 kHz, mono
	aac96k    = "1010"     // AAC-LC, 96 kHz, 2 channels
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func videoTrack(tb testing.TB, config string) media.Track {
	tb.Helper()
	return media.Track{Kind: media.Video, Codec: media.H264, TimeScale: 90000, Config: unhex(tb, config), Width: 1920, Height: 1080}
}

func audioTrack(tb testing.TB, config string) media.Track {
	tb.Helper()
	return media.Track{
		Kind: media.Audio, Codec: media.AAC, TimeScale: 48000, Config: unhex(tb, config),
		SampleRate: 48000, Channels: 2, Bitrate: 128000,
	}
}

func hevcTrack(tb testing.TB, config string) media.Track {
	tb.Helper()
	return media.Track{Kind: media.Video, Codec: media.HEVC, TimeScale: 90000, Config: unhex(tb, config), Width: 640, Height: 360}
}

func mp3Track(tb testing.TB, header string) media.Track {
	tb.Helper()
	return media.Track{
		Kind: media.Audio, Codec: media.MP3, TimeScale: 44100, Config: unhex(tb, header),
		SampleRate: 44100, Channels: 2, Bitrate: 128000,
	}
}

// TestGolden dumps the box trees as an independent decoder sees them: the diff of
// testdata is the review of a change to the bytes.
func TestGolden(t *testing.T) {
	cases := map[string][]byte{
		"init_h264":           appendInit(t, videoTrack(t, avcHigh)),
		"init_aac":            appendInit(t, audioTrack(t, aacStereo)),
		"init_hevc":           appendInit(t, hevcTrack(t, hevcMain)),
		"init_mp3":            appendInit(t, mp3Track(t, mp3Stereo)),
		"fragment_b_frames":   fmp4.AppendFragment(nil, bFrames()),
		"fragment_audio":      fmp4.AppendFragment(nil, audioUnits()),
		"fragment_late_start": fmp4.AppendFragment(nil, lateStart()),
	}
	for name, got := range cases {
		t.Run(name, func(t *testing.T) {
			compareGolden(t, name, dump(t, got))
		})
	}
}

func appendInit(tb testing.TB, track media.Track) []byte {
	tb.Helper()
	b, err := fmp4.AppendInit(nil, track)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// bFrames is a closed GOP in decoding order with its composition offsets, one of
// them negative.
func bFrames() fmp4.Fragment {
	sample := func(dts int64, cts int32, sync bool, size int) media.Sample {
		return media.Sample{Kind: media.Video, DTS: dts, CTS: cts, Duration: 3000, Sync: sync, Data: bytes.Repeat([]byte{0xab}, size)}
	}
	return fmp4.Fragment{Sequence: 7, Samples: []media.Sample{
		sample(900000, 6000, true, 120),
		sample(903000, 9000, false, 40),
		sample(906000, 0, false, 20),
		sample(909000, -3000, false, 10),
	}}
}

func audioUnits() fmp4.Fragment {
	var f fmp4.Fragment
	for i := range int64(3) {
		f.Samples = append(f.Samples, media.Sample{Kind: media.Audio, Sync: true, DTS: i * 1024, Duration: 1024, Data: make([]byte, 9)})
	}
	return f
}

// lateStart lies behind the range of a 32 bit decode time.
func lateStart() fmp4.Fragment {
	return fmp4.Fragment{Sequence: 1<<32 - 1, Samples: []media.Sample{
		{Kind: media.Video, Sync: true, DTS: 1<<40 + 5, Duration: 3003, Data: []byte{1}},
	}}
}

func dump(t *testing.T, b []byte) []byte {
	t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("decode %x: %v", b, err)
	}
	var out bytes.Buffer
	if err = file.Info(&out, "all:1", "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}
