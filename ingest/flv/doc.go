// Package flv reads the bodies of FLV tags as RTMP carries them: video, audio
// and metadata, in the legacy form and behind the Enhanced RTMP header.
//
// One journey: [AppendVideo] says what a video message carries, for one track or
// for several, and where the payloads lie; a configuration record becomes a track
// through [VideoTrack], which reads the picture size out of the bitstream; an
// access unit goes through [Inspect], which says from its NAL units whether
// decoding can start there, and [InBand], which notices parameter sets that
// differ from the record. [AppendAudio], [AACTrack], [CutMP3] and [ParseMetadata]
// do the same for the rest.
//
// Every function is pure and total: any input gives a value or an error, never
// a panic, never an allocation that the input's own length does not bound.
// What is returned slices into what was given, nothing is copied.
//
// # Decisions
//
//   - Sync samples are read from NAL units, over the frame type of the tag:
//     some senders mark every picture as an inter picture, and others mark
//     recovery points as key pictures that no player can start at.
//   - Every random access picture of HEVC is a sync sample, over IDR alone: x265
//     opens its GOPs by default, and writes one IDR in a session. Its leading
//     pictures are marked, because they are lost where decoding starts.
//   - Parameter sets before a sync sample win over the record, by their ids: of
//     the two places it is the one that decoders believe. Elsewhere they are left
//     alone, since no player can be given another configuration there.
//   - A packet of a codec that is not carried is a packet with a name, over an
//     error: only the main track's ends a publisher.
//   - Package amf0, over go-amf0: that one allocates what an attacker's length
//     field says and recurses without an end.
//   - mediacommon reads the SPS and the AudioSpecificConfig, under bounds, over
//     mp4ff, whose SPS parser allocates without one.
//   - The refusal of a codec is a typed error with its name, over a silent drop:
//     an anchor must read why there is no picture.
//   - An own reader of MP3 headers, over mediacommon's, which knows no MPEG 2.5
//     and so no 8 kHz.
//   - NAL lengths of 1 or 2 bytes are refused, over a rewrite of every access
//     unit: no encoder in use writes them, and samples stay verbatim.
package flv
