// Package hlscheck watches a live HLS stream and says which rules it breaks: those
// of draft-pantos-hls-rfc8216bis and of Apple's authoring specification that bind a
// server that remuxes. It is no player, and knows nothing of the server it watches.
//
// One journey: [Watch] loads the multivariant playlist; each media playlist gets a
// follower that reloads it by turns as a blocking reload, a delta update, zipped and
// not, and between reloads sends one odd request (a part without a segment, a
// segment far ahead or long past, an unknown address). It asks for every part that
// is hinted, loads everything that is listed and some of what is listed no more, and
// reads the boxes or packets. What it sees becomes an event ([Reload], [Fetched],
// [Probe] …); each [Rule] looks at one kind of event and counts how often it was
// evaluated and broken. [Result] is that table.
//
// Invariants
//
//   - A rule that was never evaluated says so, and what it needs; silence is not
//     conformance.
//   - States of one playlist are taken in the order of their requests. Events are
//     evaluated one at a time, under one lock.
//   - Memory is bounded by the window of the stream, and by 20,000 hashes a rendition.
//
// Decisions
//
//   - A parser of our own, over the server's or its library's: a checker that reads
//     with the same eyes cannot see. Tests add a strict decoder of others.
//   - Rules as data over assertions in a loop: each is named, referred to, counted,
//     and broken by one fixture that no other rule may notice.
//   - A playlist without the part that was waited for, after a while and not to be
//     cached, breaks a SHOULD and no MUST: 503 makes players leave the low-latency
//     mode when only the encoder stumbled.
//   - Rules about when a part comes allow a jitter (Options.Jitter), because from
//     outside an encoder's delay looks like the server's.
package hlscheck
