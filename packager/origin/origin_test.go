package origin_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"barrage/packager"
	"barrage/packager/media"
	"barrage/packager/origin"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// site is the origin with one room whose publisher is a loop over frames: two-second
// GOPs at 30 fps and AAC beside them, as fast as the test wants.
type site struct {
	t       testing.TB
	handler *origin.Handler
	prom    *prometheus.Registry
	reg     *packager.Registry
	stream  *packager.Stream
	frames  int64
	units   int64
	skew    int64  // milliseconds that the publisher's times have jumped
	size    int    // bytes of a frame
	base    string // of the epoch
}

func open(tb testing.TB, opts origin.Options) *site {
	tb.Helper()
	return openAs(tb, opts, packager.DefaultConfig(), 200)
}

func openAs(tb testing.TB, opts origin.Options, cfg packager.Config, size int) *site {
	tb.Helper()
	s := &site{t: tb, size: size}
	s.boot(opts, cfg, nil)
	s.publish()
	s.feed(6*30 + 16) // three segments and one part
	s.base = "/hls/live/" + s.stream.Status().Epoch + "/"
	return s
}

func (s *site) boot(opts origin.Options, cfg packager.Config, records *os.Root) {
	s.t.Helper()
	s.prom = prometheus.NewRegistry()
	var err error
	if s.reg, err = packager.New(cfg, packager.Options{Registerer: s.prom, Records: records}); err != nil {
		s.t.Fatal(err)
	}
	opts.Registerer = s.prom
	if s.handler, err = origin.New(s.reg, opts); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) publish() {
	s.t.Helper()
	var err error
	if s.stream, err = s.reg.Attach("live"); err != nil {
		s.t.Fatal(err)
	}
	avc, _ := hex.DecodeString("01640028ffe1001b67640028acd940780227e5c044000003000400000300f03c60c65801000468ef8fcbfdf8f800")
	for _, tr := range []media.Track{
		{Kind: media.Video, Codec: media.H264, TimeScale: 1000, Config: avc, Width: 1920, Height: 1080},
		{Kind: media.Audio, Codec: media.AAC, TimeScale: 1000, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2},
	} {
		if err := s.stream.SetTrack(tr); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) feed(frames int64) {
	s.t.Helper()
	for range frames {
		ms := s.frames*1000/30 + s.skew
		s.write(media.Sample{Kind: media.Video, Sync: s.frames%60 == 0, DTS: ms, Data: bytes.Repeat([]byte{byte(s.frames)}, s.size)})
		s.frames++
		for s.units*1024/48 < s.frames*1000/30 {
			s.write(media.Sample{Kind: media.Audio, DTS: s.units*1024/48 + s.skew, Data: make([]byte, 50)})
			s.units++
		}
	}
}

func (s *site) write(m media.Sample) {
	s.t.Helper()
	if err := s.stream.WriteSample(m); err != nil {
		s.t.Fatal(err)
	}
}

// answer is what the origin says.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *site) do(method, path string, headers ...string) answer {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Result().Header, w.Body.String()}
}

func (s *site) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.do(http.MethodGet, path, headers...)
}

