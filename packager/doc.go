// Package packager turns the samples of publishers into HLS: segments, parts and
// playlists in memory, one Stream a room.
//
// One journey: ingest calls Registry.Attach and writes samples. Until the first
// group of pictures is complete they are collected (prelude), because the track
// layout, the frame rate and the target durations are frozen with them. From then
// on every sample goes through the timeline (its true time), the segmenter (does
// it complete a part?) and, with the sample that completes one, becomes bytes on a
// shelf of the Epoch and a new Window in its Rendition. Requests of players load the Window, or
// wait for the next one. A request for MPEG-TS has the muxer make the segments that the
// Windows have and it has not.
//
// Invariants
//
//   - One publisher a stream; it, the timers and the stop write under Stream.mu.
//   - Readers of playlists and media take no lock that a writer holds: they load
//     pointers to immutable values. Only Stream.Status takes Stream.mu, for moments; and
//     who asks for MPEG-TS its muxer's, which the writer takes only to drop media.
//   - What was published never changes: a URI means the same bytes for ever, media
//     sequence numbers and discontinuity sequences only rise, target durations stay.
//   - The memory of a room, of all its epochs together, is bounded by Config.Window and
//     Config.WindowBytes, that of all rooms by Config.TotalBytes; only three target
//     durations of what is live are above any bound.
//   - A blocked reader is woken by the next part, by the end, or by its context.
//   - All of this holds over a restart of the server, too, whatever ended it. What is
//     lost is the media; no address of it is ever given to other media.
//
// # Decisions
//
//   - Freeze an epoch when its first GOP is complete, over freezing at the first
//     sample: no playlist can exist before, so nothing is late, and frame rate, GOP
//     and tracks are measured instead of believed.
//   - A publisher that comes back within the grace goes on in the same epoch, with a
//     discontinuity and new init sections; other tracks start another epoch. Players
//     survive the first without noticing much, and nothing survives the second.
//   - A playlist is written when the first player asks for it, and once, over with
//     every part: a thousand rooms that nobody watches cost no playlists, and waiting
//     players share the one that the first of them writes.
//   - Part URIs are one running number per rendition, over segment and index: the
//     preload hint is right even when a sync sample opens a new segment. Nothing is
//     hinted that lies behind a discontinuity: players fetch it before they know its
//     init section. A hint that such a break overtakes is 404, and its number is lost.
//   - Every stream cuts under its own mutex, over one goroutine a stream: a part
//     costs microseconds, and a hop would cost a wake-up of every publisher.
//   - A session outlives its process by a small record, over keeping media on disk: a
//     player that has lost ten seconds of a live show wants the next one, not those.
//     Numbers are reserved ahead and the record is renewed from a goroutine of its
//     own, over writing down each segment: a disk that hangs does not stop video. If it
//     hangs for longer than the numbers last, the epoch ends and another begins, which no
//     record names: over going on with numbers that the next process would give away
//     again, and over waiting for the disk.
//   - The successor of a killed process leaves a hole in every running number, over
//     guessing how far it came; in the discontinuity sequence as well, so that two
//     segments that do not belong together never share one. After SIGTERM the numbers
//     are exact.
//   - A restored epoch has no playlist until its first new segment is complete, over
//     a list of gaps: nobody knows the durations of what a killed process has lost.
//   - MPEG-TS is made by the requests of those who play it, from the Windows, over by the
//     publisher with every segment: the way to the other players has no step for it.
//     What it makes depends on nothing but the media and the continuity counters, and
//     those it keeps while it is off: an address cannot name other bytes, and needs no
//     number of the switch.
//   - Players are counted in a fixed table of hashes, over sessions in URIs: addresses
//     stay the same for everybody, so that caches work.
package packager
