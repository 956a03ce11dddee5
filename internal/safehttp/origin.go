package safehttp

import (
	"net/http"
	"net/url"
	"strings"
)

// AllowOrigin reports whether the page that sent r may: it comes from the host
// it asks, or its origin ("https://party.example") is in allowed, or allowed
// holds "*". A request without an Origin header is no browser's and is allowed:
// this check protects people from other people's pages, it does not
// authenticate.
func AllowOrigin(r *http.Request, allowed []string) bool {
	origins := r.Header.Values("Origin")
	switch len(origins) {
	case 0:
		return true
	case 1:
		return sameHost(r, origins[0]) || listed(origins[0], allowed)
	}
	return false
}

// sameHost compares host and port only: behind a proxy that ends TLS the scheme
// we see is not the browser's.
func sameHost(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

func listed(origin string, allowed []string) bool {
	for _, a := range allowed {
		if a == "*" || strings.EqualFold(a, origin) {
			return true
		}
	}
	return false
}
