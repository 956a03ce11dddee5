// Package playlist renders HLS playlists (RFC 8216bis) from plain values: media
// playlists with the Low-Latency tags, and multivariant playlists.
//
// One journey: the packager cuts a part, fills a [Media] with what is on offer
// now and calls [Media.Append] once; the bytes go into the immutable window that
// every viewer is answered from. [Multivariant.Append] happens once per stream
// epoch.
//
// Invariants
//
//   - Rendering is pure and keeps nothing; equal values give equal bytes.
//   - A value that could end its line or its quotes never reaches a playlist:
//     Append gives an error that names it, and no bytes.
//   - Every duration is a whole number of milliseconds and is printed exactly,
//     so the printed parts of a segment add up to its printed EXTINF whenever
//     the caller's do.
//   - What a live playlist promises once for its life (hold back, skip boundary,
//     version) is checked against the specification at every rendering. What
//     depends on the media (no part above the part target, no segment above the
//     target duration, part tags removed three target durations from the end) is
//     the caller's duty: a viewer is better served by a late part than by none.
//
// Decisions
//
//   - grafov/m3u8 renders, a fresh playlist per call, over one kept and slid
//     along: its ring shows old segments when full, caches a buffer that later
//     calls change, and raises the target duration by itself.
//   - Exactly one custom tag for the header and one per segment, each holding
//     all its lines, over one per line: the library keeps custom tags in a map
//     and writes them in random order.
//   - DISCONTINUITY, MAP and PROGRAM-DATE-TIME go into that block too, over the
//     library's fields for them: EXT-X-SKIP will have to stand before them.
//   - Lines after the last URI (the growing segment, hint, reports) are appended
//     to a copy of the library's output: it can put nothing there.
//   - EXT-X-INDEPENDENT-SEGMENTS never: a GOP longer than the target duration is
//     cut without a sync sample. EXT-X-START never: it overrides the hold back.
//   - An ended playlist drops parts, PART-INF and SERVER-CONTROL, over keeping
//     them: nothing is blocked on any more and every part is inside its segment.
package playlist
