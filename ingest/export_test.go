package ingest

import (
	"log/slog"
	"net"
	"time"
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

// Lookout finds warnings that are new.
type Lookout = lookout

// News is lookout.news.
func (l *lookout) News(now time.Time, ws []Warning) []Warning { return l.news(now, ws) }

// Track is the pace of one track.
type Track struct{ pace pace }

// Sample notes a sample of dts milliseconds that came after at.
func (t *Track) Sample(at time.Duration, dts int64) { t.pace.sample(at, dts) }

// Lag is pace.lag.
func (t *Track) Lag(at time.Duration) int64 { return t.pace.lag(at) }

// Broadcasts is a room's count of reconnects.
type Broadcasts struct{ rooms *rooms }

// NewBroadcasts returns an empty count.
func NewBroadcasts() Broadcasts { return Broadcasts{newRooms()} }

// Attached is rooms.attached.
func (b Broadcasts) Attached(room, session string) int { return b.rooms.attached(room, session) }

// Len is how many rooms are remembered.
func (b Broadcasts) Len() int { return len(b.rooms.casts) }

// LowWater is what a connection is woken for.
type LowWater struct{ w lowWater }

// NewLowWater makes one that calls set.
func NewLowWater(set func(int) error) *LowWater { return &LowWater{lowWater{set: set}} }

// Read is a read of n bytes at a time when measured again.
func (l *LowWater) Read(at time.Time, n int) { l.w.count(n); l.w.measure(at) }

// Await is lowWater.await.
func (l *LowWater) Await(missing int) { l.w.await(missing) }

// Reset is lowWater.reset.
func (l *LowWater) Reset() { l.w.reset() }
