package playlist_test

import (
	"math"
	"strings"
	"testing"

	"barrage/packager/playlist"
)

func TestMultivariantReadBack(t *testing.T) {
	got := decodeMultivariant(t, render(t, ladder()))
	if len(got.Variants) != 2 || got.Version() != playlist.Version {
		t.Fatalf("%d variants, version %d", len(got.Variants), got.Version())
	}
	v := got.Variants[0]
	if v.URI != "k3f9/v0.m3u8" || v.Bandwidth != 6528000 || v.AverageBandwidth != 5128000 || v.Codecs != "avc1.640028,mp4a.40.2" ||
		v.Resolution != "1920x1080" || v.FrameRate != 29.970 || v.Audio != "audio" {
		t.Errorf("variant %+v", v.VariantParams)
	}
	alts := v.Alternatives
	if len(alts) != 2 {
		t.Fatalf("%d audio renditions, want 2", len(alts))
	}
	if a := alts[0]; a.Type != "AUDIO" || a.GroupId != "audio" || a.Language != "ja" || !a.Default || !a.Autoselect || a.Channels.Amount != 2 {
		t.Errorf("first audio rendition %+v", a)
	}
	if a := alts[1]; a.Name != "解说 – #2" || a.Language != "zh-Hans" || a.Default || a.URI != "k3f9/a1.m3u8" || a.Channels.Amount != 6 {
		t.Errorf("second audio rendition %+v", a)
	}
}

func TestMultivariantTags(t *testing.T) {
	text := string(render(t, videoAndAudio()))
	for _, never := range []string{"PROGRAM-ID", "INDEPENDENT-SEGMENTS"} {
		if strings.Contains(text, never) {
			t.Errorf("%s in\n%s", never, text)
		}
	}
	if !strings.Contains(text, `LANGUAGE="und"`) {
		t.Errorf("no LANGUAGE on EXT-X-MEDIA in\n%s", text)
	}
	// Only the attribute goes, not a name that looks like it.
	m := videoAndAudio()
	m.Audio[0].Name = "#EXT-X-STREAM-INF:PROGRAM-ID=0,"
	if text = string(render(t, m)); !strings.Contains(text, `NAME="#EXT-X-STREAM-INF:PROGRAM-ID=0,"`) {
		t.Errorf("the name is gone from\n%s", text)
	}
}

func TestMultivariantErrors(t *testing.T) {
	cases := map[string]struct {
		spoil func(m *playlist.Multivariant)
		want  string
	}{
		"no variant":         {func(m *playlist.Multivariant) { m.Variants = nil }, "no variant"},
		"no URI":             {func(m *playlist.Multivariant) { m.Variants[1].URI = "" }, "variant 1: no URI"},
		"line break in URI":  {func(m *playlist.Multivariant) { m.Variants[0].URI = "a\nb" }, "byte 0x0a"},
		"no bandwidth":       {func(m *playlist.Multivariant) { m.Variants[0].Bandwidth = 0 }, "variant 0: bandwidth 0"},
		"average above peak": {func(m *playlist.Multivariant) { m.Variants[0].AverageBandwidth = 7e6 }, "average bandwidth 7000000"},
		"half a resolution":  {func(m *playlist.Multivariant) { m.Variants[0].Height = 0 }, "a picture of 1920 x 0"},
		"no number":          {func(m *playlist.Multivariant) { m.Variants[0].FrameRate = math.NaN() }, "frame rate NaN"},
		"no codecs":          {func(m *playlist.Multivariant) { m.Variants[0].Codecs = nil }, "no codecs"},
		"quote in a codec":   {func(m *playlist.Multivariant) { m.Variants[0].Codecs = []string{`a",X="`} }, "codec"},
		"empty codec":        {func(m *playlist.Multivariant) { m.Variants[0].Codecs = []string{""} }, "no codec"},
		"unknown group":      {func(m *playlist.Multivariant) { m.Variants[1].AudioGroup = "b" }, `variant 1: audio group "b" has no rendition`},
		"no group":           {func(m *playlist.Multivariant) { m.Audio[0].Group = "" }, "no group"},
		"quote in a name":    {func(m *playlist.Multivariant) { m.Audio[1].Name = `a",URI="x` }, "audio rendition 1: name"},
		"line sep in a name": {func(m *playlist.Multivariant) { m.Audio[1].Name = "a\u0085b" }, "audio rendition 1: name"},
		"name not UTF-8":     {func(m *playlist.Multivariant) { m.Audio[1].Name = "\xff" }, "must be UTF-8"},
		"language":           {func(m *playlist.Multivariant) { m.Audio[1].Language = `e"n` }, "language"},
		"no audio URI":       {func(m *playlist.Multivariant) { m.Audio[0].URI = "" }, "audio rendition 0: no URI"},
		"no channels":        {func(m *playlist.Multivariant) { m.Audio[0].Channels = 0 }, "0 channels"},
		"same name":          {func(m *playlist.Multivariant) { m.Audio[1].Name = "Audio" }, `name "Audio" in group "audio" is taken`},
		"same to grafov": {func(m *playlist.Multivariant) {
			m.Audio[0].Group, m.Audio[0].Name, m.Audio[0].Language = "a", "b-c", "d"
			m.Audio[1].Group, m.Audio[1].Name, m.Audio[1].Language = "a-b", "c", "d"
		}, `name "c" in group "a-b" is taken`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := ladder()
			c.spoil(m)
			got, err := m.Append([]byte("kept"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if string(got) != "kept" {
				t.Errorf("dst became %q", got)
			}
		})
	}
}
