//go:build e2e || clients || players || reliability

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// card is what ffmpeg publishes. The zero value is 640x360, 30 frames a second
// with B-frames, a sync sample every 2 s, and a tone. Every second the picture
// flashes and the tone beeps together.
type card struct {
	noVideo, noAudio bool
	mp3              bool // instead of AAC
	gop              int  // frames; 0 = 60
	seconds          int  // 0 = for ever
}

// Short enough to be a moment, long enough for every frame rate.
const (
	flash = "color=black:size=640x360:rate=30,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.2)'"
	beep  = "aevalsrc=exprs='0.5*sin(2*PI*880*t)*lt(mod(t,1),0.2)':sample_rate=48000:channel_layout=stereo"
)

func (c card) args(url string) []string {
	args := []string{"-hide_banner", "-nostdin", "-loglevel", "warning", "-re"}
	if !c.noVideo {
		args = append(args, "-f", "lavfi", "-i", flash)
	}
	if !c.noAudio {
		args = append(args, "-f", "lavfi", "-i", beep)
	}
	if !c.noVideo {
		gop := c.gop
		if gop == 0 {
			gop = 60
		}
		// Three B-frames, one of them referred to: what x264 does by itself, and the
		// greatest distance between decoding and showing. scenecut would put sync
		// samples at the flashes.
		args = append(args, "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-bf", "3", "-g", strconv.Itoa(gop),
			"-x264-params", "scenecut=0:b-adapt=0", "-pix_fmt", "yuv420p", "-b:v", "600k", "-threads", "1")
	}
	if !c.noAudio {
		codec := "aac"
		if c.mp3 {
			codec = "libmp3lame"
		}
		args = append(args, "-c:a", codec, "-b:a", "96k")
	}
	if c.seconds > 0 {
		args = append(args, "-t", strconv.Itoa(c.seconds))
	}
	return append(args, "-f", "flv", url)
}

// publish lets ffmpeg stream c until the test ends or the process is stopped.
func publish(t *testing.T, url string, c card) *process {
	t.Helper()
	return start(t, nil, "ffmpeg", c.args(url)...)
}

// probe is what ffprobe reads of a stream.
type probe struct {
	Streams []struct {
		Type       string `json:"codec_type"`
		Codec      string `json:"codec_name"`
		Profile    string `json:"profile"`
		Width      int    `json:"width"`
		Height     int    `json:"height"`
		FPS        string `json:"avg_frame_rate"`
		SampleRate string `json:"sample_rate"`
		Channels   int    `json:"channels"`
		BFrames    int    `json:"has_b_frames"`
	} `json:"streams"`
}

func ffprobe(ctx context.Context, url string) (p probe, err error) {
	out, err := tool(ctx, "ffprobe", "-v", "error", "-show_streams", "-of", "json", url)
	if err == nil {
		err = json.Unmarshal([]byte(out), &p)
	}
	return p, err
}

// tool runs a program to its end and returns what it says on both streams.
func tool(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", name, err, tail(out.String(), 10))
	}
	return out.String(), nil
}

// moments returns the times that a ffmpeg filter printed behind key, in seconds.
func moments(out, key string) []float64 {
	var times []float64
	for _, field := range strings.FieldsFunc(strings.ReplaceAll(out, key+" ", key), func(r rune) bool { return r == ' ' || r == '\n' || r == '\r' }) {
		text, ok := strings.CutPrefix(field, key)
		if !ok {
			continue
		}
		if at, err := strconv.ParseFloat(text, 64); err == nil {
			times = append(times, at)
		}
	}
	return times
}
