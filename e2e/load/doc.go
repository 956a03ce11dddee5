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
// # Crowd
//
// The command crowd is everybody in one room of a chat: who only watches, who
// comments, who never reads. It says what was sent, acked, shown, logged and lost,
// how long ticks and acks took, and what the servers spent. crowd.sh starts Redis
// and the chat nodes for it; STATE/crowd/report.json has everything.
//
//	make load-chat WATCH=2000 WRITE=100 RATE=50                    one node; BROKER=memory: without Redis
//	BARRAGE_CHAT_RATE=20 BARRAGE_CHAT_BURST=20 make load-chat NODES=4 \
//	  WATCH=54000 WRITE=16000 RATE=143199 BATCH=5 TEXT=balse FOR=60s RAMP=60s
//	make load-chat WATCH=5000 STALL=1000 WRITE=400 RATE=400 TEXT=unique FOR=1m
//	make load-chat WRITE=30 RATE=30 BURST=1 TEXT=balse LATENCY=2s,8s,25s FOR=40s    three groups shout at one moment of the show
//	make load-chat NODES=4 WATCH=70000 WRITE=0 RECONNECT=server RAMP=60s FOR=2m     all nodes are restarted; crowd: it hangs up itself
//	make balse                                                     one second of 143,199 comments; bin/balse.png
//	make load-chat URL=http://127.0.0.1:8080 PID=$(pidof barrage) LOG=DIR           a server that runs
//
// One observer for each node reads all of every tick: what was shown, what combos
// added and the rest must be what was acked, totals must be exact, and numbers without
// a hole. Nobody else may comment in the room. What was acked is looked for in the
// comment log: the files below LOG/ROOM, or Redis' stream, which is read while it
// grows, because it is bounded. The exit status is 1 when anything is missing, double
// or contradicted.
//
// Who sends N comments in one write (BATCH) saves the generator and the server system
// calls that real people cost: say so with the numbers. The limit of one author holds
// for each writer: RATE/WRITE above chat.rate is refused as too_fast, and counted.
// Open files bound a chat node, too: 18,900 people for each where nothing was set up.
//
// Decisions
//
//   - The crowd looks for frames once a millisecond, over being woken for each: where
//     it shares the server's cores, a wake-up costs both more than the frame. The times
//     say up to a millisecond too much.
//
//   - Ticks of up to a read's size are read whole, and only of larger ones the rest is left
//     in the kernel: a second system call costs more than the copy.
//
//   - Comments are numbered and their texts follow from the number, over a memory of
//     what was said: eight bytes are enough to know all about each of millions.
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
