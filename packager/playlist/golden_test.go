package playlist_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	eyevinn "github.com/Eyevinn/hls-m3u8/m3u8"
	"github.com/grafov/m3u8"

	"barrage/packager/playlist"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package")

const ms = time.Millisecond

// renderer is what both kinds of playlists have in common.
type renderer interface {
	Append(dst []byte) ([]byte, error)
}

func render(tb testing.TB, p renderer) []byte {
	tb.Helper()
	b, err := p.Append(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

var start = time.Date(2026, 11, 21, 1, 2, 3, 4567*int(time.Microsecond), time.FixedZone("UTC+8", 8*3600))

// lowLatency is a live playlist in the middle of a segment, with the parts of the
// last three target durations at most and a report on the audio.
func lowLatency() *playlist.Media {
	m := &playlist.Media{
		Version: playlist.Version, TargetDuration: 2,
		PartTarget: 530 * ms, HoldBack: 6000 * ms, PartHoldBack: 1590 * ms,
		MediaSequence: 41, DiscontinuitySequence: 3,
		PreloadHint: "v0/p170.m4s",
		Reports:     []playlist.Report{{URI: "a0.m3u8", LastMSN: 46, LastPart: 1}},
	}
	part := 160
	for i := range 5 {
		s := segment(41 + i)
		if i >= 3 {
			part = addParts(&s, part, 4)
		}
		m.Segments = append(m.Segments, s)
	}
	open := segment(46)
	open.URI, open.Duration = "", 0
	addParts(&open, part, 2)
	m.Open = &open
	return m
}

func segment(msn int) playlist.Segment {
	return playlist.Segment{
		URI: "v0/s" + strconv.Itoa(msn) + ".m4s", Duration: 2000 * ms, Init: "v0/init-1.mp4",
		PDT: start.Add(time.Duration(msn-41) * 2 * time.Second),
	}
}

func addParts(s *playlist.Segment, number, count int) int {
	for i := range count {
		s.Parts = append(s.Parts, playlist.Part{
			URI: "v0/p" + strconv.Itoa(number+i) + ".m4s", Duration: 500 * ms, Independent: i == 0,
		})
	}
	return number + count
}

// regular is a live playlist for players without low latency.
func regular() *playlist.Media {
	m := lowLatency()
	m.PartTarget, m.PartHoldBack = 0, 0
	m.CanSkipUntil = 12000 * ms
	return m
}

// reconnected has lost a part and a segment, and goes on with another encoder.
func reconnected() *playlist.Media {
	m := lowLatency()
	m.CanSkipUntil = 12000 * ms
	m.Segments[2].Gap = true
	m.Segments[3].Parts[3].Gap = true
	m.Segments[4].Discontinuities = 1
	m.Segments[4].Init = "v0/init-2.mp4"
	m.Open.Discontinuities = 1
	m.Open.Init = "v0/init-3.mp4"
	return m
}

// delta leaves out two of the segments that the player knows.
func delta() *playlist.Media {
	m := lowLatency()
	m.CanSkipUntil = 12000 * ms
	m.Skip = 2
	return m
}

// opening has just begun a segment: no part yet, but the hint of the first one.
func opening() *playlist.Media {
	m := lowLatency()
	m.Open.Parts = nil
	m.PreloadHint = "v0/p168.m4s"
	m.Reports[0].LastPart = -1
	return m
}

func ended() *playlist.Media {
	m := lowLatency()
	m.Open = nil
	m.Ended = true
	return m
}

// packed has no init section and the version that old players ask for.
func packed() *playlist.Media {
	return &playlist.Media{
		Version: 3, TargetDuration: 2, MediaSequence: 1,
		Segments: []playlist.Segment{{URI: "s1.ts", Duration: 1999 * ms}, {URI: "s2.ts", Duration: 2001 * ms}},
	}
}

func videoAndAudio() *playlist.Multivariant {
	return &playlist.Multivariant{
		Variants: []playlist.Variant{{
			URI: "k3f9/v0.m3u8", Bandwidth: 6528000, AverageBandwidth: 5128000, Codecs: []string{"avc1.640028", "mp4a.40.2"},
			Width: 1920, Height: 1080, FrameRate: 30000.0 / 1001, AudioGroup: "audio",
		}},
		Audio: []playlist.AudioRendition{{Group: "audio", Name: "Audio", URI: "k3f9/a0.m3u8", Channels: 2, Default: true}},
	}
}

func ladder() *playlist.Multivariant {
	m := videoAndAudio()
	m.Audio[0].Language = "ja"
	m.Audio = append(m.Audio, playlist.AudioRendition{Group: "audio", Name: "解说 – #2", Language: "zh-Hans", URI: "k3f9/a1.m3u8", Channels: 6})
	low := m.Variants[0]
	low.URI, low.Bandwidth, low.AverageBandwidth, low.Width, low.Height, low.FrameRate = "k3f9/v1.m3u8", 1628000, 0, 854, 480, 25
	m.Variants = append(m.Variants, low)
	return m
}

func audioOnly() *playlist.Multivariant {
	return &playlist.Multivariant{Variants: []playlist.Variant{{URI: "k3f9/a0.m3u8", Bandwidth: 140000, Codecs: []string{"mp4a.40.2"}}}}
}

func mediaCases() map[string]*playlist.Media {
	return map[string]*playlist.Media{
		"media_low_latency": lowLatency(), "media_regular": regular(), "media_reconnected": reconnected(),
		"media_delta": delta(), "media_opening": opening(), "media_ended": ended(), "media_ts": packed(),
	}
}

func multivariantCases() map[string]*playlist.Multivariant {
	return map[string]*playlist.Multivariant{
		"multivariant": videoAndAudio(), "multivariant_ladder": ladder(), "multivariant_audio_only": audioOnly(),
	}
}

func TestGolden(t *testing.T) {
	cases := make(map[string]renderer)
	for name, m := range mediaCases() {
		cases[name] = m
	}
	for name, m := range multivariantCases() {
		cases[name] = m
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := render(t, c)
			compareGolden(t, name+".m3u8", got)
			for range 20 { // the library's maps iterate in random order
				if again := render(t, c); !bytes.Equal(again, got) {
					t.Fatalf("two renderings differ\nfirst:\n%s\nthen:\n%s", got, again)
				}
			}
		})
	}
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
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

func decodeMedia(t *testing.T, b []byte) *eyevinn.MediaPlaylist {
	t.Helper()
	p, kind, err := eyevinn.DecodeFrom(bytes.NewReader(b), true)
	if err != nil || kind != eyevinn.MEDIA {
		t.Fatalf("strict decode: kind %v, %v, of\n%s", kind, err, b)
	}
	return p.(*eyevinn.MediaPlaylist)
}

func decodeMultivariant(t *testing.T, b []byte) *eyevinn.MasterPlaylist {
	t.Helper()
	p, kind, err := eyevinn.DecodeFrom(bytes.NewReader(b), true)
	if err != nil || kind != eyevinn.MASTER {
		t.Fatalf("strict decode: kind %v, %v, of\n%s", kind, err, b)
	}
	return p.(*eyevinn.MasterPlaylist)
}

// Two strict decoders accept everything; what they read is compared elsewhere.
func TestStrictDecoders(t *testing.T) {
	for name, m := range mediaCases() {
		t.Run(name, func(t *testing.T) {
			b := render(t, m)
			decodeMedia(t, b)
			if _, kind, err := m3u8.DecodeFrom(bytes.NewReader(b), true); err != nil || kind != m3u8.MEDIA {
				t.Errorf("grafov: kind %v, %v", kind, err)
			}
		})
	}
	for name, m := range multivariantCases() {
		t.Run(name, func(t *testing.T) {
			b := render(t, m)
			decodeMultivariant(t, b)
			if _, kind, err := m3u8.DecodeFrom(bytes.NewReader(b), true); err != nil || kind != m3u8.MASTER {
				t.Errorf("grafov: kind %v, %v", kind, err)
			}
		})
	}
}
