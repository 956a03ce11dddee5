// Package archive keeps what was said on disk: the log of every room as NDJSON
// and the segments of what was shown.
//
//	log/{room}/{day}.ndjson              what was said, in the order of the broker's log
//	segments/{room}/{day}/{t}.json       what was shown, as it is served
//
// A line of the log is a comment, {"id","cid","author","nick","text","pdt","t","mode",
// "color","role"}; or a record as nodes have logged it, {"v":1,…,"mod":{…}} (somebody
// was muted, comments were deleted: a tombstone for lines before it) or {"v":1,…,"stat":{…}};
// or a mark, {"mark":"1789900000123-4"}: everything up to this entry of the broker's log is
// above. Days are those of UTC, at the broker.
//
// Invariants
//
//   - What stands behind the last mark is cut off when a log is opened: a writer that
//     was killed leaves no entry half written, and none twice.
//   - One process writes a room's log at a time, also where several share the
//     directory.
//   - A segment's file is the old one or the new one, whatever happens.
//
// Decisions
//
//   - The mark inside the log, over a file of its own: two files cannot be written in
//     one step.
//   - Doubles are found by the hash of author and cid, over a database: those that
//     come, come within minutes. 64 bits of a million: once in ten million such
//     windows a comment is taken for another.
//   - Lines are put together from the parts of an encoded comment, over decoding
//     it: a surge has 143,000 a second.
package archive
