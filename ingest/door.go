package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"barrage/ingest/certs"

	"github.com/yutopp/go-rtmp"
)

// ErrCertificate says that the files of ingest.tls cannot be used.
var ErrCertificate = errors.New("certificate of RTMPS")

// ListenError says which address could not be bound.
type ListenError struct {
	Key  string // the setting
	Addr string // its value
	Err  error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("%s: %v; is another server running? choose a free port", e.Key, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

// door is one address where publishers come in. go-rtmp's server takes one
// listener only, so each door has its own.
type door struct {
	*listener
	rtmp *rtmp.Server
}

// openDoors binds RTMP and, when there is a certificate, RTMPS.
func (s *Server) openDoors() error {
	if err := s.openDoor("ingest.rtmp_addr", s.config.RTMPAddr, nil); err != nil {
		return err
	}
	addr := s.config.rtmpsAddr()
	if addr == "" {
		return nil
	}
	files := certs.Files{Cert: s.config.TLS.CertFile, Key: s.config.TLS.KeyFile}
	var err error
	if s.certs, err = certs.Open(files, certs.Options{Logger: s.log}); err != nil {
		return fmt.Errorf("%w: ingest.tls: %w", ErrCertificate, err)
	}
	return s.openDoor("ingest.rtmps_addr", addr, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: s.certs.Certificate,
	})
}

// openDoor binds addr, the value of key; with secrets it speaks TLS.
func (s *Server) openDoor(key, addr string, secrets *tls.Config) error {
	nl, err := listen(addr)
	if err != nil {
		return &ListenError{Key: key, Addr: addr, Err: err}
	}
	if secrets != nil {
		nl = tls.NewListener(nl, secrets)
	}
	s.doors = append(s.doors, &door{
		listener: &listener{
			Listener: nl, conns: s.conns, log: s.log, metrics: s.metrics, timeouts: s.config.Timeouts, closed: make(chan struct{}),
		},
		rtmp: rtmp.NewServer(&rtmp.ServerConfig{OnConnect: s.onConnect}),
	})
	return nil
}

// Addr is where the server listens for RTMP.
func (s *Server) Addr() net.Addr { return s.doors[0].Addr() }

// SecureAddr is where the server listens for RTMPS, or nil.
func (s *Server) SecureAddr() net.Addr {
	if len(s.doors) < 2 {
		return nil
	}
	return s.doors[1].Addr()
}

// CertificateFor returns those of hosts that the certificate of RTMPS is for,
// or, when it is for none of them, the names it is for.
func (s *Server) CertificateFor(hosts []string) []string { return s.certs.For(hosts) }

// Reload reads the certificate again. Its error is logged already.
func (s *Server) Reload() error {
	if s.certs == nil {
		return nil
	}
	return s.certs.Reload()
}

func (d *door) serve() {
	// Serve ends with ErrClosed and nothing else: our Accept hides the rest.
	if err := d.rtmp.Serve(d.listener); !errors.Is(err, rtmp.ErrClosed) {
		d.log.Error("rtmp listener ended", "err", err)
	}
}

// shut ends serve.
func (d *door) shut() error {
	// go-rtmp's Close marks the end before it closes the listener; closing the
	// listener first would leave Serve calling Accept for ever.
	err := d.rtmp.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	_ = d.Close() // Run may end before Serve has taken the listener
	return err
}

// secure does the TLS handshake of a connection that came in through RTMPS; any
// other is left alone. It runs on the connection's own goroutine and within the
// deadline of the handshake, which it shares with RTMP's. After a failure every
// Read fails in the same way, and go-rtmp gives up.
func (s *session) secure() {
	t, ok := s.conn.Conn.(*tls.Conn)
	if !ok {
		return
	}
	// The deadline of reading was set when the connection was admitted.
	_ = t.SetWriteDeadline(time.Now().Add(s.conn.timeouts.Handshake)) // fails when closed, and so does Handshake
	err := t.HandshakeContext(context.Background())                   // the deadlines bound it
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return // a silent or a vanished client; its end says so
	}
	_ = s.fail(endTLS, err)
	if s.server.notices.open("tls", s.server.now()) {
		s.log.Warn("encoder and server agree on no TLS", "err", err, "hint", tlsHint(err))
	}
}

func tlsHint(err error) string {
	var plain tls.RecordHeaderError
	var alert tls.AlertError
	var remote *net.OpError
	switch {
	case errors.As(err, &plain):
		return "a client without TLS came to the RTMPS port: its server must begin with rtmps://"
	case errors.As(err, &alert), errors.As(err, &remote) && remote.Op == "remote error":
		return "the encoder does not accept the certificate: it must be for the name in the server field and not self-signed"
	}
	return "the encoder's TLS is older than 1.2, or the client is no encoder"
}

// abort closes a connection without waiting for the other side: closing TLS in
// order writes to it first.
func abort(nc net.Conn) error {
	if t, ok := nc.(*tls.Conn); ok {
		return t.NetConn().Close()
	}
	return nc.Close()
}
