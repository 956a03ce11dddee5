package packager_test

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"barrage/packager"
	"barrage/packager/media"

	mc "github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
)

// packed is what a playlist of MPEG-TS says.
type packed struct {
	text                      string
	msn, discontinuities      uint64   // of the first segment, and before it
	segments                  []string // URIs
	breaks                    []uint64 // discontinuities before each
	ended                     bool
	duration, target, longest float64
}

func tag(t *testing.T, text, name string) uint64 {
	t.Helper()
	m := regexp.MustCompile(`#EXT-X-` + name + `:(\d+)\n`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in\n%s", name, text)
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func bandwidth(t *testing.T, index string) int {
	t.Helper()
	m := regexp.MustCompile(`[:,]BANDWIDTH=(\d+)`).FindStringSubmatch(index)
	if m == nil {
		t.Fatalf("no BANDWIDTH in\n%s", index)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func readPacked(t *testing.T, text string) packed {
	t.Helper()
	l := packed{text: text, msn: tag(t, text, "MEDIA-SEQUENCE"), discontinuities: tag(t, text, "DISCONTINUITY-SEQUENCE")}
	l.target = float64(tag(t, text, "TARGETDURATION"))
	breaks := uint64(0)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "#EXT-X-DISCONTINUITY":
			breaks++
		case line == "#EXT-X-ENDLIST":
			l.ended = true
		case strings.HasPrefix(line, "#EXTINF:"):
			d, err := strconv.ParseFloat(strings.Trim(line[len("#EXTINF:"):], ","), 64)
			if err != nil {
				t.Fatal(err)
			}
			l.duration, l.longest = l.duration+d, max(l.longest, d)
		case line != "" && line[0] != '#':
			l.segments, l.breaks, breaks = append(l.segments, line), append(l.breaks, breaks), 0
		}
	}
	return l
}

// epochNumber returns how many discontinuities lie before a segment, its own included.
func (l packed) epochNumber(msn uint64) uint64 {
	n := l.discontinuities
	for i := range msn - l.msn + 1 {
		n += l.breaks[i]
	}
	return n
}

// oldPlayer plays MPEG-TS: it polls the playlist and keeps every segment it has seen.
type oldPlayer struct {
	r      *room
	newest packed
	media  map[uint64]string // by media sequence number
	last   uint64
}

func (p *oldPlayer) poll() packed {
	p.r.t.Helper()
	t := p.r.t
	text := p.r.body(p.r.folder() + "ts.m3u8")
	l := readPacked(t, text)
	if l.msn < p.newest.msn || l.discontinuities < p.newest.discontinuities {
		t.Fatalf("the playlist goes back from\n%s\nto\n%s", p.newest.text, text)
	}
	for i, uri := range l.segments {
		msn := l.msn + uint64(i)
		if want := fmt.Sprintf("ts/s%d.ts", msn); uri != want {
			t.Fatalf("segment %d is at %s, want %s", msn, uri, want)
		}
		body := p.r.body(p.r.folder() + uri)
		if known, ok := p.media[msn]; ok && known != body {
			t.Fatalf("segment %d has other bytes than before", msn)
		}
		p.media[msn], p.last = body, max(p.last, msn)
	}
	p.newest = l
	return l
}

func newOldPlayer(r *room) *oldPlayer { return &oldPlayer{r: r, media: map[uint64]string{}} }

// transport counts the access units of one segment and checks the continuity counters:
// last is what came before it.
func transport(t *testing.T, body string, last map[int]byte) (pictures, sounds int) {
	t.Helper()
	if len(body) == 0 || len(body)%188 != 0 {
		t.Fatalf("%d bytes are not whole packets", len(body))
	}
	var sound []byte
	for b := []byte(body); len(b) > 0; b = b[188:] {
		pid, count, payload := int(b[1]&0x1f)<<8|int(b[2]), b[3]&0x0f, b[4:188]
		if before, ok := last[pid]; ok && count != (before+1)&0x0f {
			t.Fatalf("pid %#x: continuity counter %d after %d", pid, count, before)
		}
		last[pid] = count
		if b[3]&0x20 != 0 {
			payload = payload[1+payload[0]:]
		}
		switch {
		case pid == 0x100 && b[1]&0x40 != 0:
			pictures++
		case pid == 0x101:
			sound = append(sound, payload...)
		}
	}
	return pictures, bytes.Count(sound, []byte{0xff, 0xf1, 0x4c, 0x80}) // of ADTS
}

// samples counts the samples of a segment of fMP4.
func samples(t *testing.T, r *room, name string, msn uint64) int {
	t.Helper()
	var parts mc.Parts
	if err := parts.Unmarshal([]byte(r.body(r.folder() + name + "/s" + strconv.FormatUint(msn, 10) + ".m4s"))); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range parts {
		n += len(p.Tracks[0].Samples)
	}
	return n
}

// The first request gets a playlist that plays; then every segment is there as it is in
// fMP4, sample for sample, the counters unbroken.
func TestMuxed(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true, reorder: 2}
		src.run(r, 30*time.Second)
		index := r.body("/hls/live/ts.m3u8")
		for _, want := range []string{"#EXT-X-VERSION:3\n", `CODECS="avc1.640028,mp4a.40.2"`, "RESOLUTION=1920x1080", "FRAME-RATE=30.000", "\n" + r.stream.Status().Epoch + "/ts.m3u8\n"} {
			if strings.Count(index, want) != 1 {
				t.Errorf("%q is missing in\n%s", want, index)
			}
		}
		p := newOldPlayer(r)
		if l := p.poll(); l.duration < 12 || l.duration > 14 || l.target != 2 {
			t.Errorf("%v s at once, want 12 and a little:\n%s", l.duration, l.text)
		}
		first := p.newest.msn
		for range 40 {
			src.run(r, 1700*time.Millisecond)
			if l := p.poll(); l.longest > l.target+0.5 {
				t.Fatalf("a segment lasts %v s:\n%s", l.longest, l.text)
			}
		}
		if again := readPacked(t, r.body(r.folder()+"v0.m3u8")); again.msn+uint64(len(again.segments)) != p.last+1 {
			t.Errorf("newest segment %d, want that of the video:\n%s", p.last, again.text)
		}
		for _, not := range []string{"PART", "SERVER-CONTROL", "MAP", "PRELOAD", "RENDITION-REPORT", "SKIP"} {
			if strings.Contains(p.newest.text, "#EXT-X-"+not) {
				t.Errorf("%s in\n%s", not, p.newest.text)
			}
		}
		counters := map[int]byte{}
		for msn := first; msn <= p.last; msn++ {
			pictures, sounds := transport(t, p.media[msn], counters)
			if msn < p.last-25 { // no longer in memory
				continue
			}
			if v, a := samples(t, r, "v0", msn), samples(t, r, "a0", msn); pictures != v || sounds != a {
				t.Errorf("segment %d: %d pictures and %d units of audio, want %d and %d", msn, pictures, sounds, v, a)
			}
		}
		if w := r.get(r.folder() + "ts/s" + strconv.FormatUint(p.last+1, 10) + ".ts"); w.status != http.StatusNotFound {
			t.Errorf("a segment to come = %d, want 404", w.status)
		}
		for _, no := range []string{"ts/p1.m4s", "ts/s1.m4s", "ts/init-1.mp4", "ts/s01.ts", "v0/s5.ts"} {
			if a := r.get(r.folder() + no); a.status != http.StatusNotFound {
				t.Errorf("GET %s = %d, want 404", no, a.status)
			}
		}
	})
}

