//go:build reliability

package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// on adds a second recording behind the first moments of tags.
func on(tags []flvTag, from time.Duration, more []flvTag) []flvTag {
	var out []flvTag
	for _, tag := range tags {
		if tag.due() < from {
			out = append(out, tag)
		}
	}
	for _, tag := range more {
		tag.at += from.Milliseconds()
		out = append(out, tag)
	}
	return out
}

// only keeps what ok says.
func only(tags []flvTag, ok func(flvTag) bool) []flvTag {
	var out []flvTag
	for _, tag := range tags {
		if ok(tag) {
			out = append(out, tag)
		}
	}
	return out
}

// variantOf lets ffmpeg make another recording of a file.
func variantOf(t *testing.T, file string, args ...string) []flvTag {
	t.Helper()
	other := filepath.Join(t.TempDir(), "other.flv")
	said, err := tool(t.Context(), "ffmpeg", append(append([]string{"-hide_banner", "-nostdin", "-loglevel", "warning", "-i", file}, args...), other)...)
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return parseFLV(t, other)
}

// show is what a room serves at one moment.
type show struct {
	session, epoch string
	index          string
	renditions     map[string]string // playlists by their address
}

// shows reads it; the error says what is missing.
func (s *server) shows(ctx context.Context, room string) (now show, err error) {
	body, err := get(ctx, s.url("/api/v1/rooms/"+room))
	if err != nil {
		return now, err
	}
	var state roomState
	if err = json.Unmarshal(body, &state); err != nil {
		return now, err
	}
	if body, err = get(ctx, s.url("/hls/"+room+"/index.m3u8")); err != nil {
		return now, err
	}
	now = show{session: state.Session, epoch: state.Epoch, index: string(body)}
	now.renditions, err = s.playlists(ctx, room)
	return now, err
}

// listed returns how much the shortest rendition lists, and how many discontinuities
// each has; faults are reported.
func (sh show) listed(t *testing.T) (long time.Duration, breaks int, hole time.Duration) {
	t.Helper()
	long = time.Hour
	for uri, text := range sh.renditions {
		w := &timeline{}
		w.look(text)
		d, n, h := w.verdict()
		for _, fault := range w.faults {
			t.Errorf("%s: %s", uri, fault)
		}
		if len(sh.renditions) > 1 && long != time.Hour && n != breaks {
			t.Errorf("%s has %d discontinuities, the other rendition %d", uri, n, breaks)
		}
		long, breaks, hole = min(long, d), n, max(hole, h)
	}
	return long, breaks, hole
}

var errLess = errors.New("not all of it is listed yet")

// lists waits until a room lists so much in all renditions.
func (s *server) lists(t *testing.T, room string, least time.Duration) show {
	t.Helper()
	var now show
	eventually(t, 10*time.Second, room+" is listed", func() (err error) {
		if now, err = s.shows(t.Context(), room); err != nil {
			return err
		}
		for _, text := range now.renditions {
			w := &timeline{}
			w.look(text)
			if d, _, _ := w.verdict(); d < least {
				return fmt.Errorf("%w: %v of %v", errLess, d, least)
			}
		}
		return nil
	})
	return now
}

var (
	mapURI     = regexp.MustCompile(`#EXT-X-MAP:URI="([^"]+)"`)
	resolution = regexp.MustCompile(`RESOLUTION=(\d+x\d+)`)
)

// maps counts the init sections of the rendition whose address ends so.
func (sh show) maps(suffix string) int {
	seen := map[string]bool{}
	for uri, text := range sh.renditions {
		if strings.HasSuffix(uri, suffix) {
			for _, m := range mapURI.FindAllStringSubmatch(text, -1) {
				seen[m[1]] = true
			}
		}
	}
	return len(seen)
}

// TestR08Reconnect loses the connection and comes back after a while, with times
// from zero, as encoders do.
func TestR08Reconnect(t *testing.T) {
	const long = 8 * time.Second
	s := serve(t, openMode)
	tags := parseFLV(t, record(t, long))
	for _, away := range []time.Duration{3 * time.Second, 30 * time.Second, 90 * time.Second} {
		t.Run(away.String(), func(t *testing.T) {
			t.Parallel()
			r := newRow(t, "R08", fmt.Sprintf("publisher back after %v", away))
			name := "back-" + away.String()
			if err := replay(t.Context(), s.addrs.RTMP, name, tags, offset(0)); err != nil {
				t.Fatal(err)
			}
			before := s.lists(t, name, long-time.Second)
			<-time.After(away)
			if err := replay(t.Context(), s.addrs.RTMP, name, tags, offset(0)); err != nil {
				t.Fatal(err)
			}
			want, goesOn := long-time.Second, away < time.Minute
			if goesOn {
				want *= 2
			}
			after := s.lists(t, name, want)
			_, breaks, hole := after.listed(t)
			r.measured("same session %v, same epoch %v, %d discontinuities, hole in PDT %.1f s",
				after.session == before.session, after.epoch == before.epoch, breaks, hole.Seconds())
			if (after.session == before.session) != goesOn || (after.epoch == before.epoch) != goesOn {
				t.Errorf("session %s epoch %s after %s %s", after.session, after.epoch, before.session, before.epoch)
			}
			switch {
			case goesOn && (breaks != 1 || after.maps("v0.m3u8") != 2 || (hole-away).Abs() > 2*time.Second):
				t.Errorf("%d discontinuities, %d init sections, a hole of %v: want 1, 2 and about %v", breaks, after.maps("v0.m3u8"), hole, away)
			case !goesOn:
				for uri := range before.renditions {
					if text, err := get(t.Context(), s.url("/hls/"+name+"/"+uri)); err != nil || !strings.Contains(string(text), "#EXT-X-ENDLIST") {
						t.Errorf("the session before has not ended: %v\n%s", err, text)
					}
				}
				if breaks != 0 {
					t.Errorf("the new session starts with %d discontinuities", breaks)
				}
			}
		})
	}
}

