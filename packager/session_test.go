package packager_test

import (
	"testing"
	"time"

	"barrage/packager"
)

func TestFirstLook(t *testing.T) {
	live(t, packager.DefaultConfig(), func(t *testing.T, r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true, reorder: 3}
		src.run(r, 12*time.Second+700*time.Millisecond)
		t.Log(r.body("/hls/live/index.m3u8"))
		t.Log(r.body(r.folder() + "v0.m3u8"))
		t.Log(r.body(r.folder() + "a0.m3u8"))
		t.Logf("%+v", r.stream.Status())
	})
}
