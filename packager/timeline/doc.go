// Package timeline turns the times a publisher sends into the times of the
// media: ticks of each track, without jitter, without steps backwards, audio and
// video on one line. It is pure: no clock, no I/O, no goroutine.
//
// One journey: RTMP delivers "video at 66 ms" and "audio at 69 ms". The first
// sync sample anchors the line; from there video times are snapped to the frame
// grid (66 ms is frame 2 of a 30 fps grid, tick 6000 of 90000), audio times are
// counted (unit n starts at n x 1024 samples), and both are checked against the
// milliseconds that keep arriving.
//
// Invariants
//
//   - The leader (video, else audio) starts at a sync sample after every anchor.
//   - Times of a track rise strictly between two anchors.
//   - Audio and video share one mapping from the publisher's clock.
//
// # Decisions
//
//   - Composition offsets stay as they came, over shifting them so that the first
//     picture is shown when it is decoded: libavformat (ffmpeg, mpv) takes the
//     negative offsets of the latter for a delay and shows the video a frame or two
//     late. Timeline.Ahead tells by how much pictures follow their decoding, so that
//     audio is cut and dates are given where the pictures are shown.
//   - Audio is counted, over rounding milliseconds to ticks: an Apple engineer
//     traces audible pops to RTMP's rounded times. A guard of 60 ms follows the
//     encoder when it really drifts or loses units.
//   - Audio that was gone and comes back where the video is leaves a hole, over a jump:
//     a jump would cost pictures up to the next sync sample.
//   - After a jump both tracks wait for the next sync sample, over going on at
//     once: a decoder is reset at a discontinuity and would show grey.
package timeline
