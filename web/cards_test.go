package web_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"barrage/web"
)

// directive returns one directive of a page's Content-Security-Policy.
func directive(t *testing.T, h http.Handler, target, name string) string {
	t.Helper()
	for d := range strings.SplitSeq(get(t, h, http.MethodGet, target).Header().Get("Content-Security-Policy"), "; ") {
		if value, ok := strings.CutPrefix(d, name+" "); ok {
			return value
		}
	}
	return ""
}

func TestWhoMayFrameWhat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		origins []string
		want    string
	}{
		{nil, "'self'"},
		{[]string{"https://fans.example.com/", "http://192.168.1.5:3000"}, "'self' http://192.168.1.5:3000 https://fans.example.com"},
		{[]string{"*"}, "'self' *"},
	} {
		cfg := web.DefaultConfig()
		cfg.EmbedOrigins = c.origins
		h := handler(t, cfg, built())
		if got := directive(t, h, "/embed/live", "frame-ancestors"); got != c.want {
			t.Errorf("embed_origins %q: /embed/live may be framed by %q, want %q", c.origins, got, c.want)
		}
		for _, target := range []string{"/", "/r/live", "/studio/live", "/overlay/live", "/embed/NO", "/embed/", "/nothing", "/assets/room-1.js"} {
			if got := directive(t, h, target, "frame-ancestors"); got != "'none'" {
				t.Errorf("embed_origins %q: %s may be framed by %q, want nobody", c.origins, target, got)
			}
		}
		for _, name := range []string{"default-src", "script-src", "style-src", "connect-src", "media-src"} {
			if embed, room := directive(t, h, "/embed/live", name), directive(t, h, "/r/live", name); embed != room || embed == "" {
				t.Errorf("%s of the embedded page is %q, of the room %q: want the same", name, embed, room)
			}
		}
	}
}

func TestValidateEmbedOrigins(t *testing.T) {
	t.Parallel()
	for origin, valid := range map[string]bool{
		"*": true, "https://fans.example.com": true, "http://[::1]:3000": true,
		"": false, "fans.example.com": false, "https://*.example.com": false, "https://a/b": false,
		"https://a; script-src *": false, "https://a https://b": false, "'none'": false, "https:": false,
	} {
		cfg := web.DefaultConfig()
		cfg.EmbedOrigins = []string{"https://good.example.com", origin}
		err := cfg.Validate()
		if (err == nil) != valid || err != nil && !strings.Contains(err.Error(), "web.embed_origins") {
			t.Errorf("Validate() with embed_origins %q = %v, want valid %v", origin, err, valid)
		}
	}
}

func TestLinkCard(t *testing.T) {
	t.Parallel()
	cards := map[string]web.Card{
		"named":   {Title: "Night walk 夜行", Tags: []string{"walk", "城市"}, Language: "zh"},
		"hostile": {Title: `"><script>alert(1)</script><meta http-equiv="refresh" content="0;url=//evil">`, Tags: []string{`"onload="alert(1)`, "{{.}}", "</title>"}},
	}
	h, err := web.New(web.DefaultConfig(), web.Options{Assets: built(), Card: func(room string) web.Card { return cards[room] }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, accept string
		want           map[string]string // property → content
		title          string
	}{
		{"/r/named", "en", map[string]string{
			"og:title": "Night walk 夜行", "og:site_name": "barrage", "og:type": "video.other", "og:locale": "en_US",
			"og:description": "walk · 城市 — Watch it together: live, with everybody’s comments flying over the picture.",
		}, "Night walk 夜行 · barrage"},
		{"/r/named", "zh", map[string]string{"og:locale": "zh_CN", "og:description": "walk · 城市 — 一起看直播，所有人的弹幕从画面上飞过。"}, ""},
		{"/r/plain", "en", map[string]string{"og:title": "plain"}, "plain · barrage"},
		{"/", "en", map[string]string{"og:title": "barrage", "og:type": "website"}, "barrage"},
		{"/r/hostile", "en", map[string]string{"og:title": cards["hostile"].Title}, cards["hostile"].Title + " · barrage"},
	} {
		text := get(t, h, http.MethodGet, c.target, "Accept-Language", c.accept).Body.String()
		for property, want := range c.want {
			found := regexp.MustCompile(`<meta property="` + property + `" content="([^"]*)">`).FindStringSubmatch(text)
			if found == nil || html.UnescapeString(found[1]) != want {
				t.Errorf("%s in %s: %s is %q, want %q", c.target, c.accept, property, found, want)
			}
		}
		if title := regexp.MustCompile(`<title>([^<]*)</title>`).FindStringSubmatch(text); c.title != "" && (title == nil || html.UnescapeString(title[1]) != c.title) {
			t.Errorf("%s: title %q, want %q", c.target, title, c.title)
		}
	}
	for _, target := range []string{"/r/hostile", "/studio/hostile", "/embed/hostile", "/overlay/hostile"} {
		text := get(t, h, http.MethodGet, target).Body.String()
		for _, bad := range []string{"<script>", `http-equiv="`, `"onload=`} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: %q became markup:\n%s", target, bad, text)
			}
		}
		if n := strings.Count(text, "</title>"); n != 1 {
			t.Errorf("%s has %d ends of its title, want 1", target, n)
		}
	}
}

// TestLinkCardNamesThisServer: what makes a card of a link follows no relative address.
func TestLinkCardNamesThisServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ public, want string }{
		{"", "http://example.com"}, // where the request went
		{"https://live.example.org/", "https://live.example.org"},
	} {
		h, err := web.New(web.DefaultConfig(), web.Options{Assets: built(), PublicURL: c.public})
		if err != nil {
			t.Fatal(err)
		}
		page := get(t, h, http.MethodGet, "/r/live?t=1764012345678").Body.String()
		for _, want := range []string{
			`<meta property="og:url" content="` + c.want + `/r/live">`,
			`<meta property="og:image" content="` + c.want + `/assets/card-1.jpg">`,
		} {
			if !strings.Contains(page, want) {
				t.Errorf("public_url %q: the page has no %s", c.public, want)
			}
		}
	}
	r := get(t, handler(t, web.DefaultConfig(), built()), http.MethodGet, "/assets/card-1.jpg")
	if r.Code != http.StatusOK || r.Header().Get("Content-Type") != "image/jpeg" {
		t.Errorf("GET card = %d %s, want 200 image/jpeg", r.Code, r.Header().Get("Content-Type"))
	}
}
