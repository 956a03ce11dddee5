package web_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"barrage/web"
)

// built is a dist as build.mjs leaves it.
func built() fs.FS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"manifest.json": file(`{"icon":"icon-1.svg","card":"card-1.jpg","pages":{
			"directory":{"script":"directory-1.js","style":"directory-1.css","preload":["shared-1.js"]},
			"room":{"script":"room-1.js","style":"room-1.css","preload":["shared-1.js"]},
			"studio":{"script":"studio-1.js","style":"room-1.css","preload":[]},
			"embed":{"script":"embed-1.js","style":"room-1.css","preload":["shared-1.js"]},
			"overlay":{"script":"overlay-1.js","style":"room-1.css","preload":[]}}}`),
		"icon-1.svg": file("<svg/>"), "card-1.jpg": file("png"), "shared-1.js": file("shared"), "shared-1.js.gz": file("packed"),
		"directory-1.js": file("d"), "directory-1.css": file("d"),
		"room-1.js": file("r"), "room-1.css": file("r"), "studio-1.js": file("s"), "embed-1.js": file("e"), "overlay-1.js": file("o"),
		"secret.txt": file("not in the manifest"),
	}
}

func handler(t *testing.T, cfg web.Config, dist fs.FS) http.Handler {
	t.Helper()
	h, err := web.New(cfg, web.Options{Assets: dist})
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	return h
}

