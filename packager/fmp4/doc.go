// Package fmp4 writes the two kinds of bytes a fragmented MP4 rendition is made
// of: the initialization section and the fragments (ISO/IEC 14496-12), as the
// HLS specification wants them (RFC 8216bis, 3.1.2).
//
// One journey: a track's decoder configuration arrives, [AppendInit] makes the
// file behind EXT-X-MAP and [CodecString] its entry in CODECS; then each part
// is one call of [AppendFragment], and a segment is the concatenation of its
// parts.
//
// Invariants
//
//   - Every function is pure: no state, no clock, no I/O. What is appended
//     never aliases the input.
//   - Each file holds one track with track ID 1, so that renditions are demuxed.
//   - The decoder configuration record reaches the player byte for byte, but for
//     one flag of hvcC that the sample entry hvc1 prescribes.
//
// Decisions
//
//   - Fragments by our own writer, over mediacommon's: the payload arrives as
//     mdat wants it, so a fragment is one allocation and one copy; the library
//     spends 66 allocations and four copies on every frame.
//   - Init sections by mediacommon with the sample entry's boxes and the ftyp
//     replaced, over the library's as they are: it rebuilds avcC without the
//     fields of the High profiles and with one SPS and one PPS, re-encodes the
//     AudioSpecificConfig without backward compatible SBR signalling, invents
//     a bit rate, and its ftyp lacks the brand iso6 that HLS demands.
//   - Flags, duration and size in every trun entry, over defaults in tfhd and
//     trex: 12 bytes per sample buy a fragment that explains itself and one
//     code path for audio and video.
//   - trun version 1, always: composition offsets are signed, so a track needs
//     neither an edit list nor a shift of its time line for B-frames.
//   - HEVC as hvc1, over hev1: Apple's players take no other (HLS authoring
//     specification, 1.10).
//   - MP3 is mp4a.40.34 in CODECS, over mp4a.6B, the object type in its esds:
//     hls.js knows it by that name alone. Measured with 1.7.4: it plays MP3 alone in
//     Firefox; beside a picture it leaves the sound out, in Chromium too; MP3 alone
//     does not play in Chromium, which takes none in fMP4 from a script. Behind
//     mp4a.6B it refuses the room, picture and all.
//   - No styp: optional in 14496-12 (8.16.2) and in HLS, no player we know reads
//     it, and it would stand in the middle of a segment made of parts.
package fmp4
