// Package mpegts writes MPEG-2 transport streams (ISO/IEC 13818-1) for HLS: one
// program of H.264, AAC, or both, segment by segment (RFC 8216bis, 3.1.1).
//
// One journey: [NewProgram] learns from the decoder configurations what every
// segment repeats (PAT, PMT, SPS and PPS, the ADTS header). Then each segment is one
// call of [Program.AppendSegment]: its samples, as they lie in the fMP4 parts, are
// taken by decoding time, wrapped in PES packets and cut into packets of 188 bytes.
//
// Invariants
//
//   - Every function is pure: equal samples and counters give equal bytes. The
//     counters come back to be handed in with the next segment, whose continuity
//     counters then go on.
//   - A segment starts with PAT and PMT and can be decoded without any other.
//   - Times are computed in 64 bits and masked to 33 when they are written, so that
//     the wrap after 26.5 hours is no case of its own.
//   - PCR <= DTS <= PTS, and the PCR of the first sample is not negative.
//   - Exactly one access unit delimiter opens an access unit of H.264, whatever the
//     encoder put there.
//
// Decisions
//
//   - Our own writer, over mediacommon's on go-astits: that one spends 17 allocations
//     on every frame and reaches a tenth of the speed.
//   - The interleaving runs twice, once to count packets, over growing the buffer as
//     it fills: a segment is one allocation of its exact size.
//   - A PCR with every access unit of video, a tenth of a second before it is decoded,
//     over packets of its own: "at most 100 ms apart" (2.7.2) holds from 10 frames a
//     second up, and players of HLS read no more into it.
//   - Several access units of AAC in one PES packet, up to a tenth of a second, over
//     one each: a PES packet costs half a packet of stuffing.
//   - A picture that would be shown before it is decoded is shown when it is decoded,
//     over moving all pictures: encoders for live streams make none, and only the
//     jitter that the segmenter evens out can.
package mpegts
