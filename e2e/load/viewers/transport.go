//go:build load && linux

package main

import (
	"fmt"
	"net"
	"net/url"
	"time"
)

// kind is what is asked for.
type kind uint8

const (
	kindIndex    kind = iota
	kindPlaylist      // answered at once
	kindBlocked       // a playlist that has to wait
	kindInit
	kindSegment
	kindPart
	kinds
)

func (k kind) String() string {
	return [kinds]string{"index", "playlist", "blocked", "init", "segment", "part"}[k]
}

func (k kind) isPlaylist() bool { return k <= kindBlocked }

// order is a request. Requests of one slot follow each other on one connection.
type order struct {
	at     time.Time // when to send it; zero: now
	viewer int
	round  int // of the viewer, who may have to start again
	slot   int
	kind   kind
	path   string
	asked  time.Time // when it was sent
}

// slots of a viewer: playlists and media of two renditions each.
const slots = 4

// arrival is what became of an order. Body is valid until the next wait.
type arrival struct {
	order

	done   time.Time
	status int
	size   int64
	body   []byte // of playlists, and of everything that is to be kept
	err    error
}

// transport carries requests for one goroutine.
type transport interface {
	// send never waits; what became of it is an arrival, whatever it was.
	send(order)
	// wait returns what has arrived, or nothing after d.
	wait(d time.Duration) []arrival
	close()
}

// answerTimeout is longer than a server may keep a reload: three target durations.
const answerTimeout = 30 * time.Second

// userAgent says who asks.
const userAgent = "barrage-load-viewers"

// dialTransport makes the transport for n viewers.
func dialTransport(s settings, base *url.URL) (transport, error) {
	switch {
	case s.http == "2":
		return newHTTP2(base, s.keep), nil
	case s.http != "1.1":
		return nil, fmt.Errorf("-http %q: only 1.1 and 2 are known", s.http)
	case base.Scheme != "http":
		return nil, fmt.Errorf("-http 1.1 is spoken without TLS only: %s needs -http 2", base)
	}
	return newHTTP1(base, s.keep)
}

// source is the address of a viewer's own below 127/8 when the server is on this
// machine, because servers bound what one address may do.
func source(host string, viewer int) net.IP {
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil
	}
	return net.IPv4(127, byte(2+viewer/62500), byte(viewer/250%250), byte(viewer%250+1))
}
