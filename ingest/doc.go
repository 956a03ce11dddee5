// Package ingest takes in what anchors send: RTMP connections in, checked
// access units with continuous times out.
//
// One journey: the listener admits a connection and wraps it in a conn, which keeps
// the deadlines and knows how to be closed from outside. go-rtmp reads it through
// package guard, which lets nothing hostile or odd through, speaks the protocol and
// calls the session: publish takes the stream key out of the address, asks package
// auth, claims the room (closing a predecessor and waiting until it has let go) and
// attaches a [Sink]. From then on the guard hands media on past go-rtmp, and the
// publication turns each message into a sample through package flv, copies it once
// and hands it on. When the connection ends, for whatever
// reason, the session's OnClose detaches the sink and writes the one log line that
// says why.
//
// Invariants
//
//   - A sink has one writer: the read goroutine of the connection that attached
//     it. The successor attaches after the predecessor detached.
//   - NetStream.Publish.Start is sent after every check has passed, never before.
//   - A stream key appears in no log line, no metric, no error text.
//   - A TLS connection keeps the certificate it began with; its handshake and
//     RTMP's share one deadline.
//   - Every connection is counted from Accept to the last thing go-rtmp does
//     with it; [Server.Run] returns when the count is zero.
//
// # Decisions
//
//   - go-rtmp unforked between our own listener, connection and guard, over a fork:
//     it is a small, fast session engine, and what it lacks (limits, tolerance,
//     deadlines, back-off) can all be had from outside.
//   - Bounds on messages are the guard's, deadlines the conn's: each in one place,
//     the first with the bytes, the second with the phases of a session.
//   - A connection is ended by closing its net.Conn, over rtmp.Conn.Close: the
//     latter runs OnClose beside the media on another goroutine.
//   - A new publisher with a valid key wins over the old one, over "already
//     publishing": the old one is nearly always a dead connection of the same
//     encoder, and locking it out is the field's first complaint.
//   - Claims of a room form a queue (each waits for the one before it), over a lock
//     held while waiting: the newest wins, and nobody attaches twice.
//   - A full server closes one of the oldest connections that do not publish, of
//     the address that has the most of them, over refusing the newcomer: silent
//     connections are cheap to open, and an honest encoder publishes soon.
//   - A sample that makes no sense is dropped and counted, over closing the
//     connection; a codec we do not carry closes it with its name.
//   - Lag is measured against the best pace that the same publisher ever kept, over
//     against its first sample: encoders begin with a burst, and one that starts
//     late is not behind.
//   - The newest times of sound and picture are compared as they arrive, over their
//     change since the start: an encoder that is wrong from the first second is the
//     usual case.
//   - Health metrics are the worst publisher and counts by warning, computed when
//     they are asked for, over a series per room: what needs attention is in the log
//     and in the API by name.
//   - A connection is woken for whole messages, and for small ones together with the
//     next (SO_RCVLOWAT), over for every segment of TCP: waking a goroutine costs more
//     than parsing, muxing and storing what it was woken for. Sound waits for the next
//     picture; where the rate is low, or when nothing follows, nothing waits.
//   - RTMPS is closed below TLS when we end a connection, over a close_notify: that
//     one waits for an encoder that does not read.
//   - logrus is met in one file and only because go-rtmp's logger is one: its
//     messages print stream keys, so they are filtered there.
package ingest
