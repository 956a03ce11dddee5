package hlscheck_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"barrage/e2e/hlscheck"
	"barrage/packager/media"
)

// fault breaks one thing.
type fault struct {
	change func(*origin)
	opts   hlscheck.Options
	also   string // a rule that cannot but fire too
	long   bool   // needs the whole stream, not its first half minute
}

// whole is f for all of the stream.
func (f fault) whole() fault {
	f.long = true
	return f
}

// late is when values change that must not: in the middle of a segment.
const late = 43

// listing breaks a playlist before it is written; "" is every rendition, "hls" those of fragmented MP4.
func listing(name string, from int, edit func(m *hlscheck.Media)) fault {
	return fault{change: func(o *origin) {
		o.list = func(n string, out int, m *hlscheck.Media) {
			if (name == "" || name == n || name == "hls" && n != "t0") && out >= from && !m.Ended {
				edit(m)
			}
		}
	}}
}

// segmentOf calls edit with segments of every playlist.
func segmentOf(name string, edit func(s *hlscheck.Segment)) fault {
	return fault{change: func(o *origin) {
		o.list = func(n string, _ int, m *hlscheck.Media) {
			for i := range m.Segments {
				if name == n || name == "hls" && n != "t0" {
					edit(&m.Segments[i])
				}
			}
		}
	}}
}

// partOf calls edit with a part of v0.
func partOf(k int, edit func(p *hlscheck.Part)) fault {
	uri := fmt.Sprintf("v0/p%d.m4s", k)
	return segmentOf("v0", func(s *hlscheck.Segment) {
		for i := range s.Parts {
			if s.Parts[i].URI == uri {
				edit(&s.Parts[i])
			}
		}
	})
}

// header breaks the header of the answers that match says.
func header(match func(r *http.Request, a *answer) bool, name, value string) fault {
	return fault{change: func(o *origin) {
		o.after = func(_ *origin, r *http.Request, a *answer, _ bool) {
			if match(r, a) {
				a.header[name] = []string{value}
				if value == "" {
					a.header[name] = nil
				}
			}
		}
	}}
}

// instead answers some requests in another way.
func instead(f func(o *origin, r *http.Request) *answer) fault {
	return fault{change: func(o *origin) { o.before = f }}
}

// index breaks the multivariant playlists.
func index(old, now string) fault {
	return fault{change: func(o *origin) {
		o.text = func(_ *http.Request, text string) string { return strings.ReplaceAll(text, old, now) }
	}}
}

func all(*http.Request, *answer) bool           { return true }
func playlists(r *http.Request, _ *answer) bool { return strings.HasSuffix(r.URL.Path, ".m3u8") }
func medias(r *http.Request, a *answer) bool    { return !playlists(r, a) && a.status == http.StatusOK }
func errs(_ *http.Request, a *answer) bool      { return a.status >= 400 }
func plain(r *http.Request, a *answer) bool {
	return playlists(r, a) && r.URL.RawQuery == "" && !strings.Contains(r.URL.Path, "index") && !strings.Contains(r.URL.Path, "ts.")
}

func directed(r *http.Request, a *answer) bool {
	return playlists(r, a) && r.URL.Query().Has("_HLS_msn") && a.status == http.StatusOK
}

// once is true for the first request that matches.
func once(match func(o *origin, r *http.Request) bool) func(o *origin, r *http.Request) bool {
	var done atomic.Bool
	return func(o *origin, r *http.Request) bool {
		return match(o, r) && done.CompareAndSwap(false, true)
	}
}

func numbers(r *http.Request) (msn, part int) {
	msn, part = -1, -1
	_, _ = fmt.Sscan(r.URL.Query().Get("_HLS_msn"), &msn)
	_, _ = fmt.Sscan(r.URL.Query().Get("_HLS_part"), &part)
	return msn, part
}

// middle is an ordinary reload of v0 for a part in the middle of a segment.
func middle(o *origin, r *http.Request) bool {
	_, part := numbers(r)
	return r.URL.Path == "/v0.m3u8" && o.published() >= late && r.URL.Query().Has("_HLS_msn") && (part == 1 || part == 2)
}