// Every answer: status, type, how long it may be kept.
func TestAnswers(t *testing.T) {
	s := open(t, origin.Options{})
	const forever, short, never = "public, max-age=31536000, immutable", "public, max-age=1", "no-store"
	for path, want := range map[string][3]any{
		"/hls/live/index.m3u8": {200, "application/vnd.apple.mpegurl", short},
		"v0.m3u8":              {200, "application/vnd.apple.mpegurl", short},
		"a0.m3u8":              {200, "application/vnd.apple.mpegurl", short},
		"v0/init-1.mp4":        {200, "video/mp4", forever},
		"a0/init-1.mp4":        {200, "audio/mp4", forever},
		"v0/s1.m4s":            {200, "video/mp4", forever},
		"v0/p13.m4s":           {200, "video/mp4", forever},
		"a0/p1.m4s":            {200, "audio/mp4", forever},

		"v0.m3u8?_HLS_msn=4&_HLS_part=0": {200, "application/vnd.apple.mpegurl", "public, max-age=12"},
		"v0.m3u8?_HLS_msn=3":             {200, "application/vnd.apple.mpegurl", "public, max-age=12"},
		"v0.m3u8?_HLS_msn=3&_HLS_part=9": {200, "application/vnd.apple.mpegurl", "public, max-age=12"}, // the first part of segment 4
		"v0.m3u8?_HLS_msn=0":             {200, "application/vnd.apple.mpegurl", short},                // stale: the playlist as it is
		"v0.m3u8?_HLS_skip=YES":          {200, "application/vnd.apple.mpegurl", short},
		"v0.m3u8?_HLS_part=1":            {400, "application/json", never},
		"v0.m3u8?_HLS_msn=x":             {400, "application/json", never},
		"v0.m3u8?_HLS_msn=-1":            {400, "application/json", never},
		"v0.m3u8?_HLS_msn=4&_HLS_part=x": {400, "application/json", never},
		"v0.m3u8?_HLS_msn=7":             {400, "application/json", never},
		"v0.m3u8?_HLS_msn=4&_HLS_part=9": {400, "application/json", never},
		"v0.m3u8?_HLS_msn=%zz":           {400, "application/json", never},

		"/hls/none/index.m3u8":      {404, "application/json", short},
		"/hls/live/none/v0.m3u8":    {404, "application/json", short},
		"/hls/live/":                {404, "application/json", short},
		"/hls/":                     {404, "application/json", short},
		"/elsewhere":                {404, "application/json", short},
		"v1.m3u8":                   {404, "application/json", short},
		"v0":                        {404, "application/json", short},
		"v0/":                       {404, "application/json", short},
		"v0/init-2.mp4":             {404, "application/json", short},
		"v0/s4.m4s":                 {404, "application/json", short},
		"v0/s01.m4s":                {404, "application/json", short},
		"v0/s+1.m4s":                {404, "application/json", short},
		"v0/s1.m4s/more":            {404, "application/json", short},
		"v0/p15.m4s":                {404, "application/json", short},
		"v0/p0.m4s":                 {404, "application/json", short},
		"v0/p99999999999999999.m4s": {404, "application/json", short},
		"v0/../../../etc/passwd":    {404, "application/json", short},
	} {
		if !strings.HasPrefix(path, "/") {
			path = s.base + path
		}
		res := s.get(path)
		got := [3]any{res.status, res.header.Get("Content-Type"), res.header.Get("Cache-Control")}
		if got != want {
			t.Errorf("GET %s = %v, want %v", path, got, want)
		}
		if n, err := strconv.Atoi(res.header.Get("Content-Length")); err != nil || n != len(res.body) || n == 0 {
			t.Errorf("GET %s: Content-Length %q for %d bytes", path, res.header.Get("Content-Length"), len(res.body))
		}
		if o := res.header.Get("Access-Control-Allow-Origin"); o != "*" {
			t.Errorf("GET %s: Access-Control-Allow-Origin %q, want *", path, o)
		}
		head := s.do(http.MethodHead, path)
		if head.status != res.status || head.header.Get("Content-Length") != res.header.Get("Content-Length") || head.body != "" {
			t.Errorf("HEAD %s = %d with %q and %d bytes", path, head.status, head.header.Get("Content-Length"), len(head.body))
		}
	}
}

func TestMethods(t *testing.T) {
	s := open(t, origin.Options{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if res := s.do(method, s.base+"v0.m3u8"); res.status != http.StatusMethodNotAllowed || res.header.Get("Allow") == "" {
			t.Errorf("%s = %d, Allow %q", method, res.status, res.header.Get("Allow"))
		}
	}
	res := s.do(http.MethodOptions, s.base+"v0.m3u8", "Access-Control-Request-Headers", "cmcd-session")
	if allowed := res.header.Get("Access-Control-Allow-Headers"); res.status != http.StatusNoContent || res.body != "" ||
		!strings.Contains(allowed, "CMCD-Session") || !strings.Contains(allowed, "Range") || res.header.Get("Access-Control-Max-Age") == "" {
		t.Errorf("OPTIONS = %d %v", res.status, res.header)
	}
}

func TestGzip(t *testing.T) {
	s := open(t, origin.Options{})
	plain := s.get(s.base + "v0.m3u8").body
	for header, zipped := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "GZIP": true, "*": true, "gzip; q=1.0": true, "*;q=0, gzip": true,
		"": false, "br": false, "gzip;q=0": false, "gzip;q=0.000, br": false, "identity": false, "*, gzip;q=0": false,
	} {
		res := s.get(s.base+"v0.m3u8", "Accept-Encoding", header)
		if got := res.header.Get("Content-Encoding") == "gzip"; got != zipped || res.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: gzip %v, Vary %q", header, got, res.header.Get("Vary"))
			continue
		}
		if !zipped {
			continue
		}
		r, err := gzip.NewReader(strings.NewReader(res.body))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != plain {
			t.Errorf("Accept-Encoding %q: unpacks to %q, %v", header, b, err)
		}
	}
	if res := s.get("/hls/live/index.m3u8", "Accept-Encoding", "gzip"); res.header.Get("Content-Encoding") != "gzip" {
		t.Error("the multivariant playlist is not compressed")
	}
	if res := s.get(s.base+"v0/s1.m4s", "Accept-Encoding", "gzip"); res.header.Get("Content-Encoding") != "" {
		t.Error("media is compressed")
	}
}

