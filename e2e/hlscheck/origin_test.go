package hlscheck_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"barrage/e2e/hlscheck"
	"barrage/packager/fmp4"
	"barrage/packager/media"
)

// The stream of the fake origin: 30 pictures and 46.875 units of sound a second.
const (
	partLength = 500 * time.Millisecond
	breakAt    = 10 // the segment, from 0, before which there is a discontinuity
	jump       = 5  // seconds that media time jumps there
	avcHigh    = "01640028ffe1001b67640028acd940780227e5c044000003000400000300f03c60c65801000468ef8fcbfdf8f800"
	aacLC      = "1190"
	forever    = "public, max-age=31536000, immutable"
)

// origin is a live stream made up from the time alone: state, playlists and media
// follow from how many parts are out. The hooks break one thing each.
type origin struct {
	start    time.Time
	parts    int // of the whole stream, after which it ends
	perSeg   int // parts of a segment
	window   int // segments listed
	boundary time.Duration
	zips     *sync.Pool

	out     func(n int) int                                          // how many parts are out; nil: by the clock
	list    func(name string, n int, m *hlscheck.Media)              // a playlist before it is written
	text    func(r *http.Request, text string) string                // and after
	samples func(name string, k int, s []media.Sample)               // of a part
	before  func(o *origin, r *http.Request) *answer                 // instead of the answer
	after   func(o *origin, r *http.Request, a *answer, waited bool) // on it
	packets func(msn int, packets [][]byte) [][]byte                 // of a segment of MPEG-TS
	delay   func(msn int) uint64                                     // what its PTS are late by, in ticks of 90 kHz
}

type answer struct {
	status int
	header http.Header
	body   []byte
	slow   time.Duration // between the first half and the second
}

func newOrigin() *origin {
	return &origin{start: time.Now(), parts: 120, perSeg: 4, window: 12, boundary: 12 * time.Second, zips: &sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
		return z
	}}}
}

func (o *origin) published() int {
	n := min(int(time.Since(o.start)/partLength), o.parts)
	if o.out != nil {
		n = o.out(n)
	}
	return n
}

// level is that of the pictures, in hexadecimal: a higher one behind the discontinuity.
func (o *origin) level() string {
	if o.published() > breakAt*o.perSeg {
		return "29"
	}
	return "28"
}

// ended is true a part's length after the last part: what was hinted never comes.
func (o *origin) ended() bool {
	return time.Since(o.start) >= time.Duration(o.parts+1)*partLength
}

// wait returns when that many parts are out, or the stream has ended.
func (o *origin) wait(r *http.Request, parts int) {
	for o.published() < parts && !o.ended() {
		next := partLength - time.Since(o.start)%partLength
		select {
		case <-time.After(next):
		case <-r.Context().Done():
			return
		}
	}
}

// startOf is when part k begins, in samples of the track and in milliseconds.
func startOf(name string, k int) (tick int64, ms time.Duration) {
	if name != "a0" {
		return int64(k) * 45000, time.Duration(k) * partLength
	}
	unit := int64(math.Ceil(float64(k) * 24000 / 1024))
	return unit * 1024, (time.Duration(unit*1024) * time.Second / 48000).Round(time.Millisecond)
}

func (o *origin) part(name string, k int) hlscheck.Part {
	_, from := startOf(name, k)
	_, to := startOf(name, k+1)
	return hlscheck.Part{URI: fmt.Sprintf("%s/p%d.m4s", name, k), Duration: to - from, Independent: name == "a0" || k%o.perSeg == 0}
}