func faults() map[string]fault {
	all := map[string]fault{}
	for _, group := range []map[string]fault{playlistFaults(), numberFaults(), edgeFaults(), deliveryFaults(), headerFaults(), mediaFaults(), variantFaults()} {
		maps.Copy(all, group)
	}
	return all
}

func playlistFaults() map[string]fault {
	constants := func(m *hlscheck.Media) { m.HoldBack, m.CanSkipUntil = 9*time.Second, 18*time.Second }
	return map[string]fault{
		"syntax": index("#EXT-X-MEDIA-SEQUENCE", "#EXT-X-UNHEARD-OF\n#EXT-X-MEDIA-SEQUENCE"),
		"second-decoder": {change: func(*origin) {}, opts: hlscheck.Options{Decode: func(string) error {
			return errors.New("not to my taste")
		}}},
		"target-duration-constant": {change: func(o *origin) {
			o.list = func(name string, n int, m *hlscheck.Media) {
				if name != "t0" && !m.Ended {
					if constants(m); n < late {
						m.TargetDuration = 3 * time.Second
					}
				}
			}
		}},
		"part-target-constant":    listing("hls", late, func(m *hlscheck.Media) { m.PartTarget -= 10 * time.Millisecond }),
		"hold-back-constant":      listing("v0", late, func(m *hlscheck.Media) { m.HoldBack += time.Second }),
		"part-hold-back-constant": listing("v0", late, func(m *hlscheck.Media) { m.PartHoldBack += time.Second }),
		"can-skip-until-constant": listing("v0", late, func(m *hlscheck.Media) { m.CanSkipUntil += time.Second }),
		"version-constant":        listing("v0", late, func(m *hlscheck.Media) { m.Version = 10 }),
		"version-sufficient":      listing("v0", 0, func(m *hlscheck.Media) { m.Version = 5 }),
		"part-hold-back-3x":       listing("v0", 0, func(m *hlscheck.Media) { m.PartHoldBack = 1589 * time.Millisecond }),
		"hold-back-3x":            listing("v0", 0, func(m *hlscheck.Media) { m.HoldBack = 5900 * time.Millisecond }),
		"can-skip-until-6x":       listing("v0", 0, func(m *hlscheck.Media) { m.CanSkipUntil = 11 * time.Second }),
		"can-block-reload":        listing("v0", 0, func(m *hlscheck.Media) { m.CanBlock = false }),
		"delta-offered":           {change: func(o *origin) { o.parts, o.window, o.boundary = 280, 62, 0 }},
		"segment-duration":        {change: func(o *origin) { o.perSeg, o.parts = 6, 66 }},
		"six-segments":            {change: func(o *origin) { o.window = 5 }},
		"endlist-no-hint": {change: func(o *origin) {
			o.list = func(name string, _ int, m *hlscheck.Media) {
				if m.Ended && name == "v0" {
					m.Hint = "v0/p999.m4s"
				}
			}
		}},
	}
}

