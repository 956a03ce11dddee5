//go:build clients

package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// client is a way to send a clip to a server.
type client struct {
	name    string
	clip    string
	secure  bool
	command func(c clip, server, key string) []string
}

// ffmpeg sends a clip as it is, with options for its output.
func ffmpeg(options ...string) func(clip, string, string) []string {
	return func(c clip, server, key string) []string {
		args := []string{"ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "warning", "-re", "-i", c.path, "-c", "copy"}
		args = append(args, options...)
		return append(args, "-f", "flv", server+"/"+key)
	}
}

// gstreamer takes a clip apart and puts it together again in front of a sink.
func gstreamer(sink string) func(clip, string, string) []string {
	return func(c clip, server, key string) []string {
		at := server + "/" + key
		return append([]string{"gst-launch-1.0"}, strings.Fields("filesrc location="+c.path+" ! flvdemux name=d "+
			"flvmux name=m streamable=true ! "+fmt.Sprintf(sink, at)+
			" d.video ! queue ! h264parse ! m. d.audio ! queue ! aacparse ! m.")...)
	}
}

func clients() []client {
	return []client{
		{name: "ffmpeg, B-frames", clip: "b-frames", command: ffmpeg()},
		{name: "ffmpeg, audio only", clip: "audio only", command: ffmpeg()},
		{name: "ffmpeg, video only", clip: "video only", command: ffmpeg()},
		{name: "ffmpeg, MP3", clip: "mp3", command: ffmpeg()},
		// 16777.215 s is where RTMP's short times end, 2147483.648 s where those of
		// clients end that count in 31 bits.
		{name: "ffmpeg, times pass 2^24 ms", clip: "b-frames", command: ffmpeg("-output_ts_offset", "16776")},
		{name: "ffmpeg, times above 2^24 ms", clip: "b-frames", command: ffmpeg("-output_ts_offset", "16780")},
		{name: "ffmpeg, times pass 2^31 ms", clip: "b-frames", command: ffmpeg("-output_ts_offset", "2147480")},
		{name: "GStreamer rtmp2sink, chunks of 128", clip: "b-frames", command: gstreamer("rtmp2sink chunk-size=128 location=%s")},
		{name: "GStreamer rtmp2sink, chunks of 4096", clip: "b-frames", command: gstreamer("rtmp2sink chunk-size=4096 location=%s")},
		{name: "GStreamer rtmp2sink, chunks of 65536", clip: "b-frames", command: gstreamer("rtmp2sink chunk-size=65536 location=%s")},
		{name: "GStreamer rtmpsink", clip: "b-frames", command: gstreamer("rtmpsink location=%s")},
		{name: "ffmpeg, RTMPS", clip: "b-frames", secure: true, command: ffmpeg()},
		{
			name: "GStreamer rtmp2sink, RTMPS", clip: "b-frames", secure: true,
			command: gstreamer("rtmp2sink tls-validation-flags=no-flags location=%s"),
		},
	}
}

// TestClients sends clips with the encoders people use, and counts what players get.
func TestClients(t *testing.T) {
	t.Parallel()
	needs(t, program{"gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"})
	clips := makeClips(t)
	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var settings []string
			if c.secure {
				settings = selfSigned(t)
			}
			s := serveClients(t, settings...)
			addr := "rtmp://" + s.addrs.RTMP
			if c.secure {
				addr = "rtmps://" + s.addrs.RTMPS
			}
			command := c.command(clips[c.clip], addr+"/live", s.command(t, "key", room))
			p := start(t, nil, command[0], command[1:]...)
			code := p.wait(t, time.Minute)
			if said := p.log.String(); code != 0 || strings.Contains(said, "ERROR") {
				t.Errorf("the client ended with %d and said:\n%s", code, tail(said, 20))
			}
			s.delivered(t, c.name, clips[c.clip].sent)
		})
	}
}
