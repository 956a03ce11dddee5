//go:build players

package e2e_test

import (
	"path/filepath"
	"strconv"
	"testing"
)

// film is what the publishers of the players send: encoded once, sent in real time
// without a codec, so that the machine is left to the players.
type film struct {
	size    string // 640x360 when empty
	profile string // of H.264; main when empty
	gop     int    // frames; 0 = 60
	rate    int    // of the sound; 0 = 48000
	silent  bool
	seconds int
}

// make encodes f and returns the file.
func (f film) make(t *testing.T) string {
	t.Helper()
	size, profile, gop, rate, bframes := f.size, f.profile, f.gop, f.rate, "2"
	sound := []string{"-c:a", "aac", "-b:a", "96k", "-ac", "2"}
	if size == "" {
		size = "640x360"
	}
	if profile == "" {
		profile = "main"
	}
	if profile == "baseline" {
		bframes = "0"
	}
	if gop == 0 {
		gop = 60
	}
	if rate == 0 {
		rate = 48000
	}
	if f.silent {
		sound = []string{"-an"}
	}
	file := filepath.Join(t.TempDir(), "film.flv")
	args := append([]string{
		"-nostdin", "-v", "error",
		"-f", "lavfi", "-i", "testsrc2=rate=30:size=" + size, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=" + strconv.Itoa(rate),
		"-c:v", "libx264", "-preset", "ultrafast", "-profile:v", profile, "-bf", bframes, "-g", strconv.Itoa(gop), "-x264-params", "scenecut=0",
		"-pix_fmt", "yuv420p", "-b:v", "500k", "-threads", "1", "-t", strconv.Itoa(f.seconds),
	}, append(sound, file)...)
	if out, err := tool(t.Context(), "ffmpeg", args...); err != nil {
		t.Fatalf("encode: %v %s", err, out)
	}
	return file
}

// send publishes a file in real time.
func send(t *testing.T, s *server, file string) *process {
	t.Helper()
	return start(t, nil, "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "warning", "-re", "-i", file, "-c", "copy", "-f", "flv", s.publishURL(t))
}
