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
	got, err := flv.VideoTrack(media.H264, config)
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
		if _, err := flv.VideoTrack(media.H264, unhex(t, c.config)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestAACTrack(t *testing.T) {
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
		got, err := flv.AACTrack(unhex(t, config))
		if err != nil || got.Codec != media.AAC || got.SampleRate != want.rate || got.Channels != want.channels || got.TimeScale != 1000 {
			t.Errorf("AACTrack(%s) = %+v, %v, want %d Hz, %d channels", config, got, err, want.rate, want.channels)
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
		if _, err := flv.AACTrack(unhex(t, config)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("AACTrack(%s) = %v, want an error with %q", config, err, want)
		}
	}
}

func TestInspect(t *testing.T) {
	picture, sync := flv.AccessUnit{Picture: true}, flv.AccessUnit{Picture: true, Sync: true}
	leading, sets := flv.AccessUnit{Picture: true, Leading: true}, flv.AccessUnit{Sets: true}
	for _, c := range []struct {
		name  string
		codec media.Codec
		au    string
		want  flv.AccessUnit
	}{
		{"nothing", media.H264, "", flv.AccessUnit{}},
		{"inter picture", media.H264, "00000002 419a", picture},
		{"partitioned", media.H264, "00000001 02", picture},
		{"IDR behind SEI", media.H264, "00000002 0605 00000003 658884", sync},
		{"parameter sets only", media.H264, "00000001 67 00000001 68", sets},
		{"empty NAL unit", media.H264, "00000000 00000001 65", sync},
		{"reference bits ignored", media.H264, "00000001 05", sync},
		{"nothing", media.HEVC, "", flv.AccessUnit{}},
		{"inter picture", media.HEVC, "00000003 0201d0", picture},
		{"RASL", media.HEVC, "00000002 1001", leading},
		{"RADL", media.HEVC, "00000002 0c01", leading},
		{"BLA", media.HEVC, "00000002 2001", sync},
		{"IDR with leading pictures", media.HEVC, "00000002 2601", sync},
		{"IDR without", media.HEVC, "00000002 2801", sync},
		{"CRA behind its sets", media.HEVC, "00000002 4001 00000002 4201 00000002 4401 00000002 2a01", flv.AccessUnit{Picture: true, Sync: true, Sets: true}},
		{"reserved slice type", media.HEVC, "00000002 2c01", picture},
		{"SEI and delimiter", media.HEVC, "00000002 4601 00000002 4e01", flv.AccessUnit{}},
	} {
		if got, err := flv.Inspect(c.codec, unhex(t, c.au)); err != nil || got != c.want {
			t.Errorf("%s, %v: Inspect(%s) = %+v, %v, want %+v", c.name, c.codec, c.au, got, err, c.want)
		}
	}
	for _, au := range []string{"00", "000000", "00000002 65", "ffffffff 65", "00000001 65 0000"} {
		if got, err := flv.Inspect(media.H264, unhex(t, au)); err == nil {
			t.Errorf("Inspect(%s) = %+v, want an error", au, got)
		}
	}
	au := unhex(t, "00000002 0605 00000003 658884")
	if n := testing.AllocsPerRun(100, func() { _, _ = flv.Inspect(media.H264, au) }); n > 0 {
		t.Errorf("Inspect allocates %v times, want 0", n)
	}
}

func FuzzVideoTrack(f *testing.F) {
	f.Add(unhex(f, avcc))
	f.Add(unhex(f, hvcc))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, codec := range []media.Codec{media.H264, media.HEVC} {
			track, err := flv.VideoTrack(codec, b)
			if err != nil {
				continue
			}
			if track.Width < 1 || track.Height < 1 || track.Width > 16384 || track.Height > 16384 || track.FrameRate < 0 || track.FrameRate > 1000 {
				t.Errorf("VideoTrack(%v, %x) = %+v", codec, b, track)
			}
		}
	})
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0x65})
	f.Add([]byte{0, 0, 0, 2, 0x2a, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x65})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, codec := range []media.Codec{media.H264, media.HEVC} {
			if au, err := flv.Inspect(codec, b); err == nil && (au.Sync || au.Leading) && !au.Picture {
				t.Errorf("Inspect(%v, %x) = %+v: a sync sample without a picture", codec, b, au)
			}
		}
	})
}
