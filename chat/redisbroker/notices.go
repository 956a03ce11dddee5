package redisbroker

import (
	"log/slog"
	"sync"
)

// notices are the lines an operator gets: one, whatever the number of links that are
// lost together.
type notices struct {
	logger *slog.Logger
	links  int

	mu   sync.Mutex
	up   int
	said bool // that something is lost

	volatileOnce, foreignOnce sync.Once
}

// connected notes that a link has come up.
func (n *notices) connected() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.up++; n.up == n.links {
		n.said = false
		n.logger.Info("redis connected")
	}
}

// lost notes that a link could not be made, or broke, if it was up.
func (n *notices) lost(wasUp bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if wasUp {
		n.up--
	}
	if n.said {
		return
	}
	n.said = true
	n.logger.Warn("redis lost", "err", err,
		"hint", "comments do not travel between servers until redis answers; check that it runs and that chat.redis.url is right")
}

func (n *notices) volatile() {
	n.volatileOnce.Do(func() {
		n.logger.Warn("redis forgets comments when it restarts", "hint", "set appendonly yes in redis.conf")
	})
}

// foreign notes a message that is not ours: once, whoever sent it can send many.
func (n *notices) foreign(err error) {
	n.foreignOnce.Do(func() {
		n.logger.Warn("message on the bus not understood", "err", err,
			"hint", "something else publishes on barrage's channels, or a node is of another version")
	})
}
