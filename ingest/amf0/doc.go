// Package amf0 reads and writes Action Message Format 0, the notation of RTMP's
// commands and metadata.
//
// A [Reader] takes values out of bytes that a stranger sent: [Reader.Next] returns
// them one by one until io.EOF. The Append functions write them back in the one
// canonical way, so what was read tolerantly is written strictly.
//
// Invariants
//
//   - Any input ends in values or an error: never a panic, never more than
//     [MaxNodes] values, never a recursion deeper than [MaxDepth], and no
//     allocation that the input's own length does not pay for.
//   - What Append wrote, Next reads back equal.
//
// # Decisions
//
//   - Counts are not believed: a strict array of 2^31 values ends with the input, an
//     ECMA array at its end marker. Allocating by a count is how a message of 40
//     bytes ends a process.
//   - Read everything AMF 0 defines, over the handful of types that commands need:
//     encoders send undefined, long strings and dates where the books show none,
//     and are honest publishers all the same.
//   - AMF 3 (marker 0x11) is an unknown marker: no encoder in use sends it inside
//     AMF 0.
package amf0
