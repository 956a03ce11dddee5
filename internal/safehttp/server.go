package safehttp

import (
	"net/http"
	"time"
)

// Limits of every server we open.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = time.Minute
	idleTimeout    = 90 * time.Second // longer than any player waits between two requests
	maxHeaderBytes = 16 << 10
)

// Server returns a server for h that a slow or greedy peer cannot hold. It
// speaks HTTP/1.1 and, for proxies that prefer it, HTTP/2 without TLS.
// A hijacked connection (WebSocket) sets its own deadlines. The caller sets
// ErrorLog; net/http writes to the global logger otherwise.
func Server(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		// Not shorter than the longest handler: when it passes, net/http cancels
		// the context of a request whose answer is still being waited for.
		ReadTimeout:    requestTimeout,
		WriteTimeout:   requestTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		Protocols:      protocols,
	}
}
