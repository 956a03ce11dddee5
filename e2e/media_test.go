//go:build e2e

package e2e_test

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStreamIsWhatWasSent(t *testing.T) {
	t.Parallel()
	s := serve(t)
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	url := s.url("/hls/" + room + "/index.m3u8")

	p := probeStream(t, url, 2)
	v, a := p.Streams[0], p.Streams[1]
	if v.Type != "video" {
		v, a = a, v
	}
	if v.Codec != "h264" || v.Profile != "High" || v.Width != 640 || v.Height != 360 || v.FPS != "30/1" || v.BFrames != 2 {
		t.Errorf("video is %+v, want h264 High 640x360 at 30/1 with B-frames", v)
	}
	if a.Codec != "aac" || a.Profile != "LC" || a.SampleRate != "48000" || a.Channels != 2 {
		t.Errorf("audio is %+v, want stereo AAC-LC at 48000", a)
	}

	file := filepath.Join(t.TempDir(), "out.mkv")
	if out, err := tool(t.Context(), "ffmpeg", "-nostdin", "-v", "warning", "-i", url, "-t", "7", "-c", "copy", file); err != nil {
		t.Fatalf("record: %v %s", err, out)
	}
	inSync(t, file)
}

// inSync demands that every frame decodes, and that every flash comes with its beep.
func inSync(t *testing.T, file string) {
	t.Helper()
	if out, err := tool(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", file, "-f", "null", "-"); err != nil || out != "" {
		t.Errorf("decoding: %v %s", err, out)
	}
	out, err := tool(t.Context(), "ffmpeg", "-nostdin", "-hide_banner", "-i", file,
		"-vf", "blackdetect=d=0.1:pix_th=0.5", "-af", "silencedetect=n=-30dB:d=0.1", "-f", "null", "-")
	if err != nil {
		t.Fatal(err)
	}
	flashes, beeps := moments(out, "black_end:"), moments(out, "silence_end:")
	if len(flashes) < 4 || len(beeps) < 4 {
		t.Fatalf("found %d flashes and %d beeps in:\n%s", len(flashes), len(beeps), out)
	}
	for _, flash := range flashes[:4] {
		off := math.Inf(1)
		for _, beep := range beeps {
			if d := beep - flash; math.Abs(d) < math.Abs(off) {
				off = d
			}
		}
		t.Logf("flash at %.3f s, its beep %+.0f ms", flash, off*1000)
		if math.Abs(off) >= 0.050 {
			t.Errorf("beep is %.0f ms off the flash at %.3f s, want under 50", off*1000, flash)
		}
	}
}

// probeStream asks ffprobe until it sees that many tracks.
func probeStream(t *testing.T, url string, tracks int) (p probe) {
	t.Helper()
	eventually(t, 15*time.Second, "ffprobe reads the stream", func() (err error) {
		p, err = ffprobe(t.Context(), url)
		if err == nil && len(p.Streams) != tracks {
			err = fmt.Errorf("%d tracks, want %d", len(p.Streams), tracks)
		}
		return err
	})
	return p
}

func TestOneTrackAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		card  card
		codec string
	}{
		{"only video", card{noAudio: true}, "h264"},
		{"only audio", card{noVideo: true}, "aac"},
		{"only MP3", card{noVideo: true, mp3: true}, "mp3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			publish(t, s.publishURL(t), c.card)
			s.waitPhase(t, "live", 20*time.Second)
			if p := probeStream(t, s.url("/hls/"+room+"/index.m3u8"), 1); p.Streams[0].Codec != c.codec {
				t.Errorf("codec is %s, want %s", p.Streams[0].Codec, c.codec)
			}
		})
	}
}

// TestLongGOPPlays sends what an anchor sends who changes nothing in OBS.
func TestLongGOPPlays(t *testing.T) {
	t.Parallel()
	s := serve(t)
	publish(t, s.publishURL(t), card{gop: 250})
	s.waitPhase(t, "live", 25*time.Second)
	b := startBrowser(t)
	p := b.open(t, "viewer", s.url("/r/"+room))
	t.Logf("playing %v after the page was opened", p.plays(t, 25*time.Second).Round(10*time.Millisecond))

	token := s.command(t, "token", room, "-role", "host")
	studio := b.open(t, "studio", s.url("/studio/"+room+"#token="+token))
	eventually(t, 15*time.Second, "the studio warns in plain words", func() error {
		text, err := studio.text(t.Context(), "body")
		if err == nil && !strings.Contains(text, "Viewers wait that long for their first picture") {
			err = fmt.Errorf("it says:\n%s", tail(text, 30))
		}
		return err
	})
	studio.calm(t)
}

// TestFirstPlayable measures what an anchor waits for: from the first sample to
// the first playlist a player can start from.
func TestFirstPlayable(t *testing.T) {
	s := serve(t)
	publish(t, s.publishURL(t), card{})
	index := s.url("/hls/" + room + "/index.m3u8")
	var playlist []byte
	eventually(t, 20*time.Second, "a playlist", func() error {
		multivariant, err := get(t.Context(), index)
		if err != nil {
			return err
		}
		playlist, err = get(t.Context(), strings.TrimSuffix(index, "index.m3u8")+variant(string(multivariant)))
		return err
	})
	playable := time.Now()
	_, rest, ok := strings.Cut(string(playlist), "#EXT-X-PROGRAM-DATE-TIME:")
	if !ok {
		t.Fatalf("no program date time in:\n%s", playlist)
	}
	text, _, _ := strings.Cut(rest, "\n")
	first, err := time.Parse("2006-01-02T15:04:05.999Z07:00", strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("playable %v after the first sync sample; one GOP is 2 s", playable.Sub(first).Round(time.Millisecond))
}
