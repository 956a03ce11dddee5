// Package origin answers players and caches: everything below /hls/.
//
// One journey: GET /hls/live/1x2y/v0.m3u8?_HLS_msn=7&_HLS_part=2 finds the stream,
// its epoch and the rendition without a lock, waits on the Window until it has part
// 2 of segment 7, and writes bytes that were rendered once for everybody.
//
// # Invariants
//
//   - An answer is complete when its header is sent: exact Content-Length, always.
//   - Cache-Control follows the outcome: an error is never kept longer than a second.
//   - No cookie, no redirect, no state a viewer: the same address means the same
//     bytes for everybody.
//   - The number of requests that wait is bounded, in all and for each household, and
//     each waits for three target durations at most.
//   - The lane reads only what cannot be read in two ways, and what it reads net/http
//     reads alike. It never answers what it does not understand: that is net/http's.
//
// # Decisions
//
//   - A lane of our own for players of HTTP/1.1 in the clear, over net/http for everything:
//     a reload that waits costs 16 µs of CPU to answer instead of 32, and 19 KiB of memory
//     instead of 43. HTTP/2 and TLS stay with net/http, and so does a connection that has
//     asked for the page.
//   - Whether a client of the lane has left is looked at now and then, over a goroutine
//     that reads all the while: its place is free a second later.
//   - After a restart, until there is a segment again, a playlist is held as long as a
//     blocking reload and then 503 with Retry-After, over 404: players give up on
//     what is not found, and ask again for what is unavailable.
//   - Ranges are cut by hand, over http.ServeContent: it costs a third more CPU for
//     the same bytes.
//   - While a publisher is away a blocked reload is answered with the playlist as it
//     is after three quarters of the time hls.js waits, over letting it time out: its
//     error handling gives up the low-latency mode.
//   - A player that names its session (CMCD, CTA-5004) is counted by it, any other is a
//     guess: a household (the /64 for IPv6) and a user agent. A household is 64 of either
//     kind at most: a count that one machine can raise to thousands is worth nothing.
//   - Waiters are counted in a fixed table of hashes of households, over a map: ten
//     thousand that are released at once share no lock.
//   - For net/http, values of header fields are made once and shared, and there are at most eight
//     fields, over a field for every wish (no Cross-Origin-Resource-Policy, which CORS
//     makes superfluous): that halves what this package costs, the rest is net/http's.
//   - A client that stops reading is closed by its server's write timeout, over a
//     deadline here for every write. Until then it holds a goroutine, 16 KiB, and the
//     media it has not read, which is at most a minute older than the window.
//   - A stale media sequence number gets the current playlist, never an error
//     (6.2.5.2): clients that were suspended come back by themselves.
package origin
