package hlscheck

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (a *Answer) good() bool { return a.Status == http.StatusOK }

func (a *Answer) isPlaylist() bool { return a.Ask.Kind == KindIndex || a.Ask.Kind == KindPlaylist }

func (a *Answer) isMedia() bool {
	return a.Ask.Kind == KindInit || a.Ask.Kind == KindSegment || a.Ask.Kind == KindPart
}

// headerRules are about what every answer must carry.
func headerRules() []Rule {
	return append(cacheRules(), []Rule{
		{"cors", "Fetch", Must, "a request", on(func(t *Tally, a *Answer) {
			origin := a.Header.Get("Access-Control-Allow-Origin")
			t.expect(origin == "*" || origin == "https://player.example", "%v: Access-Control-Allow-Origin %q", a, origin)
		})},
		{"cors-exposes", "hls.js", Should, "a playlist", on(func(t *Tally, a *Answer) {
			if a.good() && a.isPlaylist() {
				exposed := strings.ToLower(strings.Join(a.Header.Values("Access-Control-Expose-Headers"), ","))
				t.expect(exposed == "*" || strings.Contains(exposed, "age") && strings.Contains(exposed, "date"), "%v: exposes %q, players need Age and Date", a, exposed)
			}
		})},
		{"content-type", "4, Apple 1.23", Must, "a request", on(func(t *Tally, a *Answer) {
			if a.good() && (a.isPlaylist() || a.isMedia()) {
				mime, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
				t.expect(slices.Contains(mimes(a.Ask.Kind), strings.ToLower(mime)), "%v: %q", a, mime)
			}
		})},
		{"no-redirect", "Apple 8.18", Must, "a request", on(func(t *Tally, a *Answer) {
			t.expect(a.Redirects == 0, "%v after %d redirects", a, a.Redirects)
		})},
		{"no-cookie", "shared caches", Should, "a request", on(func(t *Tally, a *Answer) {
			t.expect(len(a.Header.Values("Set-Cookie")) == 0, "%v: Set-Cookie", a)
		})},
		{"no-last-modified", "Apple 8.24", Should, "a playlist", on(func(t *Tally, a *Answer) {
			if a.isPlaylist() {
				t.expect(a.Header.Get("Last-Modified") == "", "%v: Last-Modified", a)
			}
		})},
		{"date", "HTTP, Apple 8.24", Should, "a playlist", on(func(t *Tally, a *Answer) {
			if a.good() && a.isPlaylist() {
				t.expect(a.Header.Get("Date") != "", "%v: no Date", a)
			}
		})},
	}...)
}

func mimes(k Kind) []string {
	switch k {
	case KindIndex, KindPlaylist:
		return []string{"application/vnd.apple.mpegurl", "audio/mpegurl"}
	case KindInit:
		return []string{"video/mp4", "audio/mp4"}
	case KindSegment, KindPart:
		return []string{"video/mp4", "audio/mp4", "video/iso.segment", "audio/iso.segment", "video/mp2t"}
	default:
		return nil
	}
}

// cacheRules hold what appendix B.1 advises for how long answers may be kept.
func cacheRules() []Rule {
	const ref = "B.1"
	return []Rule{
		{"cache-blocking", ref, Should, "CAN-BLOCK-RELOAD", on(func(t *Tally, e *Probe) {
			a := e.Answer
			if e.Name != probeReload || e.Got == nil || e.Got.Ended {
				return
			}
			age := a.lifetime()
			if e.brought() {
				t.expect(age >= a.Target && age <= 6*a.Target, "%v: kept for %v, one to six targets of %v", a, age, a.Target)
			} else {
				t.expect(age <= time.Second, "%v: not what was asked for, and kept for %v", a, age)
			}
		})},
		{"cache-plain", ref, Should, "a media playlist", on(func(t *Tally, a *Answer) {
			if a.good() && a.Ask.Kind == KindPlaylist && a.Ask.query() == "" && a.Target > 0 && !strings.Contains(string(a.Body), "#EXT-X-ENDLIST") {
				t.expect(a.lifetime() <= max(time.Second, a.Target/2), "%v: kept for %v, target %v", a, a.lifetime(), a.Target)
			}
		})},
		{"cache-error", ref, Should, "a refused request", on(func(t *Tally, a *Answer) {
			if a.Status >= 400 && a.Target > 0 {
				t.expect(a.lifetime() <= a.Target, "%v: kept for %v, target %v", a, a.lifetime(), a.Target)
			}
		})},
		{"cache-media", ref, Should, "media", on(func(t *Tally, a *Answer) {
			if a.good() && a.isMedia() && a.Target > 0 {
				t.expect(a.lifetime() >= 6*a.Target, "%v: kept for %v, target %v", a, a.lifetime(), a.Target)
			}
		})},
	}
}

// asLongAsItLikes is how long a cache may keep what says nothing of it (RFC 9111, 4.2.2).
const asLongAsItLikes = 365 * 24 * time.Hour

// lifetime is how long a cache may keep the answer.
func (a *Answer) lifetime() time.Duration {
	age := asLongAsItLikes
	for word := range strings.SplitSeq(strings.Join(a.Header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(word)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if n, err := strconv.ParseInt(value, 10, 32); err == nil {
				age = time.Duration(n) * time.Second
			}
		}
	}
	return age
}