// TestR25Tracks changes what a publisher sends while it is live, or leaves parts out.
func TestR25Tracks(t *testing.T) {
	const half = 8 * time.Second
	s := serve(t, openMode, "BARRAGE_PACKAGER_WINDOW=2m")
	file := record(t, half)
	tags := parseFLV(t, file)
	x264 := []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x264-params", "scenecut=0"}
	small := variantOf(t, file, append(x264, "-vf", "scale=320:180", "-g", "60", "-c:a", "copy")...)
	mp3 := variantOf(t, file, "-c:v", "copy", "-c:a", "libmp3lame", "-b:a", "96k")
	endless := variantOf(t, record(t, 64*time.Second), append(x264, "-g", "100000", "-keyint_min", "100000", "-c:a", "copy")...)
	play := func(t *testing.T, name string, tags []flvTag, w warp) {
		t.Helper()
		if err := replay(t.Context(), s.addrs.RTMP, name, tags, w); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("resolution", func(t *testing.T) {
		t.Parallel()
		r := newRow(t, "R25", "another resolution in the middle")
		done := make(chan struct{})
		go func() { defer close(done); play(t, "resolution", on(tags, half, small), offset(0)) }()
		first := s.lists(t, "resolution", time.Second)
		<-done
		now := s.lists(t, "resolution", 2*half-2*time.Second)
		_, breaks, _ := now.listed(t)
		was, is := resolution.FindString(first.index), resolution.FindString(now.index)
		r.measured("same epoch %v, %d discontinuity in both renditions, %d init sections, %s then %s", first.epoch == now.epoch, breaks, now.maps("v0.m3u8"), was, is)
		if first.epoch != now.epoch || breaks != 1 || now.maps("v0.m3u8") != 2 || now.maps("a0.m3u8") != 1 || is != "RESOLUTION=320x180" {
			t.Error("want the same epoch, 1 discontinuity, 2 init sections of the video and the new resolution")
		}
	})
	t.Run("codec", func(t *testing.T) {
		t.Parallel()
		r := newRow(t, "R25", "another codec in the middle (AAC, then MP3)")
		done := make(chan struct{})
		go func() { defer close(done); play(t, "codec", on(tags, half, mp3), offset(0)) }()
		first := s.lists(t, "codec", time.Second)
		<-done
		now := s.lists(t, "codec", half-3*time.Second)
		_, breaks, _ := now.listed(t)
		ended := 0
		for uri := range first.renditions {
			if text, err := get(t.Context(), s.url("/hls/codec/"+uri)); err == nil && strings.Contains(string(text), "#EXT-X-ENDLIST") {
				ended++
			}
		}
		r.measured("same session %v, new epoch %v, %d renditions before it ended", first.session == now.session, first.epoch != now.epoch, ended)
		if first.session != now.session || first.epoch == now.epoch || breaks != 0 || ended != 2 || !strings.Contains(now.index, "mp4a.40.34") {
			t.Errorf("%d discontinuities, index\n%s", breaks, now.index)
		}
	})
	t.Run("audio only", func(t *testing.T) {
		t.Parallel()
		r := newRow(t, "R25", "audio alone")
		play(t, "audio-only", only(tags, func(tag flvTag) bool { return tag.kind == rtmpAudio }), offset(0))
		long, breaks, _ := s.lists(t, "audio-only", half-time.Second).listed(t)
		r.measured("%.1f s of %.0f s listed, %d discontinuities", long.Seconds(), half.Seconds(), breaks)
		if breaks != 0 {
			t.Error("want none")
		}
	})
	t.Run("audio late", func(t *testing.T) {
		t.Parallel()
		r := newRow(t, "R25", "audio 4 s late, not announced")
		var late []flvTag
		for _, tag := range tags {
			if tag.kind == rtmpVideo || tag.at >= 4000 {
				late = append(late, tag)
			} else if tag.at == 0 && len(tag.body) < 10 { // its sequence header, when it begins
				tag.at = 4000
				late = append(late, tag)
			}
		}
		done := make(chan struct{})
		go func() { defer close(done); play(t, "audio-late", inOrder(late), offset(0)) }()
		first := s.lists(t, "audio-late", time.Second)
		<-done
		now := s.lists(t, "audio-late", time.Second)
		r.measured("%d rendition, then a new epoch (%v) of the same session (%v) with %d", len(first.renditions), first.epoch != now.epoch, first.session == now.session, len(now.renditions))
		if len(first.renditions) != 1 || len(now.renditions) != 2 || first.epoch == now.epoch || first.session != now.session {
			t.Error("want 1 and 2 renditions")
		}
	})
	t.Run("no sync sample", func(t *testing.T) {
		t.Parallel()
		r := newRow(t, "R25", "no sync sample for 64 s (sent four times as fast)")
		play(t, "endless", endless, func(tag flvTag) (time.Duration, int64) { return tag.due() / 4, tag.at })
		now := s.lists(t, "endless", 60*time.Second)
		long, breaks, _ := now.listed(t)
		forced := s.metric(t, "barrage_packager_forced_cuts_total")
		r.measured("%.1f s listed, %d discontinuities, %.0f segments cut without a sync sample", long.Seconds(), breaks, forced)
		if breaks != 0 || forced < 5 {
			t.Error("want no discontinuity, and at least 5 such segments")
		}
	})
}

// inOrder puts tags into the order of their times, as they are sent.
func inOrder(tags []flvTag) []flvTag {
	slices.SortStableFunc(tags, func(a, b flvTag) int { return cmp.Compare(a.at, b.at) })
	return tags
}
