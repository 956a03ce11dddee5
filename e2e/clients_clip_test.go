//go:build clients

package e2e_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strconv"
	"testing"
)

// clip is a file with a known number of access units.
type clip struct {
	path string
	sent count
}

// clipSeconds is long enough for several segments and for both times that wrap.
const clipSeconds = 10

// clipOptions are what ffmpeg encodes for each name. Sound begins a little behind
// the first picture and ends before the last: what is heard without a picture is
// not served, and GStreamer forgets that pictures are shown later than decoded.
func clipOptions() map[string][]string {
	picture := []string{"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"}
	later := []string{"-itsoffset", "0.1"}
	sound := []string{"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=9.7"}
	h264 := []string{
		"-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-bf", "3", "-g", "60", "-pix_fmt", "yuv420p",
		"-x264-params", "scenecut=0:b-adapt=0",
	}
	aac := []string{"-c:a", "aac", "-b:a", "96k", "-ac", "2"}
	join := func(parts ...[]string) (all []string) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	return map[string][]string{
		"b-frames":   join(picture, later, sound, h264, aac),
		"video only": join(picture, h264),
		"audio only": join(sound, aac),
		"mp3":        join(picture, later, sound, h264, []string{"-c:a", "libmp3lame", "-b:a", "96k", "-ar", "44100", "-ac", "2"}),
	}
}

// makeClips encodes every clip once; which one is a matter of the name.
func makeClips(t *testing.T) map[string]clip {
	t.Helper()
	clips := map[string]clip{}
	dir := t.TempDir()
	for name, options := range clipOptions() {
		c := clip{path: filepath.Join(dir, name+".flv")}
		args := append([]string{"-nostdin", "-v", "error"}, options...)
		if _, err := tool(t.Context(), "ffmpeg", append(args, "-t", strconv.Itoa(clipSeconds), c.path)...); err != nil {
			t.Fatalf("encode %q: %v", name, err)
		}
		var err error
		if c.sent, err = countPackets(t.Context(), c.path); err != nil {
			t.Fatalf("count %q: %v", name, err)
		}
		clips[name] = c
	}
	return clips
}

// countPackets lets ffprobe count what is in a file or a finished playlist.
func countPackets(ctx context.Context, url string, options ...string) (count, error) {
	var p struct {
		Streams []struct {
			Type    string `json:"codec_type"`
			Packets string `json:"nb_read_packets"`
		} `json:"streams"`
	}
	args := append([]string{"-v", "error"}, options...)
	out, err := tool(ctx, "ffprobe", append(args, "-count_packets", "-show_streams", "-of", "json", url)...)
	if err == nil {
		err = json.Unmarshal([]byte(out), &p)
	}
	var c count
	for _, s := range p.Streams {
		n, wrong := strconv.Atoi(s.Packets)
		if wrong != nil {
			return c, wrong
		}
		if s.Type == "video" {
			c.video += n
		} else {
			c.audio += n
		}
	}
	return c, err
}
