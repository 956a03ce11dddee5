package ingest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"barrage/ingest/auth"
	"barrage/ingest/certs"
	"barrage/ingest/guard"
	"barrage/packager/media"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/yutopp/go-rtmp"
)

// Sink takes the samples of one publisher. Its methods are called by one
// goroutine, the last of them is Detach.
type Sink interface {
	// Expect announces a track that the encoder promised.
	Expect(kind media.Kind)
	// SetTrack announces a new track, or a real change of one.
	SetTrack(t media.Track) error
	// WriteSample takes ownership of m.Data. Times are milliseconds.
	WriteSample(m media.Sample) error
	// Detach ends the publishing: clean when the encoder said so.
	Detach(clean bool)
}

// Options wire a Server.
type Options struct {
	Logger     *slog.Logger          // nil = silent
	Registerer prometheus.Registerer // nil = no metrics
	Now        func() time.Time      // nil = time.Now
	Keys       *auth.Keys            // nil only in mode "open"
	// Attach makes the caller the writer of a room. Its error refuses the
	// publisher and is shown to the anchor as it is.
	Attach func(room string) (Sink, error)
	// Session names the broadcast that an attached publisher contributes to, so
	// that its reconnects can be counted. nil = they are not.
	Session func(room string) string
}

// Server takes in publishers.
type Server struct {
	config   Config
	log      *slog.Logger
	now      func() time.Time
	keys     *auth.Keys
	attach   func(room string) (Sink, error)
	metrics  *metrics
	backoff  auth.Backoff
	rooms    *rooms
	conns    *registry
	doors    []*door
	certs    *certs.Pair // nil without RTMPS
	notices  gate
	session  func(room string) string
	stopping chan struct{} // closed when Run begins to stop
	buffers  guard.Buffers // for messages, shared by all connections
}

// New binds the listeners. Call Run to serve it, or Close to give it up.
func New(cfg Config, opts Options) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if opts.Attach == nil || opts.Keys == nil && cfg.Auth.Mode == AuthSigned {
		return nil, errors.New("ingest: options want Attach, and Keys in mode signed")
	}
	s := &Server{
		config: cfg, log: opts.Logger, now: opts.Now, keys: opts.Keys, attach: opts.Attach,
		session: opts.Session, rooms: newRooms(), stopping: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.metrics, err = newMetrics(opts.Registerer); err != nil {
		return nil, err
	}
	s.conns = newRegistry(cfg.MaxConnections, s.metrics)
	if err = s.openDoors(); err == nil {
		err = register(opts.Registerer, s.collectors()...)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close gives up a server that was never run.
func (s *Server) Close() error {
	var errs []error
	for _, d := range s.doors {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends, then closes every connection and returns nil when
// all of them have let go of their rooms.
func (s *Server) Run(ctx context.Context) error {
	var serving sync.WaitGroup
	for _, d := range s.doors {
		serving.Go(d.serve)
	}
	<-ctx.Done()
	close(s.stopping)
	var errs []error
	for _, d := range s.doors {
		errs = append(errs, d.shut())
	}
	serving.Wait()
	s.conns.stop()
	return errors.Join(errs...)
}

// Health returns how the room's publisher is doing, and whether there is one.
// When there is none, Health.Refused says why the last attempt failed, if one
// did.
func (s *Server) Health(room string) (Health, bool) {
	if p := s.rooms.holder(room); p != nil {
		return p.monitor.snapshot(s.now()), true
	}
	return Health{Warnings: []Warning{}, Refused: s.rooms.lastRefusal(room)}, false
}

// Kick closes the connection of the room's publisher and reports whether there
// was one. The encoder will try again unless its key is rotated first.
func (s *Server) Kick(room string) bool {
	p := s.rooms.holder(room)
	if p == nil {
		return false
	}
	p.conn.kick(endKicked)
	return true
}

// Limits for go-rtmp, which reads from a guard that keeps its own.
const (
	maxChunkStreams = 4         // the guard writes on two
	windowSize      = 2_500_000 // bytes, as every server announces
	// The guard has a buffer of its own: go-rtmp's is for chunk headers, so that
	// payloads go past it.
	libraryBuffer = 512
	// A message for a stream that does not exist is ignored. The guard sends none.
	maxStrayMessages = 16
)

// onConnect is called by go-rtmp on the goroutine of a new connection.
func (s *Server) onConnect(nc net.Conn) (io.ReadWriteCloser, *rtmp.ConnConfig) {
	c, ok := nc.(*conn)
	if !ok {
		// Only our listener is served. go-rtmp has no way to hear an error here.
		panic("ingest: connection from a foreign listener")
	}
	session := newSession(s, c)
	session.secure()
	return session.guard, &rtmp.ConnConfig{
		Handler: session,
		// Restream and others do not echo S1 exactly.
		SkipHandshakeVerification:               true,
		IgnoreMessagesOnNotExistStream:          true,
		IgnoreMessagesOnNotExistStreamThreshold: maxStrayMessages,
		ReaderBufferSize:                        libraryBuffer,
		WriterBufferSize:                        libraryBuffer,
		ControlState: rtmp.StreamControlStateConfig{
			MaxChunkStreams:            maxChunkStreams,
			MaxMessageStreams:          guard.MessageStreams,
			DefaultBandwidthWindowSize: windowSize,
		},
		Logger: newLibraryLogger(&libraryLog{warn: session.libraryWarning, failed: session.libraryFailed}),
	}
}
