// Package packager turns the samples of publishers into HLS: segments, parts and
// playlists in memory, one Stream a room.
//
// One journey: ingest calls Registry.Attach and writes samples. Until the first
// group of pictures is complete they are collected (prelude), because the track
// layout, the frame rate and the target durations are frozen with them. From then
// on every sample goes through the timeline (its true time), the segmenter (does
// it complete a part?) and, with the sample that completes one, becomes bytes on a
// shelf and a new Window in its Rendition. Requests of players load the Window, or
// wait for the next one.
//
// Invariants
//
//   - One publisher a stream; it, the timers and the stop write under Stream.mu.
//   - Readers of playlists and media take no lock that a writer holds: they load
//     pointers to immutable values. Only Stream.Status takes Stream.mu, for moments.
//   - What was published never changes: a URI means the same bytes for ever, media
//     sequence numbers and discontinuity sequences only rise, target durations stay.
//   - The memory of a room is bounded by Config.Window and Config.WindowBytes, that of
//     all rooms by Config.TotalBytes.
//   - A blocked reader is woken by the next part, by the end, or by its context.
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
//     preload hint is right even when a sync sample opens a new segment.
//   - Every stream cuts under its own mutex, over one goroutine a stream: a part
//     costs microseconds, and a hop would cost a wake-up of every publisher.
//   - Players are counted in a fixed table of hashes, over sessions in URIs: addresses
//     stay the same for everybody, so that caches work.
package packager
