package packager_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"barrage/packager"
)

// A player that adds a delta update to what it knows has the full playlist. The init
// section stands in the first segment of the update again.
func TestDelta(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 12*time.Second)
		for round := range 60 {
			if round == 30 { // a discontinuity passes the skip boundary, and a short segment
				r.stream.Detach(false)
				r.attach()
				r.tracks(videoTrack(t), audioTrack(t))
			}
			src.run(r, 700*time.Millisecond)
			for _, name := range []string{"v0", "a0"} {
				full := r.body(r.folder() + name + ".m3u8")
				for _, form := range []string{"YES", "v2"} {
					update := r.body(r.folder() + name + ".m3u8?_HLS_skip=" + form)
					if got := merge(t, full, update); got != full {
						t.Fatalf("%s after %d rounds: merged\n%s\nwant\n%s\nupdate\n%s", name, round, got, full, update)
					}
				}
			}
		}
		if n := skipped(t, r.body(r.folder()+"v0.m3u8?_HLS_skip=YES")); n < 15 {
			t.Errorf("%d segments of a minute left out, want all but about 12 s", n)
		}
	})
}

const skipTag = "#EXT-X-SKIP:SKIPPED-SEGMENTS="

func skipped(t *testing.T, update string) int {
	t.Helper()
	_, tail, ok := strings.Cut(update, skipTag)
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(tail, "\n")
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// merge replaces EXT-X-SKIP by the segments that it stands for.
func merge(t *testing.T, full, update string) string {
	t.Helper()
	n := skipped(t, update)
	if n == 0 {
		return update
	}
	head, tail, _ := strings.Cut(update, skipTag+strconv.Itoa(n)+"\n")
	known, at := strings.TrimPrefix(full, head), 0
	for range n {
		end := strings.Index(known[at:], ".m4s\n#EXT") + len(".m4s\n")
		for strings.HasPrefix(known[at+end:], "#EXT-X-PART:") { // a part's URI is no line of its own
			end += strings.Index(known[at+end:], ".m4s\n#EXT") + len(".m4s\n")
		}
		at += end
	}
	again := known[:at]
	if i := strings.LastIndex(again, "#EXT-X-MAP:"); i >= 0 { // written once more, where no other follows
		line := again[i : i+strings.Index(again[i:], "\n")+1]
		tail = strings.Replace(tail, line, "", 1)
	}
	return head + again + tail
}

// No SKIP where nothing is old enough, and never in a playlist that has ended.
func TestNoDelta(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 12*time.Second)
		at := r.folder() + "v0.m3u8?_HLS_skip=YES"
		if body := r.body(at); skipped(t, body) > 0 || !strings.Contains(body, "CAN-SKIP-UNTIL=12.000") {
			t.Errorf("12 s are listed, and some left out:\n%s", body)
		}
		src.run(r, 10*time.Second)
		if skipped(t, r.body(at)) == 0 {
			t.Error("22 s are listed, and nothing left out")
		}
		r.stream.Detach(true)
		<-time.After(11 * time.Second)
		if body := r.body(at); skipped(t, body) > 0 || !strings.Contains(body, "#EXT-X-ENDLIST") || strings.Contains(body, "CAN-SKIP") {
			t.Errorf("a delta update of a playlist that has ended:\n%s", body)
		}
	})
}

// A playlist is written when somebody asks, and then once: for everybody the same bytes.
func TestPlaylistsAreWrittenOnce(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t))
		(&source{fps: 30, gop: 60}).run(r, 30*time.Second)
		e, _ := r.stream.Current()
		v0, _ := e.Rendition("v0")
		w := v0.Window()
		for _, form := range []packager.Form{{}, {Gzip: true}, {Delta: true}, {Gzip: true, Delta: true}} {
			first, again := w.Playlist(form), w.Playlist(form)
			if len(first) == 0 || &first[0] != &again[0] {
				t.Errorf("%+v was written twice", form)
			}
			if n := testing.AllocsPerRun(10, func() { w.Playlist(form) }); n != 0 {
				t.Errorf("%+v: %v allocations of an answer", form, n)
			}
		}
	})
}
