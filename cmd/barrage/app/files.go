package app

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

var errFiles = errors.New("this server has no open files left for chat; come back in a while")

// fileGuard keeps chat from taking the last open files. A viewer's video needs
// some, too, and a server that is out of them can accept nobody, say nothing to
// those who knock and write no segment.
type fileGuard struct {
	log   *slog.Logger
	share uint64       // one in share of the limit is not for chat
	next  atomic.Int64 // when to say so again, Unix seconds
}

func newFileGuard(log *slog.Logger, beside bool) *fileGuard {
	g := &fileGuard{log: log, share: 16}
	if beside { // video: a page has one connection of chat, and of HTTP/1.1 up to two that play
		g.share = 3
	}
	return g
}

// check says why chat may take no further file, nil when it may.
func (g *fileGuard) check() error {
	limit, ok := openFiles()
	if !ok {
		return nil
	}
	kept := limit / g.share
	if used := filesInUse(limit); used < limit-kept {
		return nil
	}
	now := time.Now().Unix()
	if next := g.next.Load(); now >= next && g.next.CompareAndSwap(next, now+60) {
		g.log.Warn("chat refuses connections", "limit", limit, "count", limit-kept,
			"reason", "too few open files are left: the rest is kept for everything else", "hint", "raise LimitNOFILE or ulimit -n")
	}
	return errFiles
}
