package packager_test

import (
	"strings"
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