func TestRanges(t *testing.T) {
	s := open(t, origin.Options{})
	whole := s.get(s.base + "v0/s1.m4s").body
	n := len(whole)
	all := fmt.Sprintf("bytes 0-%d/%d", n-1, n)
	for header, want := range map[string]struct {
		status   int
		from, to int
		said     string
	}{
		"bytes=0-99":                         {206, 0, 100, fmt.Sprintf("bytes 0-99/%d", n)},
		"bytes=100-":                         {206, 100, n, fmt.Sprintf("bytes 100-%d/%d", n-1, n)},
		"bytes=-10":                          {206, n - 10, n, fmt.Sprintf("bytes %d-%d/%d", n-10, n-1, n)},
		"bytes=0-":                           {206, 0, n, all},
		"bytes=0-99999999":                   {206, 0, n, all},
		"bytes=0-9223372036854775807":        {206, 0, n, all},
		"bytes=0-9223372036854775808":        {200, 0, n, ""},
		"bytes=9223372036854775807-":         {416, 0, 0, fmt.Sprintf("bytes */%d", n)},
		"bytes=-99999999":                    {206, 0, n, all},
		fmt.Sprintf("bytes=%d-%d", n-1, n-1): {206, n - 1, n, fmt.Sprintf("bytes %d-%d/%d", n-1, n-1, n)},
		fmt.Sprintf("bytes=%d-", n):          {416, 0, 0, fmt.Sprintf("bytes */%d", n)},
		"bytes=-0":                           {416, 0, 0, fmt.Sprintf("bytes */%d", n)},
		"bytes=0-1,5-6":                      {200, 0, n, ""},
		"bytes=5-1":                          {200, 0, n, ""},
		"bytes=a-b":                          {200, 0, n, ""},
		"bytes=":                             {200, 0, n, ""},
		"bytes=--1":                          {200, 0, n, ""},
		"lines=1-2":                          {200, 0, n, ""},
	} {
		res := s.get(s.base+"v0/s1.m4s", "Range", header)
		if res.status != want.status || res.header.Get("Content-Range") != want.said {
			t.Errorf("Range %q = %d %q, want %d %q", header, res.status, res.header.Get("Content-Range"), want.status, want.said)
		}
		if want.status != 416 && res.body != whole[want.from:want.to] {
			t.Errorf("Range %q: %d bytes, want %d to %d", header, len(res.body), want.from, want.to)
		}
	}
	var parts strings.Builder
	for p := 1; p <= 4; p++ {
		parts.WriteString(s.get(fmt.Sprintf("%sv0/p%d.m4s", s.base, p)).body)
	}
	if parts.String() != whole {
		t.Error("a segment is not its parts")
	}
}

func TestMetrics(t *testing.T) {
	s := open(t, origin.Options{})
	s.get("/hls/live/index.m3u8")
	s.get(s.base + "v0/s1.m4s")
	s.get(s.base + "v0/s99.m4s")
	problems, err := testutil.GatherAndLint(s.prom)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if n, err := testutil.GatherAndCount(s.prom, "barrage_origin_requests_total"); err != nil || n != 12 {
		t.Errorf("%d series of requests, want the 12 touched at the start (%v)", n, err)
	}
	if _, err := origin.New(nil, origin.Options{Registerer: s.prom}); err == nil {
		t.Error("New twice on one registerer: no error")
	}
}

// A request must not cost more the more of them there are.
func TestAllocations(t *testing.T) {
	s := open(t, origin.Options{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"v0/s1.m4s", http.NoBody)
	w := &discard{header: http.Header{}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		s.handler.ServeHTTP(w, r)
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / 1000; per > 2048 {
		t.Errorf("%d bytes of garbage for a segment of %d, want none of it copied", per, w.n/1000)
	}
}

type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(b []byte) (int, error) {
	d.n += len(b)
	return len(b), nil
}

func FuzzRequest(f *testing.F) {
	for _, seed := range []string{"v0.m3u8?_HLS_msn=1", "v0/s1.m4s", "v0/p1.m4s?x", "a0/init-1.mp4", "%2e%2e/x", "v0.m3u8?_HLS_msn=0&_HLS_part=3"} {
		f.Add(seed, "bytes=0-1", "gzip")
	}
	s := open(f, origin.Options{})
	f.Fuzz(func(t *testing.T, path, rng, encoding string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/hls/live/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(s.base+path, "?")
		r.Header.Set("Range", rng)
		r.Header.Set("Accept-Encoding", encoding)
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nobody waits here
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r.WithContext(ctx))
		if w.Code == http.StatusOK && w.Body.Len() == 0 && w.Header().Get("Content-Length") != "" {
			t.Errorf("%q: 200 and nothing", path)
		}
	})
}