func numberFaults() map[string]fault {
	const msn = 9 // in its last parts when late comes
	return map[string]fault{
		"msn-same-uri": listing("v0", late, func(m *hlscheck.Media) {
			for i := range m.Segments {
				if m.Segments[i].MSN == msn {
					m.Segments[i].URI += "?again"
				}
			}
		}),
		"segment-unchanged": listing("v0", late, func(m *hlscheck.Media) {
			for i := range m.Segments {
				if m.Segments[i].MSN == msn {
					m.Segments[i].Duration += time.Millisecond
				}
			}
		}),
		"numbers-rise": {change: func(o *origin) {
			o.before = func(o *origin, r *http.Request) *answer {
				if !plain(r, nil) || o.published() < late || o.ended() {
					return nil
				}
				old := *o
				old.out = func(n int) int { return n - 1 }
				old.before = nil
				return old.route(r)
			}
		}},
		"discontinuity-sequence": listing("hls", 95, func(m *hlscheck.Media) { m.DiscontinuitySequence = 0 }).whole(),
		"discontinuity-sequence-there": {change: func(o *origin) {
			o.text = func(_ *http.Request, text string) string {
				return strings.Replace(text, "#EXT-X-DISCONTINUITY-SEQUENCE:0\n", "", 1)
			}
		}},
		"pdt-there": segmentOf("hls", func(s *hlscheck.Segment) {
			if s.MSN == msn {
				s.PDT = time.Time{}
			}
		}),
		"pdt-rises": segmentOf("hls", func(s *hlscheck.Segment) {
			if s.MSN >= 14 {
				s.PDT = s.PDT.Add(-30 * time.Second)
			}
		}),
		"pdt-follows-extinf": segmentOf("hls", func(s *hlscheck.Segment) {
			if s.MSN >= 14 {
				s.PDT = s.PDT.Add(100 * time.Millisecond)
			}
		}),
		"part-duration-max": partOf(50, func(p *hlscheck.Part) { p.Duration = 531 * time.Millisecond }),
		"part-duration-min": listing("hls", 0, func(m *hlscheck.Media) {
			m.PartTarget, m.PartHoldBack = 600*time.Millisecond, 1800*time.Millisecond
		}),
		"part-tags-trimmed": {change: func(o *origin) {
			o.list = func(name string, _ int, m *hlscheck.Media) {
				for i := 0; i < len(m.Segments)-1 && name != "t0" && !m.Ended; i++ {
					s := &m.Segments[i]
					s.Parts = nil
					for k := range o.perSeg {
						s.Parts = append(s.Parts, o.part(name, (int(s.MSN)-1)*o.perSeg+k))
					}
				}
			}
		}},
		"part-cadence": {change: func(o *origin) {
			o.out = func(n int) int {
				if n == late {
					return n - 1
				}
				return n
			}
		}},
		"preamble-before-part": segmentOf("v0", func(s *hlscheck.Segment) { s.Late = []string{"date"} }),
	}
}

func edgeFaults() map[string]fault {
	return map[string]fault{
		"report-there":    listing("v0", 0, func(m *hlscheck.Media) { m.Reports = nil }),
		"report-relative": listing("v0", 0, func(m *hlscheck.Media) { m.Reports[0].URI = "http://origin.test/a0.m3u8" }),
		"report-fresh":    listing("v0", late, func(m *hlscheck.Media) { m.Reports[0].At.MSN -= 2 }),
		"hint-there":      listing("v0", 0, func(m *hlscheck.Media) { m.Hint = "" }),
		"hint-becomes-part": {change: func(o *origin) {
			o.list = func(name string, n int, m *hlscheck.Media) {
				if name == "v0" && n == late {
					m.Hint = "v0/another.m4s"
				}
			}
		}},
		"hint-served": instead(func(o *origin, r *http.Request) *answer {
			if r.URL.Path == "/v0/p60.m4s" && o.published() <= 60 {
				return refuse(http.StatusNotFound)
			}
			return nil
		}),
		// The part that opens another coding may have another name than was thought.
		"hint-abandoned-404": {change: func(o *origin) {
			o.list = func(name string, n int, m *hlscheck.Media) {
				if name == "v0" && n == breakAt*o.perSeg {
					m.Hint = "v0/p999.m4s"
				}
			}
			o.before = func(o *origin, r *http.Request) *answer {
				if r.URL.Path == "/v0/p999.m4s" {
					return o.media(r, "v0", "p", 0)
				}
				return nil
			}
		}},
		"part-at-line-rate": {change: func(o *origin) {
			o.after = func(_ *origin, _ *http.Request, a *answer, waited bool) {
				if waited && a.header.Get("Content-Type") == "video/mp4" {
					a.slow = 300 * time.Millisecond
				}
			}
		}},
		"skip-boundary": {long: true, change: func(o *origin) {
			o.before = func(o *origin, r *http.Request) *answer {
				if r.URL.RawQuery != "_HLS_skip=YES" || o.ended() {
					return nil
				}
				m := o.playlist("v0", o.published())
				if r.URL.Path != "/v0.m3u8" || len(m.Segments) < 9 || m.Segments[0].MSN < breakAt+2 {
					return nil
				}
				init := m.Segments[0].Map
				skip(m, 6*time.Second)
				return o.zip(r, write(m, init), "max-age=1")
			}
		}},
		"skip-only-when-asked": {change: func(o *origin) {
			o.before = func(o *origin, r *http.Request) *answer {
				if r.URL.Path != "/v0.m3u8" || r.URL.RawQuery != "" || o.published() < late || o.ended() {
					return nil
				}
				r.URL.RawQuery = "_HLS_skip=YES"
				return o.current(r, "v0", "max-age=1")
			}
		}},
		"skip-not-at-end": {change: func(o *origin) {
			o.before = func(o *origin, r *http.Request) *answer {
				if r.URL.Path != "/v0.m3u8" || r.URL.RawQuery != "_HLS_skip=YES" || !o.ended() {
					return nil
				}
				m := o.playlist("v0", o.published())
				m.CanSkipUntil = o.boundary
				init := m.Segments[0].Map
				skip(m, o.boundary)
				return o.zip(r, write(m, init), "max-age=1")
			}
		}},
		"delta-is-whole": {change: func(o *origin) {
			o.text = func(r *http.Request, text string) string {
				if r.URL.Path == "/v0.m3u8" && r.URL.RawQuery == "_HLS_skip=YES" {
					return strings.Replace(text, "SKIPPED-SEGMENTS=6", "SKIPPED-SEGMENTS=5", 1)
				}
				return text
			}
		}},
	}
}

