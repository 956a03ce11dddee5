//go:build load && linux

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"
)

func parseURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestIndex(t *testing.T) {
	base := parseURL(t, "http://host/hls/live/index.m3u8")
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"video and audio": {
			"#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a,URI=x\",URI=\"e/a0.m3u8\"\n#EXT-X-STREAM-INF:CODECS=\"a,b\",AUDIO=\"audio\"\ne/v0.m3u8\n",
			[]string{"/hls/live/e/v0.m3u8", "/hls/live/e/a0.m3u8"},
		},
		"muxed, two variants, CRLF": {
			"#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=1\r\n\r\n/high.m3u8?a=b\r\n#EXT-X-STREAM-INF:BANDWIDTH=2\r\nlow.m3u8\r\n",
			[]string{"/high.m3u8?a=b"},
		},
		"audio alone": {
			"#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a0.m3u8\"\n#EXT-X-STREAM-INF:AUDIO=\"audio\"\na0.m3u8\n",
			[]string{"/hls/live/a0.m3u8"},
		},
		"subtitles": {
			"#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,URI=\"s.m3u8\"\n#EXT-X-STREAM-INF:A=1\nv.m3u8\n",
			[]string{"/hls/live/v.m3u8"},
		},
	} {
		if got, err := parseIndex(base, []byte(c.text)); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "<html>", "#EXTM3U\n#EXT-X-STREAM-INF:A=1\n"} {
		if _, err := parseIndex(base, []byte(bad)); !errors.Is(err, errNoPlaylist) {
			t.Errorf("%q: %v, want errNoPlaylist", bad, err)
		}
	}
	if _, err := parseIndex(base, []byte("#EXT-X-STREAM-INF:A=1\n:%zz\n")); err == nil {
		t.Error("a URI that is none is taken")
	}
}

const lowLatency = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.600,HOLD-BACK=7.0,CAN-SKIP-UNTIL=12.0
#EXT-X-PART-INF:PART-TARGET=0.200
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="v0/init-1.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T15:30:46.000Z
#EXTINF:2.000,
v0/s7.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T15:30:48.000Z
#EXT-X-PART:DURATION=1.000,URI="v0/p1.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.999,URI="v0/p2.m4s"
#EXTINF:2.000,live
v0/s8.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T15:30:50.000Z
#EXT-X-PART:DURATION=0.200,URI="v0/p3.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="v0/p4.m4s"
`

func TestMediaPlaylist(t *testing.T) {
	base := parseURL(t, "http://host/hls/live/e/v0.m3u8")
	l, err := parseMedia(base, []byte(lowLatency))
	if err != nil {
		t.Fatal(err)
	}
	if l.target != 2*time.Second || l.hold != 7*time.Second || l.partTarget != 200*time.Millisecond || l.partHold != 600*time.Millisecond ||
		!l.blocks || !l.skips || l.ended || l.init != "/hls/live/e/v0/init-1.mp4" {
		t.Errorf("read %+v", l)
	}
	day := time.Date(2026, 11, 24, 15, 30, 46, 0, time.UTC)
	at := func(s float64) time.Time { return day.Add(time.Duration(s * float64(time.Second))) }
	want := []piece{
		{7, -1, "/hls/live/e/v0/s7.m4s", at(0), at(2), true},
		{8, 0, "/hls/live/e/v0/p1.m4s", at(2), at(3), true},
		{8, 1, "/hls/live/e/v0/p2.m4s", at(3), at(3.999), false},
		{8, -1, "/hls/live/e/v0/s8.m4s", at(2), at(4), true},
		{9, 0, "/hls/live/e/v0/p3.m4s", at(4), at(4.2), true},
	}
	if !slices.Equal(l.pieces, want) {
		t.Errorf("pieces\n%v, want\n%v", l.pieces, want)
	}
	if l.msn != 9 || l.part != 1 || !l.edge.Equal(at(4.2)) || !l.newest(true).Equal(at(4.2)) || !l.newest(false).Equal(at(4)) {
		t.Errorf("comes next: %d.%d, edge %v", l.msn, l.part, l.edge)
	}
	delta := "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-SKIP:SKIPPED-SEGMENTS=30\n" +
		"#EXT-X-PROGRAM-DATE-TIME:2026-11-24T15:30:50.000Z\n#EXTINF:2,\ns37.m4s\n#EXT-X-ENDLIST\n"
	if l, err = parseMedia(base, []byte(delta)); err != nil || l.msn != 38 || l.pieces[0].msn != 37 || !l.ended || l.hold != 6*time.Second {
		t.Errorf("delta update: %+v, %v", l, err)
	}
	for text, want := range map[string]error{
		"hello": errNoPlaylist, "#EXTM3U\n#EXTINF:2,\na.ts\n": errNoClock,
		"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-1\n": nil, "#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:today\n": nil, "#EXTM3U\n#EXT-X-MAP:URI=\":%zz\"\n": nil,
		"#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=x\n": nil,
	} {
		if _, err = parseMedia(base, []byte(text)); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestLibrary: the same bytes are read once, compressed or not, and a player that is
// behind does not make the others read again.
func TestLibrary(t *testing.T) {
	now := time.Now()
	l := newLibrary(parseURL(t, "http://host/index.m3u8"))
	first, err := l.read("/e/v0.m3u8", zipped(t, lowLatency), now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.read("/e/v0.m3u8?_HLS_msn=9", zipped(t, lowLatency), now.Add(time.Second))
	if err != nil || again != first || !again.seen.Equal(now) {
		t.Errorf("read again: %v, seen %v, %v", again != first, again.seen, err)
	}
	longer := lowLatency + "#EXT-X-PART:DURATION=0.200,URI=\"v0/p4.m4s\"\n"
	newer, err := l.read("/e/v0.m3u8", []byte(longer), now.Add(time.Second))
	if err != nil || newer == first {
		t.Fatalf("a new playlist: %v", err)
	}
	if _, err = l.read("/e/v0.m3u8", []byte(lowLatency), now.Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	if again, err = l.read("/e/v0.m3u8", []byte(longer), now.Add(3*time.Second)); err != nil || again != newer {
		t.Error("an old playlist was kept instead of the new one")
	}
	if at := l.listed["/e/v0/p4.m4s"]; !at.Equal(now.Add(time.Second)) || !l.listed["/e/v0/p3.m4s"].Equal(now) {
		t.Errorf("p4 was first listed %v", at)
	}
	for _, bad := range [][]byte{[]byte("no"), {0x1f, 0x8b, 1}, zipped(t, lowLatency)[:40]} {
		if _, err = l.read("/e/v0.m3u8", bad, now); err == nil {
			t.Errorf("%.20q is read", bad)
		}
	}
}