func get(t *testing.T, h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPages(t *testing.T) {
	t.Parallel()
	h := handler(t, web.DefaultConfig(), built())
	tests := []struct {
		target string
		code   int
		want   []string
	}{
		{"/", 200, []string{`content="directory"`, "/assets/directory-1.js", `<title>barrage</title>`}},
		{"/r/live", 200, []string{
			`name="barrage:page" content="room"`, `name="barrage:room" content="live"`,
			"/assets/room-1.js", "/assets/room-1.css", `modulepreload" href="/assets/shared-1.js"`, "live · barrage",
			`<link rel="preload" as="fetch" crossorigin href="/api/v1/rooms/live">`,
		}},
		{"/studio/live", 200, []string{`content="studio"`, "/assets/studio-1.js", "noindex"}},
		{"/embed/live", 200, []string{`content="embed"`, "/assets/embed-1.js", "noindex", `href="/api/v1/rooms/live"`}},
		{"/overlay/live", 200, []string{`content="overlay"`, "/assets/overlay-1.js", "noindex"}},
		{"/embed/Live", 404, []string{"There is no room here"}},
		{"/r/Live", 404, []string{"There is no room here"}},
		{"/r/a", 404, []string{"There is no room here"}},
		{"/r/%2e%2e%2fetc", 404, []string{"There is no room here"}},
		{"/r/%3Cscript%3E", 404, []string{"There is no room here"}},
		{"/studio/-no", 404, []string{"There is no room here"}},
		{"/r/", 404, []string{"There is no room here"}},
		{"/nothing", 404, []string{"There is no room here"}},
		{"/assets/secret.txt", 404, []string{"There is no room here"}},
		{"/assets/manifest.json", 404, nil},
		{"/assets/..%2fmanifest.json", 404, nil},
	}
	for _, tt := range tests {
		r := get(t, h, http.MethodGet, tt.target)
		text := r.Body.String()
		if r.Code != tt.code {
			t.Errorf("GET %s = %d, want %d", tt.target, r.Code, tt.code)
		}
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("GET %s does not contain %q:\n%s", tt.target, want, text)
			}
		}
		if strings.Contains(text, "<script>") {
			t.Errorf("GET %s echoes markup", tt.target)
		}
		if got := r.Header().Get("Cache-Control"); got != "no-cache" {
			t.Errorf("GET %s: Cache-Control %q, want no-cache", tt.target, got)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	h := handler(t, web.DefaultConfig(), built())
	tests := []struct{ accept, lang, lost string }{
		{"", "en", "There is no room here"},
		{"en-GB,zh;q=0.5", "en", "There is no room here"},
		{"zh-CN,zh;q=0.9,en;q=0.8", "zh", "这里没有房间"},
		{" ZH-TW", "zh", "这里没有房间"},
	}
	for _, tt := range tests {
		if page := get(t, h, http.MethodGet, "/", "Accept-Language", tt.accept).Body.String(); !strings.Contains(page, `<html lang="`+tt.lang+`">`) {
			t.Errorf("Accept-Language %q: page is not in %s", tt.accept, tt.lang)
		}
		if lost := get(t, h, http.MethodGet, "/x", "Accept-Language", tt.accept).Body.String(); !strings.Contains(lost, tt.lost) {
			t.Errorf("Accept-Language %q: 404 page does not say %q", tt.accept, tt.lost)
		}
	}
}

func TestUnbuiltPagesSayWhatToDo(t *testing.T) {
	t.Parallel()
	h := handler(t, web.DefaultConfig(), fstest.MapFS{"placeholder.txt": {Data: []byte("x")}})
	for _, target := range []string{"/", "/r/live", "/studio/live", "/embed/live", "/overlay/live"} {
		r := get(t, h, http.MethodGet, target)
		if text := r.Body.String(); r.Code != http.StatusServiceUnavailable || !strings.Contains(text, "make build") {
			t.Errorf("GET %s = %d %q, want 503 with 'make build'", target, r.Code, text)
		}
	}
	for _, target := range []string{"/favicon.ico", "/assets/", "/r/No"} {
		if r := get(t, h, http.MethodGet, target); r.Code != http.StatusNotFound {
			t.Errorf("GET %s = %d, want 404", target, r.Code)
		}
	}
}

func TestEmbeddedPagesLoad(t *testing.T) {
	t.Parallel()
	h := handler(t, web.DefaultConfig(), nil)
	if r := get(t, h, http.MethodGet, "/"); r.Code != http.StatusOK && r.Code != http.StatusServiceUnavailable {
		t.Errorf("GET / = %d, want 200 (built) or 503 (not built)", r.Code)
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	h := handler(t, web.DefaultConfig(), built())
	tests := []struct {
		name, accept, body, encoding, kind string
	}{
		{"shared-1.js", "", "shared", "", "text/javascript; charset=utf-8"},
		{"shared-1.js", "gzip, br", "packed", "gzip", "text/javascript; charset=utf-8"},
		{"shared-1.js", "br;q=1.0, GZIP;q=0.5", "packed", "gzip", "text/javascript; charset=utf-8"},
		{"shared-1.js", "gzip;q=0", "shared", "", "text/javascript; charset=utf-8"},
		{"shared-1.js", "gzip; q=0.000", "shared", "", "text/javascript; charset=utf-8"},
		{"shared-1.js", "identity", "shared", "", "text/javascript; charset=utf-8"},
		{"room-1.css", "gzip", "r", "", "text/css; charset=utf-8"},
		{"icon-1.svg", "gzip", "<svg/>", "", "image/svg+xml"},
	}
	for _, tt := range tests {
		r := get(t, h, http.MethodGet, "/assets/"+tt.name, "Accept-Encoding", tt.accept)
		if got := r.Body.String(); got != tt.body || r.Code != http.StatusOK {
			t.Errorf("%s with %q = %d %q, want 200 %q", tt.name, tt.accept, r.Code, got, tt.body)
		}
		want := map[string]string{
			"Content-Encoding": tt.encoding, "Content-Type": tt.kind, "Content-Length": strconv.Itoa(len(tt.body)),
			"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff",
		}
		for key, value := range want {
			if got := r.Header().Get(key); got != value {
				t.Errorf("%s with %q: %s %q, want %q", tt.name, tt.accept, key, got, value)
			}
		}
	}
}

func TestHeadAndMethods(t *testing.T) {
	t.Parallel()
	h := handler(t, web.DefaultConfig(), built())
	for _, target := range []string{"/", "/r/live", "/assets/shared-1.js", "/nothing"} {
		full := get(t, h, http.MethodGet, target)
		head := get(t, h, http.MethodHead, target)
		if head.Code != full.Code || head.Body.String() != "" ||
			head.Header().Get("Content-Length") != strconv.Itoa(len(full.Body.String())) {
			t.Errorf("HEAD %s = %d, length %s; want what GET would give, without a body",
				target, head.Code, head.Header().Get("Content-Length"))
		}
		if r := get(t, h, http.MethodPost, target); r.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s = %d, want 405", target, r.Code)
		}
	}
	if r := get(t, h, http.MethodGet, "/favicon.ico"); r.Header().Get("Location") != "/assets/icon-1.svg" {
		t.Errorf("GET /favicon.ico leads to %q, want the icon", r.Header().Get("Location"))
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	h := handler(t, web.DefaultConfig(), built())
	for _, target := range []string{"/", "/r/live", "/r/X", "/assets/room-1.js"} {
		r := get(t, h, http.MethodGet, target)
		csp := r.Header().Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "media-src 'self' blob:", "connect-src 'self';",
			"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		} {
			if !strings.Contains(csp, want) {
				t.Errorf("GET %s: policy %q lacks %q", target, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: policy %q has an exception", target, csp)
		}
		for _, key := range []string{"X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy"} {
			if r.Header().Get(key) == "" {
				t.Errorf("GET %s: no %s", target, key)
			}
		}
	}
}

func TestOtherOriginsEnterThePolicy(t *testing.T) {
	t.Parallel()
	cfg := web.DefaultConfig()
	cfg.HLSURL, cfg.ChatURL = "https://cdn.example.com", "http://chat.local:8081"
	h := handler(t, cfg, built())
	r := get(t, h, http.MethodGet, "/r/live")
	csp, page := r.Header().Get("Content-Security-Policy"), r.Body.String()
	for _, want := range []string{
		"connect-src 'self' http://chat.local:8081 https://cdn.example.com ws://chat.local:8081;",
		"media-src 'self' blob: https://cdn.example.com;",
	} {
		if !strings.Contains(csp, want) {
			t.Errorf("policy %q lacks %q", csp, want)
		}
	}
	for _, want := range []string{`barrage:hls-url" content="https://cdn.example.com"`, `barrage:chat-url" content="http://chat.local:8081"`} {
		if !strings.Contains(page, want) {
			t.Errorf("page lacks %q", want)
		}
	}
}

// The policy forbids inline code; a page that had some would silently break.
func TestPagesHoldNothingInline(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]|https?://`)
	for _, dist := range []fs.FS{built(), fstest.MapFS{}} {
		h := handler(t, web.DefaultConfig(), dist)
		for _, target := range []string{"/", "/r/live", "/studio/live", "/embed/live", "/overlay/live", "/nothing"} {
			page := get(t, h, http.MethodGet, target).Body.String()
			page = strings.ReplaceAll(page, `content="http://example.com/`, "") // what cards of links name; no browser loads it
			if found := inline.FindString(page); found != "" {
				t.Errorf("GET %s holds %q", target, found)
			}
		}
	}
}

func TestSiteNameIsText(t *testing.T) {
	t.Parallel()
	cfg := web.DefaultConfig()
	cfg.SiteName = `<b>"&'party`
	page := get(t, handler(t, cfg, built()), http.MethodGet, "/").Body.String()
	if strings.Contains(page, "<b>") {
		t.Errorf("site name became markup:\n%s", page)
	}
}

func TestNewRefusesABrokenBuild(t *testing.T) {
	t.Parallel()
	tests := map[string]fstest.MapFS{
		"manifest is not JSON": {"manifest.json": {Data: []byte("{")}},
		"a file is missing":    {"manifest.json": {Data: []byte(`{"icon":"i.svg","pages":{}}`)}},
	}
	for name, dist := range tests {
		if _, err := web.New(web.DefaultConfig(), web.Options{Assets: dist}); err == nil {
			t.Errorf("New() = nil although %s", name)
		}
	}
	if _, err := web.New(web.Config{}, web.Options{}); err == nil {
		t.Error("New() = nil for an invalid configuration")
	}
}