// Without requests it is off after a minute and holds nothing. On again, it is where it
// should be, and what it makes a second time is the same.
func TestMuxedOffAndOn(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 299, audio: true} // 9.97 s: six target durations are seven segments
		src.run(r, 200*time.Second)
		without := r.reg.Held()
		p := newOldPlayer(r)
		p.poll()
		last := p.last
		if with := r.reg.Held(); with < without*5/4 {
			t.Errorf("%d bytes held, %d without MPEG-TS: it is not counted", with, without)
		}
		src.run(r, 59*time.Second)
		if r.reg.Held() < without*5/4 {
			t.Error("off before a minute has passed")
		}
		src.run(r, 2*time.Second)
		if now := r.reg.Held(); now > without*11/10 {
			t.Errorf("%d bytes held after a minute without requests, want %d as before", now, without)
		}
		if l := p.poll(); l.msn > last {
			t.Errorf("starts with %d, behind what was made before, %d: this tests nothing", l.msn, last)
		}
		src.run(r, 200*time.Second)
		if l := p.poll(); l.msn <= last {
			t.Errorf("starts with %d after a long pause, want a later one than %d", l.msn, last)
		}
		counters := map[int]byte{}
		for msn := p.newest.msn; msn <= p.last; msn++ {
			transport(t, p.media[msn], counters)
		}
	})
}

