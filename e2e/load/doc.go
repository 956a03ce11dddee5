// Package load speaks the chat protocol as a page would, for the end-to-end
// tests and for the tools below this directory.
//
// A journey: [Dial] says hello and returns after the welcome; [Conn.Send] and
// [Conn.Like] speak; [Conn.Next] returns what the server says, frame by frame.
//
// Invariants: one goroutine calls Next, any may call Send and Like.
//
// # Publishers
//
// The command publishers sends one FLV file to many rooms at once, in real time;
// sink is the server up to the packager, to measure what ingest alone costs.
//
//	make load-publishers N=60 KBPS=4200                    against a running server (STATE=var)
//	make load-publishers N=1000 KBPS=400 FPS=15 FOR=60s PID=$(pidof barrage)
//
//	make bin/sink && bin/sink &                            CPU per megabyte up to the packager
//	make load-publishers STATE= N=60 KBPS=4200 CHUNK=4096 PID=$!
//
//	bin/sink -media 5m & SILENT=1 make load-publishers STATE= N=500 FOR=10s
//	kill -USR1 $!                                          heap per publisher: before, and meanwhile
//
// make load-publishers N=1000 against all of barrage keeps some 50 MB/s of media
// in memory, twice over packager.window: set that to 10s on a small machine.
//
// Measure on a quiet machine and report the minimum and the median of the
// windows: both are printed.
//
// Decisions
//
//   - Prebuilt chunks and one goroutine per 500 publishers that never waits for a
//     socket, over one goroutine each: the machine's time belongs to the server.
//
//   - What a socket does not take at once is kept and sent later, over dropping it:
//     an encoder does the same, and the report says how often.
//
//   - Who is dropped stays away, over a reconnect: a drop must not hide.
//
//   - A second implementation of the protocol, written from its description,
//     over importing package chat: a client that shares the server's types
//     cannot notice when both are wrong.
package load
