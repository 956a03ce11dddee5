// Package flv reads the bodies of FLV tags as RTMP carries them: video, audio
// and metadata, in the legacy form and behind the Enhanced RTMP header.
//
// One journey: [ParseVideo] says what a video message is and where its payload
// lies; a configuration record becomes a track through [VideoTrack], which
// reads the picture size out of the bitstream; an access unit goes through
// [InspectAVC], which says from its NAL units whether decoding can start there.
// [ParseAudio], [AudioTrack] and [ParseMetadata] do the same for the rest.
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
//   - Package amf0, over go-amf0: that one allocates what an attacker's length
//     field says and recurses without an end.
//   - mediacommon reads the SPS and the AudioSpecificConfig, over mp4ff, whose
//     SPS parser allocates without a bound.
//   - A codec we do not carry is a typed error with its name, over a silent
//     drop: an anchor must read why there is no picture.
//   - NAL lengths of 1 or 2 bytes are refused, over a rewrite of every access
//     unit: no encoder in use writes them, and samples stay verbatim.
package flv
