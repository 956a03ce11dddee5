package packager_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"barrage/packager"
	"barrage/packager/media"
)

// hvcC of x265, 640x360 at 30 fps.
const hevc360 = "01016000000090000000000" + "03ff000fcfdf8f800000f03" +
	"2000010018" + "40010c01ffff01600000030090000003000003003f959409" +
	"210001002b" + "42010101600000030090000003000003003fa0050201" + "71f2e595952930bc05a020000003002000000303c1" +
	"2200010006" + "4401c073c189"

func hevcTrack(t *testing.T) media.Track {
	t.Helper()
	return media.Track{Kind: media.Video, Codec: media.HEVC, TimeScale: 1000, Config: config(t, hevc360), Width: 640, Height: 360}
}

func mp3Track(t *testing.T) media.Track {
	t.Helper()
	return media.Track{Kind: media.Audio, Codec: media.MP3, TimeScale: 1000, Config: config(t, "fffb0400"), SampleRate: 48000, Channels: 2}
}

func TestHEVCAndMP3(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(hevcTrack(t), mp3Track(t))
		src := &source{fps: 30, gop: 60, reorder: 3, audio: true, unit: 1152}
		for _, v := range play(t, r, src, 30*time.Second, "v0", "a0") {
			if v.now.partTarget != 0.530 || v.now.target != 2 {
				t.Errorf("%s: part target %v target %d, want 0.53 and 2", v.name, v.now.partTarget, v.now.target)
			}
		}
		index := r.body("/hls/live/index.m3u8")
		if want := `CODECS="hvc1.1.6.L63.90,mp4a.40.34",RESOLUTION=640x360,AUDIO="audio"`; !strings.Contains(index, want) {
			t.Errorf("no %s in\n%s", want, index)
		}
	})
}

func TestMP3Alone(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(mp3Track(t))
		src := &source{audio: true, unit: 1152}
		src.run(r, 6*time.Second)
		index := r.body("/hls/live/index.m3u8")
		if strings.Count(index, "#EXT-X-STREAM-INF") != 1 || !strings.Contains(index, `CODECS="mp4a.40.34"`) {
			t.Errorf("want one variant of MP3 in\n%s", index)
		}
	})
}

// Players cannot change the decoder within a playlist: another codec is another epoch.
func TestCodecChange(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 6*time.Second)
		first := r.stream.Status()
		r.tracks(hevcTrack(t))
		src.run(r, 6*time.Second)
		second := r.stream.Status()
		if first.Epoch == "" || second.Epoch == first.Epoch || second.Session != first.Session || len(second.Tracks) != 2 {
			t.Errorf("%+v then %+v, want another epoch of the session with two tracks", first, second)
		}
		if old := r.body("/hls/live/" + first.Epoch + "/v0.m3u8"); !strings.Contains(old, "#EXT-X-ENDLIST") {
			t.Errorf("the epoch before has not ended:\n%s", old)
		}
	})
}

// Who comes when a stream of higher level begins must be told before the init section
// is listed, or a player begins what it cannot decode.
func TestIndexNamesNewInit(t *testing.T) {
	for name, change := range map[string]func(r *room){
		"going on":          func(*room) {},
		"after a reconnect": func(r *room) { r.stream.Detach(false); r.attach() },
	} {
		t.Run(name, func(t *testing.T) {
			live(t, packager.DefaultConfig(), func(r *room) {
				low := videoTrack(t)
				low.Config, low.Width, low.Height = config(t, avc720), 1280, 720
				r.tracks(low, audioTrack(t))
				src := &source{fps: 30, gop: 60, audio: true}
				src.run(r, 6*time.Second)
				change(r)
				r.tracks(videoTrack(t), audioTrack(t))
				for !strings.Contains(r.body(r.folder()+"v0.m3u8"), "v0/init-2.mp4") {
					src.run(r, 100*time.Millisecond)
				}
				index := r.body("/hls/live/index.m3u8")
				if !strings.Contains(index, `CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080`) {
					r.t.Errorf("the new init section is listed, and the multivariant playlist says\n%s", index)
				}
			})
		})
	}
}

// Pictures that are on no grid have a frame rate too: Apple's authoring specification wants
// FRAME-RATE with every video (9.15). It is what was promised, else what was measured.
func TestFrameRateWithoutGrid(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"video h264 30 gop 2s jitter 12":            "30.000",
		"video h264 30 gop 2s jitter 12 unpromised": "30.000",
		"video h264 59.94 gop 2s jitter 9":          "59.940",
		"video h264 60 gop 2s slowest 20":           "60.000", // "the maximum frame rate for all the video" (4.4.6.2)
		"video h264 10 gop 2s jitter 40 unpromised": "10.000",
		"video h264 25 gop 2s":                      "25.000",
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			var stepped atomic.Int64
			serve(t, packager.DefaultConfig(), nil, func(r *room) {
				a := newActor(r, func() {}, &stepped)
				a.weight = map[media.Kind]int{media.Video: 500}
				for _, line := range []string{"attach", script, "for 9s"} {
					if err := a.do(line); err != nil {
						r.t.Fatal(err)
					}
				}
				for _, name := range []string{"index.m3u8", "ts.m3u8"} {
					if text := r.body("/hls/live/" + name); !strings.Contains(text, "FRAME-RATE="+want) {
						r.t.Errorf("%s: no FRAME-RATE=%s in\n%s", name, want, text)
					}
				}
			})
		})
	}
}