func deliveryFaults() map[string]fault {
	early := func(cache string) fault {
		first := once(middle)
		return instead(func(o *origin, r *http.Request) *answer {
			if first(o, r) {
				return o.current(r, "v0", cache)
			}
			return nil
		})
	}
	hold, lost, slow := once(middle), once(middle), once(middle)
	current := func(match func(o *origin, r *http.Request) bool) fault {
		return instead(func(o *origin, r *http.Request) *answer {
			if r.URL.Path == "/v0.m3u8" && !o.ended() && match(o, r) {
				return o.current(r, "v0", "max-age=12")
			}
			return nil
		})
	}
	return map[string]fault{
		"reload-brings-part": early("no-store"),
		"reload-waits-on": instead(func(o *origin, r *http.Request) *answer {
			if slow(o, r) {
				a := o.current(r, "v0", "no-store")
				<-time.After(540 * time.Millisecond)
				return a
			}
			return nil
		}),
		"part-past-end": instead(func(o *origin, r *http.Request) *answer {
			if _, part := numbers(r); part == o.perSeg && r.URL.Path == "/v0.m3u8" {
				return refuse(http.StatusBadRequest)
			}
			return nil
		}),
		"reload-served": instead(func(o *origin, r *http.Request) *answer {
			if lost(o, r) {
				return refuse(http.StatusNotFound)
			}
			return nil
		}),
		"blocks-three-targets": instead(func(o *origin, r *http.Request) *answer {
			if !hold(o, r) {
				return nil
			}
			<-time.After(6600 * time.Millisecond)
			return refuse(http.StatusServiceUnavailable)
		}),
		"part-without-msn-400": current(func(_ *origin, r *http.Request) bool { return r.URL.RawQuery == "_HLS_part=0" }),
		"msn-too-far-400": current(func(o *origin, r *http.Request) bool {
			msn, _ := numbers(r)
			return msn > o.published()/o.perSeg+4
		}),
		"part-too-far-400": current(func(_ *origin, r *http.Request) bool {
			_, part := numbers(r)
			return part > 4
		}),
		"stale-msn-current": instead(func(o *origin, r *http.Request) *answer {
			if msn, _ := numbers(r); msn == 0 && !o.ended() {
				return refuse(http.StatusBadRequest)
			}
			return nil
		}),
		"unknown-404": instead(func(_ *origin, r *http.Request) *answer {
			if strings.Contains(r.URL.Path, "no-such") {
				return reply(http.StatusOK, "text/plain", "no-store", nil)
			}
			return nil
		}),
		"end-ignores-directives": instead(func(o *origin, r *http.Request) *answer {
			if o.ended() && r.URL.RawQuery == "_HLS_part=0" {
				return refuse(http.StatusBadRequest)
			}
			return nil
		}),
		"gzip-offered": {change: func(o *origin) {
			o.before = func(_ *origin, r *http.Request) *answer {
				if r.URL.Path != "/v0.m3u8" {
					return nil
				}
				r.Header.Del("Accept-Encoding")
				return nil
			}
		}},
		"gzip-equal": {change: func(o *origin) {
			o.after = func(_ *origin, _ *http.Request, a *answer, _ bool) {
				if a.header.Get("Content-Encoding") == "gzip" {
					var more bytes.Buffer // a second member
					z := gzip.NewWriter(&more)
					_, _ = z.Write([]byte("# zipped\n"))
					_ = z.Close()
					a.body = append(a.body, more.Bytes()...)
				}
			}
		}},
		"answers": instead(func(o *origin, r *http.Request) *answer {
			if r.URL.Path == "/index.m3u8" && o.published() >= late {
				panic(http.ErrAbortHandler)
			}
			return nil
		}),
	}
}

