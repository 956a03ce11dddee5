package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// policy renders the Content-Security-Policy of a page that loads media from
// hls and talks to chat; nil means the page's own origin.
func policy(hls, chat *url.URL) string {
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
		"frame-ancestors 'none'",
	}, "; ")
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
