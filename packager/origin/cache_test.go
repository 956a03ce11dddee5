package origin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"barrage/packager/origin"
)

// How long an answer may be kept follows from what it is (RFC 8216bis, appendix B.1).
func TestCacheFollowsTheOutcome(t *testing.T) {
	const forever, state, short, never = "public, max-age=31536000, immutable", "public, max-age=12", "public, max-age=1", "no-store"
	for _, c := range []struct {
		name, path string
		headers    []string
		before     func(*site) // what happened before
		meanwhile  func(*site) // and happens while the request waits
		method     string
		status     int
		cache      string
		vary       string
	}{
		{name: "multivariant", path: "/hls/live/index.m3u8", status: 200, cache: short, vary: "Accept-Encoding"},
		{name: "no such room", path: "/hls/nobody/index.m3u8", status: 404, cache: short},
		{name: "plain reload", path: "v0.m3u8", status: 200, cache: short, vary: "Accept-Encoding"},
		{name: "gzip", path: "v0.m3u8", headers: []string{"Accept-Encoding", "gzip"}, status: 200, cache: short, vary: "Accept-Encoding"},
		{name: "delta", path: "v0.m3u8?_HLS_skip=YES", status: 200, cache: short, vary: "Accept-Encoding"},
		{name: "directive that is answered at once", path: "v0.m3u8?_HLS_msn=4&_HLS_part=0", status: 200, cache: state, vary: "Accept-Encoding"},
		{name: "delta with a directive", path: "v0.m3u8?_HLS_msn=4&_HLS_part=0&_HLS_skip=v2", status: 200, cache: state, vary: "Accept-Encoding"},
		{name: "stale directive", path: "v0.m3u8?_HLS_msn=1", status: 200, cache: short, vary: "Accept-Encoding"},
		{name: "blocked reload", path: "v0.m3u8?_HLS_msn=4&_HLS_part=1", meanwhile: more, status: 200, cache: state, vary: "Accept-Encoding"},
		{name: "blocked delta", path: "v0.m3u8?_HLS_msn=4&_HLS_part=1&_HLS_skip=YES", meanwhile: more, status: 200, cache: state, vary: "Accept-Encoding"},
		{name: "blocked HEAD", method: http.MethodHead, path: "v0.m3u8?_HLS_msn=4&_HLS_part=1", meanwhile: more, status: 200, cache: state, vary: "Accept-Encoding"},
		{name: "encoded names", path: "v0.m3u8?CMCD=a%3D1&_HLS%5Fmsn=4&_HLS_part=%31", meanwhile: more, status: 200, cache: state, vary: "Accept-Encoding"},
		{name: "nothing comes", path: "v0.m3u8?_HLS_msn=4&_HLS_part=1", status: 503, cache: never},
		{name: "publisher away", path: "v0.m3u8?_HLS_msn=4&_HLS_part=2", before: away, status: 200, cache: never, vary: "Accept-Encoding"},
		{name: "ended, directive", path: "v0.m3u8?_HLS_msn=9", before: end, status: 200, cache: short, vary: "Accept-Encoding"},
		{name: "ends while it waits", path: "v0.m3u8?_HLS_msn=4&_HLS_part=1", meanwhile: end, status: 200, cache: state, vary: "Accept-Encoding"},
		{name: "too far ahead", path: "v0.m3u8?_HLS_msn=99", status: 400, cache: never},
		{name: "no number", path: "v0.m3u8?_HLS_msn=x", status: 400, cache: never},
		{name: "broken escape", path: "v0.m3u8?_HLS_msn=%zz", status: 400, cache: never},
		{name: "part alone", path: "v0.m3u8?_HLS_part=1", status: 400, cache: never},
		{name: "init", path: "v0/init-1.mp4", status: 200, cache: forever},
		{name: "segment", path: "v0/s1.m4s", status: 200, cache: forever},
		{name: "part", path: "v0/p1.m4s", status: 200, cache: forever},
		{name: "hinted part", path: "v0/p14.m4s", meanwhile: more, status: 200, cache: forever},
		{name: "hint that came to nothing", path: "v0/p15.m4s", before: end, status: 404, cache: short},
		{name: "hint while nothing comes", path: "v0/p14.m4s", status: 503, cache: never},
		{name: "part of the future", path: "v0/p99.m4s", status: 404, cache: short},
		{name: "no such epoch", path: "/hls/live/nope/v0.m3u8", status: 404, cache: short},
		{name: "range", path: "v0/s1.m4s", headers: []string{"Range", "bytes=0-9"}, status: 206, cache: forever},
		{name: "range of nothing", path: "v0/s1.m4s", headers: []string{"Range", "bytes=99999999-"}, status: 416, cache: never},
		{name: "HEAD", method: http.MethodHead, path: "v0/s1.m4s", status: 200, cache: forever},
		{name: "preflight", method: http.MethodOptions, path: "v0.m3u8", status: 204, cache: "public, max-age=86400", vary: "Access-Control-Request-Headers, Access-Control-Request-Method"},
		{name: "POST", method: http.MethodPost, path: "v0.m3u8", status: 405, cache: never},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, origin.Options{})
				path := c.path
				if !strings.HasPrefix(path, "/") {
					path = s.base + path
				}
				if c.before != nil {
					c.before(s)
				}
				if c.meanwhile != nil {
					go func() { synctest.Wait(); c.meanwhile(s) }()
				}
				if c.method == "" {
					c.method = http.MethodGet
				}
				res := s.do(c.method, path, c.headers...)
				if res.status != c.status || res.header.Get("Cache-Control") != c.cache || res.header.Get("Vary") != c.vary {
					t.Errorf("%d, Cache-Control %q, Vary %q, want %d, %q, %q", res.status, res.header.Get("Cache-Control"), res.header.Get("Vary"), c.status, c.cache, c.vary)
				}
				everywhere(t, res)
				synctest.Wait()
			})
		})
	}
}

func more(s *site) { s.feed(14) }
func away(s *site) { s.stream.Detach(false) }

// end lets the publisher stop for good.
func end(s *site) {
	s.stream.Detach(true)
	ctx, stop := context.WithCancel(s.t.Context())
	stop()
	if err := s.reg.Run(ctx); err != nil { // it ends every session when it stops
		s.t.Error(err)
	}
}

// everywhere holds what is true of every answer.
func everywhere(t *testing.T, res answer) {
	t.Helper()
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "*", "Timing-Allow-Origin": "*",
		"Access-Control-Expose-Headers": "Age, Content-Length, Content-Range, Date, Server-Timing",
		"Set-Cookie":                    "", "Location": "", "Last-Modified": "", "Pragma": "", "Expires": "",
	} {
		if got := res.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if retry := res.header.Get("Retry-After"); (retry != "") != (res.status == 503) {
		t.Errorf("Retry-After %q with status %d", retry, res.status)
	}
	// Beyond eight fields the maps of net/http cost several times as much.
	if len(res.header) > 8 && res.status == 200 {
		t.Errorf("%d header fields, want at most 8: %v", len(res.header), res.header)
	}
}
