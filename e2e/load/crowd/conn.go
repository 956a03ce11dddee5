//go:build load && linux

package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// role is what a connection is for.
type role uint8

const (
	observe role = iota // reads everything, one for each node
	watch               // reads the head of every tick
	write               // watches and comments
	stall               // never reads again after its welcome
)

// state is how far a connection has come.
type state uint8

const (
	away state = iota
	connecting
	upgrading
	joining
	here
	gone // for good
)

// conn is one WebSocket, and who is at its end.
type conn struct {
	index int
	node  int // which server
	fd    int32
	role  role
	state state
	tries uint8 // that failed, since it was last here

	due   time.Time // away: when it comes; otherwise when it began to
	carry []byte    // of the server's bytes, what could not be read yet
	skip  int       // bytes of a tick that follow and are thrown away
	tick  tickHead  // of that tick
	out   []byte    // what the socket did not take yet
	open  []int32   // numbers of its comments without an ack

	bye    string // what the server said at last
	retry  time.Duration
	seq    uint64
	epoch  string
	token  string
	report *observer
}

// upgrade is the request of a connection. The key is always the same: nobody here
// tells answers apart.
func upgrade(host, room string) []byte {
	return []byte("GET /chat/v1/rooms/" + room + "/ws HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: barrage-load-crowd\r\n" +
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: barrage.v1\r\n\r\n")
}

// parseUpgrade reads the head of the answer: ok is false while it has not all come,
// size is its length, status what it says.
func parseUpgrade(b []byte) (status, size int, ok bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, false
	}
	version, rest, _ := bytes.Cut(b[:end], []byte(" "))
	if bytes.HasPrefix(version, []byte("HTTP/1.")) && len(rest) >= 3 {
		status, _ = strconv.Atoi(string(rest[:3])) // what is no number stays 0
	}
	return status, end + 4, true
}

// hello introduces a connection, again as the one it was.
func (c *conn) hello(process int) []byte {
	msg := fmt.Appendf(nil, `{"op":"hello","nick":"crowd-%c%05d"`, 'a'+process, c.index)
	if c.token != "" {
		msg = fmt.Appendf(msg, `,"token":%q`, c.token)
	}
	if c.epoch != "" {
		msg = fmt.Appendf(msg, `,"resume":{"epoch":%q,"seq":%d}`, c.epoch, c.seq)
	}
	return appendFrame(nil, opText, append(msg, '}'))
}

// settled takes a comment off the list of those without an ack.
func (c *conn) settled(n int) {
	for i, m := range c.open {
		if int(m) == n {
			last := len(c.open) - 1
			c.open[i] = c.open[last]
			c.open = c.open[:last]
			return
		}
	}
}

// arrivals is a heap of connections that are to come, the earliest first.
type arrivals []*conn

func (q arrivals) Len() int           { return len(q) }
func (q arrivals) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q arrivals) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *arrivals) Push(x any) { *q = append(*q, x.(*conn)) }

// Pop implements heap.Interface.
func (q *arrivals) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	*q = (*q)[:last]
	return c
}
