// Package segment is what a room showed, cut into ten seconds of program date
// time: comments as they were shown, and how often each was said. Pure: no clock, no
// I/O of its own.
//
// A Shelf is fed with ticks, in their order; it holds the segments that still
// change. Whoever reads one gets a View, rendered once for everybody.
//
// Decisions
//
//   - Cut by the comments' own moment, over the time of the tick: who goes back to a
//     moment asks for what belongs to its picture, whoever said it how late.
//   - Comments in the order of the ticks, over sorting them: the page gives lanes in
//     that order, and everybody is to see the same wall again.
//   - Parts of a comment are compared, never decoded: what was encoded once goes out
//     as it is.
package segment