// Discontinuities stand where they do in fMP4, before and after they have left.
func TestMuxedDiscontinuity(t *testing.T) {
	for _, late := range []bool{false, true} { // switched on behind the discontinuities
		live(t, packager.DefaultConfig(), func(r *room) {
			p := newOldPlayer(r)
			for round := range 40 {
				src := &source{fps: 30, gop: 60, audio: true, reorder: 2 * (round % 2)}
				if round%9 == 1 {
					r.stream.Detach(false)
					<-time.After(3 * time.Second)
					r.attach()
				}
				if round == 0 || round%9 == 1 {
					r.tracks(videoTrack(t), audioTrack(t))
				} else {
					src.offset = int64(round) * 100_000 // a jump
				}
				src.run(r, 4*time.Second)
				if round == 0 || late && round < 30 {
					continue
				}
				p.poll()
				v := readPacked(t, r.body(r.folder()+"v0.m3u8"))
				for msn := max(v.msn, p.newest.msn); msn <= p.last; msn++ {
					if got, want := p.newest.epochNumber(msn), v.epochNumber(msn); got != want {
						t.Fatalf("segment %d is behind %d discontinuities, want %d\n%s\n%s", msn, got, want, p.newest.text, v.text)
					}
				}
			}
			counters := map[int]byte{}
			for msn, ok := p.last, true; ok; msn-- { // the newest run of them, from its start
				if _, ok = p.media[msn-1]; !ok {
					for ; msn <= p.last; msn++ {
						transport(t, p.media[msn], counters)
					}
					return
				}
			}
		})
	}
}

// H.264 and AAC, each alone or both; nothing else, and then the answer says why.
func TestMuxedCodecs(t *testing.T) {
	cases := map[string]struct {
		tracks []media.Track
		says   string
	}{
		"h264":         {[]media.Track{videoTrack(t)}, `CODECS="avc1.640028"`},
		"aac":          {[]media.Track{audioTrack(t)}, `CODECS="mp4a.40.2"`},
		"hevc and aac": {[]media.Track{hevcTrack(t), audioTrack(t)}, "not of hevc"},
		"h264 and mp3": {[]media.Track{videoTrack(t), mp3Track(t)}, "not of mp3"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			live(t, packager.DefaultConfig(), func(r *room) {
				r.tracks(c.tracks...)
				src := &source{gop: 60}
				for _, tr := range c.tracks {
					if tr.Kind == media.Video {
						src.fps = 30
					} else {
						src.audio = true
					}
				}
				src.run(r, 10*time.Second)
				want := http.StatusOK
				if strings.HasPrefix(c.says, "not") {
					want = http.StatusNotFound
				}
				if a := r.get("/hls/live/ts.m3u8"); a.status != want || !strings.Contains(a.body, c.says) {
					t.Errorf("ts.m3u8 = %d %s, want %d with %s", a.status, a.body, want, c.says)
				}
				if a := r.get(r.folder() + "ts.m3u8"); a.status != want {
					t.Errorf("the media playlist = %d, want %d", a.status, want)
				}
			})
		})
	}
}

