package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// policy renders the Content-Security-Policy of a page that loads media from
// hls and talks to chat; nil means the page's own origin. Only pages of the
// ancestors may show it in a frame.
func policy(hls, chat *url.URL, ancestors string) string {
	media := []string{"'self'", "blob:"} // blob: is what Media Source Extensions play from
	connect := []string{"'self'"}
	if hls != nil {
		media = append(media, hls.String())
		connect = append(connect, hls.String())
	}
	if chat != nil {
		connect = append(connect, chat.String(), socketOrigin(chat))
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self' data:",
		"media-src " + sources(media),
		"connect-src " + sources(connect),
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors " + ancestors,
	}, "; ")
}

// nobody may frame a page in which clicks are worth something.
const nobody = "'none'"

// embedders renders who may frame the embedded player: our own pages, and those
// of the origins Validate has passed.
func embedders(origins []string) string {
	list := []string{"'self'"}
	for _, o := range origins {
		if u := originOf(o); u != nil {
			o = u.String()
		}
		list = append(list, o)
	}
	return sources(list)
}

func sources(list []string) string {
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// socketOrigin is the origin's address for a WebSocket.
func socketOrigin(u *url.URL) string {
	ws := *u
	ws.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	return ws.String()
}

// secure sets what every answer of this package carries.
func secure(h http.Header, csp string) {
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "autoplay=(self), fullscreen=(self), picture-in-picture=(self), "+
		"clipboard-write=(self), camera=(), microphone=(), geolocation=(), payment=(), usb=()")
}