// playlist is the state with n parts out.
func (o *origin) playlist(name string, n int) *hlscheck.Media {
	m := &hlscheck.Media{Version: 9, TargetDuration: 2 * time.Second, HoldBack: 6 * time.Second, Ended: o.ended()}
	low := name != "t0"
	if low {
		m.PartTarget, m.PartHoldBack, m.CanSkipUntil, m.CanBlock = 530*time.Millisecond, 1590*time.Millisecond, o.boundary, true
	} else {
		m.Version, m.HoldBack = 3, 0
	}
	first := max(0, n/o.perSeg-o.window)
	m.MediaSequence = uint64(first) + 1
	if first > breakAt {
		m.DiscontinuitySequence = 1
	}
	for i := first; i*o.perSeg < n; i++ {
		from := i * o.perSeg
		_, start := startOf(name, from)
		_, end := startOf(name, from+o.perSeg)
		s := hlscheck.Segment{MSN: uint64(i) + 1, PDT: o.start.Add(start).Round(time.Millisecond), Discontinuity: i == breakAt}
		s.Map = fmt.Sprintf("%s/init-%d.mp4", name, min(i/breakAt, 1))
		if from+o.perSeg <= n {
			s.URI, s.Duration = fmt.Sprintf("%s/s%d.m4s", name, i+1), end-start
		}
		if _, edge := startOf(name, n); edge-end <= 3*m.TargetDuration && !m.Ended && low {
			for k := from; k < min(from+o.perSeg, n); k++ {
				s.Parts = append(s.Parts, o.part(name, k))
			}
		}
		if !low {
			s.Map, s.URI = "", strings.Replace(s.URI, ".m4s", ".ts", 1)
			if s.URI == "" {
				break
			}
		}
		m.Segments = append(m.Segments, s)
	}
	if !m.Ended && low {
		m.Hint = o.part(name, n).URI
		m.Reports = []hlscheck.Report{{URI: map[string]string{"v0": "a0.m3u8", "a0": "v0.m3u8"}[name], At: hlscheck.Position{MSN: uint64((n-1)/o.perSeg) + 1, Part: (n - 1) % o.perSeg}}}
	}
	if o.list != nil {
		o.list(name, n, m)
	}
	return m
}

// skip makes a delta update of m.
func skip(m *hlscheck.Media, boundary time.Duration) {
	rest := m.Length()
	for m.Skipped < len(m.Segments)-1 && rest-m.Segments[m.Skipped].Duration >= boundary {
		rest -= m.Segments[m.Skipped].Duration
		m.Skipped++
	}
	m.Segments = m.Segments[m.Skipped:]
}

func write(m *hlscheck.Media, init string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%d\n", m.Version, int(m.TargetDuration.Seconds()))
	if m.IndependentSegments {
		b.WriteString("#EXT-X-INDEPENDENT-SEGMENTS\n")
	}
	var control []string
	for _, a := range []struct {
		name string
		d    time.Duration
	}{{"CAN-SKIP-UNTIL", m.CanSkipUntil}, {"HOLD-BACK", m.HoldBack}, {"PART-HOLD-BACK", m.PartHoldBack}} {
		if a.d > 0 && !m.Ended {
			control = append(control, fmt.Sprintf("%s=%.3f", a.name, a.d.Seconds()))
		}
	}
	if m.CanBlock {
		control = append([]string{"CAN-BLOCK-RELOAD=YES"}, control...)
	}
	if len(control) > 0 {
		fmt.Fprintf(&b, "#EXT-X-SERVER-CONTROL:%s\n", strings.Join(control, ","))
	}
	if m.PartTarget > 0 && !m.Ended {
		fmt.Fprintf(&b, "#EXT-X-PART-INF:PART-TARGET=%.3f\n", m.PartTarget.Seconds())
	}
	fmt.Fprintf(&b, "#EXT-X-MEDIA-SEQUENCE:%d\n#EXT-X-DISCONTINUITY-SEQUENCE:%d\n", m.MediaSequence, m.DiscontinuitySequence)
	if m.Skipped > 0 {
		fmt.Fprintf(&b, "#EXT-X-SKIP:SKIPPED-SEGMENTS=%d\n", m.Skipped)
	}
	for i := range m.Segments {
		writeSegment(&b, &m.Segments[i], init)
		init = m.Segments[i].Map
	}
	if m.Hint != "" {
		fmt.Fprintf(&b, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"%s\"\n", m.Hint)
	}
	for _, r := range m.Reports {
		fmt.Fprintf(&b, "#EXT-X-RENDITION-REPORT:URI=\"%s\",LAST-MSN=%d,LAST-PART=%d\n", r.URI, r.At.MSN, r.At.Part)
	}
	if m.Ended {
		b.WriteString("#EXT-X-ENDLIST\n")
	}
	return b.String()
}

func writeSegment(b *strings.Builder, s *hlscheck.Segment, init string) {
	if s.Discontinuity {
		b.WriteString("#EXT-X-DISCONTINUITY\n")
	}
	if s.Map != init {
		fmt.Fprintf(b, "#EXT-X-MAP:URI=\"%s\"\n", s.Map)
	}
	date := ""
	if !s.PDT.IsZero() {
		date = "#EXT-X-PROGRAM-DATE-TIME:" + s.PDT.UTC().Format("2006-01-02T15:04:05.000Z") + "\n"
	}
	late := len(s.Late) > 0 && len(s.Parts) > 0
	if !late {
		b.WriteString(date)
	}
	for i, p := range s.Parts {
		fmt.Fprintf(b, "#EXT-X-PART:DURATION=%.3f,URI=\"%s\"", p.Duration.Seconds(), p.URI)
		if p.Independent {
			b.WriteString(",INDEPENDENT=YES")
		}
		b.WriteString("\n")
		if late && i == 0 {
			b.WriteString(date)
		}
	}
	if s.URI != "" {
		fmt.Fprintf(b, "#EXTINF:%.3f,\n%s\n", s.Duration.Seconds(), s.URI)
	}
}

