package ingest

import (
	"log/slog"
	"net"
)

// Clock is the unwrapping of timestamps.
type Clock = clock

// Next is clock.next.
func (c *clock) Next(raw uint32) int64 { return c.next(raw) }

// ParseAddress returns the key and the room of an RTMP address.
func ParseAddress(app, tcURL, name string) (key, room string, err error) {
	a, err := parseAddress(app, tcURL, name)
	return a.key, a.room, err
}

// Redact is what go-rtmp's messages go through.
func Redact(text string) string { return redact(text) }

// NewListener wraps inner as New does.
func NewListener(inner net.Listener, log *slog.Logger) (net.Listener, error) {
	m, err := newMetrics(nil)
	if err != nil {
		return nil, err
	}
	c := DefaultConfig()
	return &listener{
		Listener: inner, conns: newRegistry(c.MaxConnections, m), log: log, metrics: m, timeouts: c.Timeouts, closed: make(chan struct{}),
	}, nil
}