func headerFaults() map[string]fault {
	cache := func(match func(*http.Request, *answer) bool, value string) fault {
		return header(match, "Cache-Control", value)
	}
	return map[string]fault{
		"cache-blocking":   cache(directed, "max-age=600"),
		"cache-plain":      cache(plain, "max-age=60"),
		"cache-error":      cache(errs, "max-age=600"),
		"cache-media":      cache(medias, "max-age=1"),
		"cors":             header(medias, "Access-Control-Allow-Origin", ""),
		"cors-exposes":     header(playlists, "Access-Control-Expose-Headers", ""),
		"content-type":     header(medias, "Content-Type", "text/plain"),
		"no-cookie":        header(all, "Set-Cookie", "session=1"),
		"no-last-modified": header(playlists, "Last-Modified", "Tue, 24 Nov 2026 15:00:00 GMT"),
		"date":             header(playlists, "Date", ""),
		"no-redirect": instead(func(o *origin, r *http.Request) *answer {
			if r.URL.Path != "/index.m3u8" || o.published() < o.perSeg {
				return nil
			}
			a := refuse(http.StatusFound)
			a.header.Set("Location", "/moved.m3u8")
			return a
		}),
	}
}

func mediaFaults() map[string]fault {
	body := func(path string, change func(b []byte) []byte) fault {
		return fault{change: func(o *origin) {
			o.after = func(_ *origin, r *http.Request, a *answer, _ bool) {
				if strings.HasPrefix(r.URL.Path, path) && a.status == http.StatusOK {
					a.body = change(a.body)
				}
			}
		}}
	}
	noSync := func(name string, k int, s []media.Sample) {
		if name == "v0" && k == 48 {
			s[0].Sync = false
		}
	}
	dependent := func(_ *origin, m *hlscheck.Media) {
		for i := range m.Segments {
			if s := &m.Segments[i]; s.MSN == 13 && len(s.Parts) > 0 {
				s.Parts[0].Independent = false
			}
		}
	}
	transport := func(change func(msn int, p [][]byte) [][]byte) fault {
		return fault{change: func(o *origin) { o.packets = change }}
	}
	return map[string]fault{
		"listed-is-there": instead(func(_ *origin, r *http.Request) *answer {
			if r.URL.Path == "/v0/s15.m4s" {
				return refuse(http.StatusNotFound)
			}
			return nil
		}),
		"uri-same-bytes": {change: func(o *origin) {
			o.after = func(_ *origin, r *http.Request, a *answer, waited bool) {
				if waited && r.URL.Path == "/v0/p60.m4s" {
					a.body = append([]byte(nil), a.body...)
					a.body[len(a.body)-1]++
				}
			}
		}},
		"removed-segment-stays": instead(func(o *origin, r *http.Request) *answer {
			var msn int
			if n, _ := fmt.Sscanf(r.URL.Path, "/v0/s%d.m4s", &msn); n == 1 && msn+o.window < o.published()/o.perSeg {
				return refuse(http.StatusNotFound)
			}
			return nil
		}).whole(),
		"removed-part-stays": instead(func(o *origin, r *http.Request) *answer {
			var k int
			if n, _ := fmt.Sscanf(r.URL.Path, "/v0/p%d.m4s", &k); n == 1 && k+20 < o.published() {
				return refuse(http.StatusNotFound)
			}
			return nil
		}),
		"media-readable":      body("/v0/s13.", func([]byte) []byte { return []byte("<html>our apologies</html>") }),
		"init-matches-codecs": index("avc1.640028", "avc1.640027"),
		"part-lasts-as-said":  partOf(50, func(p *hlscheck.Part) { p.Duration = 460 * time.Millisecond }),
		"extinf-sum": segmentOf("v0", func(s *hlscheck.Segment) {
			if s.URI != "" {
				s.Duration += 2 * time.Millisecond
			}
		}).whole(),
		"media-without-hole": {change: func(o *origin) {
			o.samples = func(name string, k int, s []media.Sample) {
				for i := range s {
					if name == "v0" && k == 50 {
						s[i].DTS += 900
					}
				}
			}
		}},
		"segment-is-parts":    body("/v0/s13.", func(b []byte) []byte { return append([]byte("\x00\x00\x00\x08free"), b...) }),
		"independent-is-sync": partOf(50, func(p *hlscheck.Part) { p.Independent = true }),
		"segment-starts-with-sync": {change: func(o *origin) {
			o.samples = noSync
			o.list = func(name string, _ int, m *hlscheck.Media) {
				if name == "v0" {
					dependent(o, m)
				}
			}
		}},
		"independent-segments": {also: "segment-starts-with-sync", change: func(o *origin) {
			o.samples = noSync
			o.list = func(name string, _ int, m *hlscheck.Media) {
				if name == "v0" {
					m.IndependentSegments = true
					dependent(o, m)
				}
			}
		}},
		"ts-plain":        listing("t0", 0, func(m *hlscheck.Media) { m.Version = 4 }),
		"ts-tables-first": transport(func(_ int, p [][]byte) [][]byte { return p[2:] }),
		"ts-continuity": transport(func(msn int, p [][]byte) [][]byte {
			if msn == 13 {
				p = append(p[:20], p[21:]...)
			}
			return p
		}),
		"ts-pts-follows-pdt": {change: func(o *origin) {
			o.delay = func(msn int) uint64 { return uint64(msn/13) * 9000 }
		}},
	}
}

