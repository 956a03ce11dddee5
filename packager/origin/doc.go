// Package origin answers players and caches: everything below /hls/.
//
// One journey: GET /hls/live/1x2y/v0.m3u8?_HLS_msn=7&_HLS_part=2 finds the stream,
// its epoch and the rendition without a lock, waits on the Window until it has part
// 2 of segment 7, and writes bytes that were rendered once for everybody.
//
// Invariants
//
//   - An answer is complete when its header is sent: exact Content-Length, always.
//   - Cache-Control follows the outcome: an error is never kept longer than a second.
//   - No cookie, no redirect, no state a viewer: the same address means the same
//     bytes for everybody.
//   - The number of requests that wait is bounded, and each by three target durations.
//
// # Decisions
//
//   - After a restart, until there is a segment again, a playlist is held as long as a
//     blocking reload and then 503 with Retry-After, over 404: players give up on
//     what is not found, and ask again for what is unavailable.
//   - Ranges are cut by hand, over http.ServeContent: a segment is several slices, and
//     a seeker over them would cost a copy.
//   - While a publisher is away a blocked reload is answered with the playlist as it
//     is after three quarters of the time hls.js waits, over letting it time out: its
//     error handling gives up the low-latency mode.
//   - Players are told apart by address (the household's network for IPv6) and one of
//     64 classes of user agents, over the whole of both: a count that one machine can
//     raise to thousands is worth nothing.
//   - A stale media sequence number gets the current playlist, never an error
//     (6.2.5.2): clients that were suspended come back by themselves.
package origin
