package packager_test

import (
	"net/http"
	"testing"
	"time"

	"barrage/packager"
)

// "A Server that removes a Media Segment [...] SHOULD ensure that the segment remains
// available for a duration equal to the segment duration plus the duration of the
// longest Playlist that contained it" (RFC 8216bis, 6.2.2), be the segments of sound a
// little longer than the target.
func TestRemovedSegmentsStay(t *testing.T) {
	type life struct {
		own, longest float64   // seconds
		last         time.Time // listed
	}
	cfg := packager.DefaultConfig()
	live(t, cfg, func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 4*time.Second)
		lives := map[string]*life{}
		done := make(chan struct{})
		go func() {
			defer close(done)
			src.run(r, 300*time.Second)
		}()
		defer func() { <-done }()
		for range 5990 { // 300 s, nearly
			<-time.After(50 * time.Millisecond)
			for _, name := range []string{"v0", "a0"} {
				l := readList(t, r.body(r.folder()+name+".m3u8"))
				var all float64
				for _, s := range l.segments {
					all += s.dur
				}
				for _, s := range l.segments {
					if s.uri != "" {
						known := lives[s.uri]
						if known == nil {
							known = &life{own: s.dur}
							lives[s.uri] = known
						}
						known.longest, known.last = max(known.longest, all), time.Now()
					}
				}
			}
			for uri, s := range lives {
				due := time.Duration((s.own + s.longest) * float64(time.Second))
				gone := time.Since(s.last)
				if gone > due {
					delete(lives, uri)
				} else if gone > due-time.Second && r.get(r.folder()+uri).status != http.StatusOK {
					t.Errorf("%v: %s is gone %v s after it left the playlist, want it to stay %v (%v + %v)", r.get(r.folder()+uri).status, uri, gone.Seconds(), due.Seconds(), s.own, s.longest)
					delete(lives, uri)
				}
			}
		}
	})
}
