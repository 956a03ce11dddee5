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
// # Viewers
//
// The command viewers is many players in one process, with a buffer and a playhead
// each but no decoder. They say when they would have stalled, how late everything
// came, and what the server spent. The report is text, and JSON on standard output;
// the exit status is 1 when somebody stalled.
//
//	taskset -c 0 bin/barrage serve -set ingest.auth.mode=open -set packager.part_duration=200ms &
//	make load-publishers STATE= N=1 KBPS=4650 FOR=1h &
//	make load-viewers PID=$(pidof barrage) N=1000                  LL-HLS; MODE=plain: whole segments
//	make load-viewers PID=$(pidof barrage) MODE=blocked N=10000    all wait for the same part; with a fresh server
//	make load-viewers MODE=latency N=1 KEY=lat URL=http://127.0.0.1:8080/hls/lat/index.m3u8
//
// Mode latency publishes by itself, writes a number over the end of each access unit
// and finds it in the parts. Of two processes on one machine the report says how much
// everything else took of it: the times mean little when that is much.
//
// Decisions
//
//   - One goroutine with an epoll of its own for HTTP/1.1, which lets the kernel throw
//     media away unread, over net/http: its client costs more than the server. HTTP/2
//     is net/http's all the same: watch what the generator takes.
//
//   - Everybody plays from the hold back exactly and never catches up, over hls.js'
//     habits after a stall: the count of stalls is then the server's alone.
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
