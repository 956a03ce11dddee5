package packager_test

import (
	"fmt"
	"strings"
	"testing"

	"barrage/packager"
)

// A playlist says how far the other rendition is now, not how far it was when this one
// last grew: sound is cut a moment behind the picture.
func TestReportsAreFresh(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		s := &source{fps: 30, gop: 60, audio: true}
		looked := 0
		for range 400 {
			next := s.sound
			if s.frames*1600 <= s.units*1024 { // in ticks of 48 kHz
				next = s.video
			}
			if err := r.stream.WriteSample(next()); err != nil {
				t.Fatal(err)
			}
			e, ok := r.stream.Current()
			if !ok {
				continue
			}
			for name, other := range map[string]string{"v0": "a0", "a0": "v0"} {
				its, _ := e.Rendition(other)
				msn, part := its.Window().Last()
				want := fmt.Sprintf(`URI="%s.m3u8",LAST-MSN=%d,LAST-PART=%d`, other, msn, part)
				mine, _ := e.Rendition(name)
				if text := string(mine.Window().Playlist(packager.Form{})); !strings.Contains(text, want) {
					t.Fatalf("%s does not say %s:\n%s", name, want, text)
				}
				looked++
			}
		}
		if looked < 300 {
			t.Fatalf("looked %d times", looked)
		}
	})
}
