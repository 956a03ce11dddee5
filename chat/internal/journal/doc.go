// Package journal keeps records on disk, in one order, until nobody needs them.
//
// One record's journey: Append puts it into a queue; the one writing goroutine takes
// the whole queue, writes it with one call behind what there is, and tells each
// record's Done, in order, where it lies. Load reads it back. A second goroutine makes
// the file safe against power loss once a second and removes segments.
//
// A segment is a file: a header with the name of the machine's boot, then records, each
// with its length, a checksum and a number that only grows. Every start begins a new
// one. Open cuts what an interrupted write left at the end of the last, and says when
// something else is missing.
//
// Invariants
//
//   - Done without an error: the operating system has the record. The end of the
//     process, however sudden, does not lose it; the machine's loses a second at most.
//   - Done is called once for every record that Append took, in the order of Append.
//   - Nothing is written where something stands that was acknowledged.
//   - After a write failed everything is refused until a trial, once a second, works.
//
// Decisions
//
//   - One journal for everybody, over a file per room: a thousand rooms are then one
//     write and one fsync, not a thousand.
//   - Group commit by a queue and one writer, over a lock: callers with a deadline can
//     leave, and what they left stays in order.
//   - fsync once a second, over one for each write: that costs a disk's whole second at
//     a hundred a second. What the process acknowledged outlives the process.
//   - The boot's name in the header, over hoping: the end of the process loses nothing,
//     so that numbers can go on; after a power failure they must not.
//   - A new segment at each start, over appending to the last: what may be damaged is
//     only ever read.
package journal
