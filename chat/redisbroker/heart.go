package redisbroker

import (
	"context"
	"sync/atomic"
	"time"
)

// beatEvery is well below silence, so that one late heartbeat is no silence.
const beatEvery = 500 * time.Millisecond

// heart sends heartbeats through Redis back to its own link: what a comment
// passes, a heartbeat passes.
type heart struct {
	client  client
	channel string        // of this link alone
	soon    chan struct{} // asks for a heartbeat now
	silent  atomic.Bool   // the last heartbeat could not be sent
	begin   time.Time
	last    atomic.Int64 // when one came back, ns after begin
}

func newHeart(c client, channel string) *heart {
	return &heart{
		client:  c,
		channel: channel,
		soon:    make(chan struct{}, 1),
		begin:   time.Now(),
	}
}

// run beats until ctx ends.
func (h *heart) run(ctx context.Context) {
	every := time.NewTicker(beatEvery)
	defer every.Stop()
	for {
		h.silent.Store(h.beat(ctx) != nil)
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-h.soon:
		}
	}
}

func (h *heart) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	return h.client.publish(ctx, h.channel, "")
}

// hurry makes the next heartbeat come at once.
func (h *heart) hurry() {
	select {
	case h.soon <- struct{}{}:
	default:
	}
}

// heard notes that a heartbeat came back.
func (h *heart) heard() {
	h.last.Store(int64(time.Since(h.begin)))
	h.silent.Store(false) // whoever is told now that the link is up may send at once
}

// age is how long ago a heartbeat came back.
func (h *heart) age() time.Duration { return time.Since(h.begin) - time.Duration(h.last.Load()) }
