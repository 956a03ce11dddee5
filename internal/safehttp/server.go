package safehttp

import (
	"crypto/tls"
	"net/http"
	"time"
)

// Limits of every server we open.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = time.Minute
	idleTimeout    = 90 * time.Second // longer than any player waits between two requests
	maxHeaderBytes = 16 << 10

	// An LL-HLS player has up to six requests under way: two playlists, two hinted
	// parts, two segments. A proxy opens more connections when it needs more.
	maxStreams = 128
	// Nobody sends us a body worth the name, so little is buffered of one.
	receiveBuffer = 64 << 10
	frameSize     = 16 << 10 // the least that HTTP/2 allows
	// writeStall ends an HTTP/2 connection whose peer takes no byte that is ready.
	writeStall = 20 * time.Second
)

// TLS is the configuration of a listener in front of a [Server]: TLS 1.2 or newer,
// HTTP/2 for whoever speaks it.
func TLS(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: certificate}
}

// Server returns a server for h that a slow or greedy peer cannot hold. It
// speaks HTTP/1.1 and HTTP/2: on a [TLS] listener what was agreed on, otherwise
// HTTP/2 for proxies that prefer it and begin with its preface (RFC 9113, 3.3).
// A client that stops reading is closed a minute after its request.
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
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReadFrameSize: frameSize, WriteByteTimeout: writeStall,
			MaxReceiveBufferPerConnection: receiveBuffer, MaxReceiveBufferPerStream: receiveBuffer,
		},
	}
}
