package flv_test

import (
	"bytes"
	"strings"
	"testing"

	"barrage/ingest/flv"
	"barrage/packager/media"
)

// An avcC as ffmpeg's libx264 writes it: Main profile, 640x360, 30 fps.
const avcc = "014d401e ff e1 0018 674d401eeca05017fcb8088000000300800000 1e078b16cb 01 0004 68ce0fc8"

func TestVideoTrack(t *testing.T) {
	config := unhex(t, avcc)
	got, err := flv.VideoTrack(config)
	if err != nil {
		t.Fatal(err)
	}
	if got.Kind != media.Video || got.Codec != media.H264 || got.TimeScale != 1000 || got.Width != 640 || got.Height != 360 || got.FrameRate != 30 {
		t.Errorf("VideoTrack = %+v, want H.264 640x360 at 30 fps", got)
	}
	if !bytes.Equal(got.Config, config) {
		t.Errorf("Config = %x, want the record verbatim", got.Config)
	}
}

func TestVideoTrackErrors(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"empty":               {"", "too short"},
		"version":             {"024d401e ff e1 0001 67 01 0001 68", "version is not 1"},
		"2-byte NAL lengths":  {"014d401e fd e1 0001 67 01 0001 68", "4 bytes wide"},
		"no SPS":              {"014d401e ff e0 01 0001 68", "no parameter sets"},
		"no PPS":              {"014d401e ff e1 0001 67 00", "no parameter sets"},
		"SPS cut":             {"014d401e ff e1 0005 674d", "parameter set of 5 bytes where 2 are left"},
		"SPS of no bytes":     {"014d401e ff e1 0000 01 0001 68", "parameter set of 0 bytes"},
		"no count of PPS":     {"014d401e ff e1 0001 67", "too short"},
		"SPS is not one":      {"014d401e ff e1 0004 68ce0fc8 01 0001 68", "parse SPS: not a SPS"},
		"SPS of a few bits":   {"014d401e ff e1 0004 674d401e 01 0001 68", "parse SPS"},
		"SPS beyond all size": {"014d401e ff e1 0500 67" + strings.Repeat("00", 0x4ff) + "01 0001 68", "at most 1024"},
	} {
		if _, err := flv.VideoTrack(unhex(t, c.config)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestAudioTrack(t *testing.T) {
	for config, want := range map[string]struct {
		rate     uint32
		channels int
	}{
		"1210":       {44100, 2},
		"1190":       {48000, 2},
		"120856e500": {44100, 1}, // ffmpeg appends a sync extension
		"11b0":       {48000, 6},
		"11b8":       {48000, 8},
		"2b118800":   {48000, 2}, // HE-AAC, core at 24 kHz: the rate after SBR
	} {
		got, err := flv.AudioTrack(unhex(t, config))
		if err != nil || got.Codec != media.AAC || got.SampleRate != want.rate || got.Channels != want.channels || got.TimeScale != 1000 {
			t.Errorf("AudioTrack(%s) = %+v, %v, want %d Hz, %d channels", config, got, err, want.rate, want.channels)
		}
	}
	for config, want := range map[string]string{
		"":                        "parse audio config",
		"12":                      "parse audio config",
		"1a10":                    "unsupported object type",
		"1200":                    "program config element",
		"1780 0000 10 80":         "sampling rate",
		strings.Repeat("12", 65):  "at most 64",
		"1250 00000000 000000 00": "unsupported channel configuration",
	} {
		if config == "1250 00000000 000000 00" {
			config = "1248" // channel configuration 9 is reserved
		}
		if _, err := flv.AudioTrack(unhex(t, config)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("AudioTrack(%s) = %v, want an error with %q", config, err, want)
		}
	}
}

func TestInspectAVC(t *testing.T) {
	for name, c := range map[string]struct {
		au   string
		want flv.AccessUnit
	}{
		"nothing":               {"", flv.AccessUnit{}},
		"inter picture":         {"00000002 419a", flv.AccessUnit{Picture: true}},
		"partitioned":           {"00000001 02", flv.AccessUnit{Picture: true}},
		"IDR behind SEI":        {"00000002 0605 00000003 658884", flv.AccessUnit{Picture: true, Sync: true}},
		"parameter sets only":   {"00000001 67 00000001 68", flv.AccessUnit{}},
		"empty NAL unit":        {"00000000 00000001 65", flv.AccessUnit{Picture: true, Sync: true}},
		"reference bits ignore": {"00000001 05", flv.AccessUnit{Picture: true, Sync: true}},
	} {
		if got, err := flv.InspectAVC(unhex(t, c.au)); err != nil || got != c.want {
			t.Errorf("%s: InspectAVC(%s) = %+v, %v, want %+v", name, c.au, got, err, c.want)
		}
	}
	for _, au := range []string{"00", "000000", "00000002 65", "ffffffff 65", "00000001 65 0000"} {
		if got, err := flv.InspectAVC(unhex(t, au)); err == nil {
			t.Errorf("InspectAVC(%s) = %+v, want an error", au, got)
		}
	}
}

func FuzzVideoTrack(f *testing.F) {
	f.Add(unhex(f, avcc))
	f.Fuzz(func(t *testing.T, b []byte) {
		track, err := flv.VideoTrack(b)
		if err != nil {
			return
		}
		if track.Width < 1 || track.Height < 1 || track.Width > 16384 || track.Height > 16384 || track.FrameRate < 0 || track.FrameRate > 1000 {
			t.Errorf("VideoTrack(%x) = %+v", b, track)
		}
	})
}

func FuzzInspectAVC(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0x65})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x65})
	f.Fuzz(func(t *testing.T, b []byte) {
		if au, err := flv.InspectAVC(b); err == nil && au.Sync && !au.Picture {
			t.Errorf("InspectAVC(%x) = %+v: a sync sample without a picture", b, au)
		}
	})
}
