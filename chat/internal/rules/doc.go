// Package rules is the order of a room: how slowly one may speak, who is muted
// or banned, which words are not said, what is pinned. Pure: no clock, no I/O.
//
// A Book is the document that a room's nodes share; Apply is the only way to change
// it. A Law is a Book made ready for the question that every comment asks.
//
// Decisions
//
//   - The whole book in one document with compare-and-set, over a table of
//     entries: every node needs all of it anyway, it is small, and a change is seen as
//     one number that grew.
//   - Whom a sentence binds is decided where it is applied, from the role in the
//     token, over looking up the role when it is passed: the person may be on another
//     node, or not here at all.
//   - Blocked words are looked for inside the key of a comment (text.AppendKey),
//     over whole words: spaces, dots and accents of width hide nothing, and most of our
//     languages have no spaces. The price: a short word also hits inside longer ones.
package rules