func variantFaults() map[string]fault {
	return map[string]fault{
		"index-syntax":      index("#EXT-X-STREAM-INF", "#EXT-X-UNHEARD-OF\n#EXT-X-STREAM-INF"),
		"codecs":            index(`CODECS="avc1.640028,mp4a.40.2",`, ""),
		"resolution":        index("RESOLUTION=1920x1080,", ""),
		"frame-rate":        index(",FRAME-RATE=30.000", ""),
		"bandwidth":         index(":BANDWIDTH=100000,", ":"),
		"average-bandwidth": index(",AVERAGE-BANDWIDTH=100000", ""),
		"sample-entries":    index("avc1.640028,", "avc1.640028,avc3.640028,"),
		"language":          index(`LANGUAGE="und",`, ""),
		"bandwidth-peak":    index(":BANDWIDTH=100000", ":BANDWIDTH=1000"),
		"bandwidth-average": index("AVERAGE-BANDWIDTH=100000", "AVERAGE-BANDWIDTH=1000"),
		"same-target-duration": listing("a0", 0, func(m *hlscheck.Media) {
			m.TargetDuration, m.HoldBack, m.CanSkipUntil = 3*time.Second, 9*time.Second, 18*time.Second
		}),
		"same-boundaries": segmentOf("a0", func(s *hlscheck.Segment) { s.PDT = s.PDT.Add(100 * time.Millisecond) }),
		"same-discontinuities": {change: func(o *origin) {
			o.list = func(name string, _ int, m *hlscheck.Media) {
				if name == "a0" {
					m.DiscontinuitySequence++
				}
			}
		}},
	}
}