// ServeHTTP answers as an origin does that obeys all rules, but for its hooks.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := o.published()
	var a *answer
	if o.before != nil {
		a = o.before(o, r)
	}
	if a == nil {
		a = o.route(r)
	}
	if o.after != nil {
		o.after(o, r, a, o.published() > asked)
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Age, Date")
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	maps.Copy(h, a.header)
	w.WriteHeader(a.status)
	half := len(a.body) / 2
	_, _ = w.Write(a.body[:half])
	if a.slow > 0 {
		_ = http.NewResponseController(w).Flush()
		<-time.After(a.slow)
	}
	_, _ = w.Write(a.body[half:])
}

func reply(status int, mime, cache string, body []byte) *answer {
	return &answer{status: status, header: http.Header{"Content-Type": {mime}, "Cache-Control": {cache}}, body: body}
}

func refuse(status int) *answer { return reply(status, "text/plain", "max-age=1", []byte("no\n")) }

var mediaPath = regexp.MustCompile(`^/(v0|a0|t0)/(init-|s|p)(\d+)\.(mp4|m4s|ts)$`)

func (o *origin) route(r *http.Request) *answer {
	n := o.published()
	path := strings.Trim(r.URL.Path, "/")
	if n < o.perSeg {
		return refuse(http.StatusNotFound)
	}
	switch path {
	case "index.m3u8", "moved.m3u8":
		return o.zip(r, strings.ReplaceAll(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="main",DEFAULT=YES,AUTOSELECT=YES,LANGUAGE="und",URI="a0.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=100000,AVERAGE-BANDWIDTH=100000,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=30.000,AUDIO="audio"
v0.m3u8
`, "avc1.640028", "avc1.6400"+o.level()), "max-age=1")
	case "ts.m3u8":
		return o.zip(r, `#EXTM3U
#EXT-X-VERSION:3
#EXT-X-STREAM-INF:BANDWIDTH=100000,AVERAGE-BANDWIDTH=100000,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=30.000
t0.m3u8
`, "max-age=1")
	case "v0.m3u8", "a0.m3u8", "t0.m3u8":
		return o.reload(r, path[:2])
	}
	if m := mediaPath.FindStringSubmatch(r.URL.Path); m != nil {
		number, _ := strconv.Atoi(m[3])
		return o.media(r, m[1], m[2], number)
	}
	return refuse(http.StatusNotFound)
}

// current is the playlist as it is, in the way that the request asks for.
func (o *origin) current(r *http.Request, name, cache string) *answer {
	m := o.playlist(name, o.published())
	init := ""
	if r.URL.Query().Get("_HLS_skip") != "" && !m.Ended && m.CanSkipUntil > 0 {
		init = m.Segments[0].Map
		skip(m, m.CanSkipUntil)
		if m.Skipped == 0 {
			init = ""
		} else if m.Segments[0].Discontinuity {
			init = "" // the section of what is skipped
		}
	}
	if m.Skipped > 0 && m.Segments[0].MSN > breakAt+1 {
		init = m.Segments[0].Map
	}
	return o.zip(r, write(m, init), cache)
}

func (o *origin) reload(r *http.Request, name string) *answer {
	q := r.URL.Query()
	n := o.published()
	if o.ended() || name == "t0" || !q.Has("_HLS_msn") {
		if q.Has("_HLS_part") && !o.ended() {
			return refuse(http.StatusBadRequest)
		}
		return o.current(r, name, "max-age=1")
	}
	msn, _ := strconv.Atoi(q.Get("_HLS_msn"))
	part, err := strconv.Atoi(q.Get("_HLS_part"))
	last := (n-1)/o.perSeg + 1
	target := msn * o.perSeg
	if err == nil {
		target = (msn-1)*o.perSeg + min(part, o.perSeg) + 1 // a part behind the end is the first of the next
	}
	if msn > last+2 || err == nil && msn == last && part > (n-1)%o.perSeg+6 {
		return refuse(http.StatusBadRequest)
	}
	o.wait(r, target)
	if o.ended() {
		return o.current(r, name, "max-age=1")
	}
	return o.current(r, name, "max-age=12")
}

func (o *origin) zip(r *http.Request, text, cache string) *answer {
	if o.text != nil {
		text = o.text(r, text)
	}
	a := reply(http.StatusOK, "application/vnd.apple.mpegurl", cache, []byte(text))
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z := o.zips.Get().(*gzip.Writer) // a new one costs more than all else here
		z.Reset(&b)
		_, _ = z.Write(a.body)
		_ = z.Close()
		o.zips.Put(z)
		a.body = b.Bytes()
		a.header.Set("Content-Encoding", "gzip")
	}
	return a
}

func (o *origin) media(r *http.Request, name, kind string, number int) *answer {
	mime := map[string]string{"v0": "video/mp4", "a0": "audio/mp4", "t0": "video/mp2t"}[name]
	var body []byte
	switch kind {
	case "init-":
		track := trackOf(name)
		if name == "v0" && number == 1 {
			track.Config[3] = 0x29
		}
		body, _ = fmp4.AppendInit(nil, track)
	case "p":
		if number > o.published() {
			return refuse(http.StatusNotFound)
		}
		if o.wait(r, number+1); number >= o.published() {
			return refuse(http.StatusNotFound)
		}
		body = o.fragment(nil, name, number)
	default:
		if number*o.perSeg > o.published() || number == 0 {
			return refuse(http.StatusNotFound)
		}
		for k := (number - 1) * o.perSeg; k < number*o.perSeg; k++ {
			body = o.fragment(body, name, k)
		}
		if name == "t0" {
			body = o.transport(number)
		}
	}
	return reply(http.StatusOK, mime, forever, body)
}

func trackOf(name string) media.Track {
	if name == "a0" {
		config, _ := hex.DecodeString(aacLC)
		return media.Track{ID: 1, Kind: media.Audio, Codec: media.AAC, TimeScale: 48000, Config: config, SampleRate: 48000, Channels: 2}
	}
	config, _ := hex.DecodeString(avcHigh)
	return media.Track{ID: 1, Kind: media.Video, Codec: media.H264, TimeScale: 90000, Config: config, Width: 1920, Height: 1080, FrameRate: 30}
}

// fragment is part k: every sample carries its number.
func (o *origin) fragment(dst []byte, name string, k int) []byte {
	from, _ := startOf(name, k)
	to, _ := startOf(name, k+1)
	length, scale := int64(3000), int64(90000)
	if name == "a0" {
		length, scale = 1024, 48000
	}
	var samples []media.Sample
	for at := from; at < to; at += length {
		s := media.Sample{DTS: at, Duration: uint32(length), Sync: name == "a0" || at == from && k%o.perSeg == 0, Data: fmt.Appendf(nil, "%s %d", name, at)}
		if k >= breakAt*o.perSeg {
			s.DTS += jump * scale
		}
		samples = append(samples, s)
	}
	if o.samples != nil {
		o.samples(name, k, samples)
	}
	return fmp4.AppendFragment(dst, fmp4.Fragment{Sequence: uint32(k) + 1, Samples: samples})
}

// transport is a segment of MPEG-TS: tables, and one packet for each picture.
func (o *origin) transport(msn int) []byte {
	packets := [][]byte{
		packet(0, msn, append([]byte{0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0}, 0, 0, 0, 0)),
		packet(0x1000, msn, append([]byte{0, 2, 0xb0, 18, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0, 0x1b, 0xe1, 0, 0xf0, 0}, 0, 0, 0, 0)),
	}
	const pictures = 60
	for i := (msn - 1) * pictures; i < msn*pictures; i++ {
		shown := i
		if at := i % pictures; msn%2 == 0 && (at == 0 || at == 3) { // decoded long before it is shown, as where no sync sample is
			shown += 3 - 2*at
		}
		pts := uint64(shown)*3000 + 1<<33 - 3000*300 // past the wrap after ten seconds
		if msn > breakAt {
			pts += jump * 90000
		}
		if o.delay != nil {
			pts += o.delay(msn)
		}
		pes := []byte{
			0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5,
			0x21 | byte(pts>>29)&0x0e, byte(pts >> 22), byte(pts>>14) | 1, byte(pts >> 7), byte(pts<<1) | 1,
		}
		packets = append(packets, packet(0x100, i, fmt.Appendf(pes, "picture %d", i)))
	}
	if o.packets != nil {
		packets = o.packets(msn, packets)
	}
	return bytes.Join(packets, nil)
}

// packet fills what payload leaves with an adaptation field.
func packet(pid, counter int, payload []byte) []byte {
	b := []byte{0x47, 0x40 | byte(pid>>8), byte(pid), 0x30 | byte(counter&15), byte(183 - len(payload)), 0}
	b = append(b, bytes.Repeat([]byte{0xff}, 188-len(b)-len(payload))...)
	return append(b, payload...)
}