// MPEG-TS counts in the room's memory, and is what is dropped first.
func TestMuxedIsBounded(t *testing.T) {
	cfg := packager.DefaultConfig()
	cfg.WindowBytes = 16 << 20
	live(t, cfg, func(r *room) {
		r.tracks(videoTrack(t))
		src := &source{fps: 30, gop: 60, weight: 9_000}
		src.run(r, 25*time.Second)
		p := newOldPlayer(r)
		for range 60 {
			src.run(r, 1900*time.Millisecond)
			p.poll()
			if held := r.reg.Held(); held > cfg.WindowBytes+1<<20 {
				t.Fatalf("%d bytes held, want %d at most", held, cfg.WindowBytes)
			}
		}
		v := readPacked(t, r.body(r.folder()+"v0.m3u8"))
		if p.newest.duration < 6 || p.newest.duration > 10 || v.duration < 35 {
			t.Errorf("%v s of MPEG-TS and %v s of fMP4 are listed, want about 6 and as much as fits", p.newest.duration, v.duration)
		}
	})
}

// The end of the session is the end of the playlist; who comes then still gets it. When
// the epoch is forgotten nothing is held.
func TestMuxedEnds(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		(&source{fps: 30, gop: 60, audio: true}).run(r, 11*time.Second)
		folder := r.folder()
		r.stream.Detach(true)
		<-time.After(11 * time.Second)
		l := readPacked(t, r.body(folder+"ts.m3u8"))
		v := readPacked(t, r.body(folder+"v0.m3u8"))
		if !l.ended || l.msn+uint64(len(l.segments)) != v.msn+uint64(len(v.segments)) {
			t.Errorf("want ENDLIST behind the last segment of\n%s\ngot\n%s", v.text, l.text)
		}
		<-time.After(61 * time.Second)
		if held := r.reg.Held(); held != 0 {
			t.Errorf("%d bytes held when all is over, want 0", held)
		}
	})
}

// Many may ask at once, while the publisher writes.
func TestMuxedConcurrently(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(r, 8*time.Second)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				p := newOldPlayer(r)
				for range 50 {
					p.poll()
					<-time.After(370 * time.Millisecond)
				}
			})
		}
		src.run(r, 20*time.Second)
		wg.Wait()
	})
}

// pictureTimes returns the presentation times in one segment, and its clock references.
func pictureTimes(body string) (shown, clock []uint64) {
	for b := []byte(body); len(b) > 0; b = b[188:] {
		if pid := int(b[1]&0x1f)<<8 | int(b[2]); pid != 0x100 || b[1]&0x40 == 0 {
			continue
		}
		c := b[6:]
		clock = append(clock, uint64(c[0])<<25|uint64(c[1])<<17|uint64(c[2])<<9|uint64(c[3])<<1|uint64(c[4])>>7)
		p := b[5+b[4]+9:]
		shown = append(shown, uint64(p[0]&0x0e)<<29|uint64(p[1])<<22|uint64(p[2]&0xfe)<<14|uint64(p[3])<<7|uint64(p[4])>>1)
	}
	return shown, clock
}

// A stream of 26 and a half hours passes the 33 bits of MPEG-TS without a seam: each
// picture is a second behind the one before, and its clock a tenth of one before it.
func TestMuxedPasses33Bits(t *testing.T) {
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t))
		src := &source{fps: 1, gop: 2}
		src.run(r, 95_420*time.Second)
		p := newOldPlayer(r)
		for range 12 {
			p.poll()
			src.run(r, 4*time.Second)
		}
		const mask = 1<<33 - 1
		wraps, before, counters := 0, uint64(0), map[int]byte{}
		for msn := p.newest.msn; msn <= p.last; msn++ {
			transport(t, p.media[msn], counters)
			shown, clock := pictureTimes(p.media[msn])
			for i, at := range shown {
				if before != 0 && at != (before+90000)&mask || clock[i] != (at-9000)&mask {
					t.Fatalf("segment %d, picture %d: shown at %d with clock %d, behind %d", msn, i, at, clock[i], before)
				}
				if at < before {
					wraps++
				}
				before = at
			}
		}
		if wraps != 1 || strings.Contains(p.newest.text, "#EXT-X-DISCONTINUITY\n") {
			t.Errorf("passed the wrap %d times, want once and without a discontinuity:\n%s", wraps, p.newest.text)
		}
	})
}
