// Package wire is the bytes of chat: JSON to and from browsers (client.go,
// server.go) and binary frames and log batches between nodes (bus.go). Pure
// functions, no clock, no I/O, total on any input.
//
// A comment is encoded once, where it is accepted; from then on it is an opaque
// JSON array that is copied into batches, partials, ticks and histories. Most
// never leave the batch: a partial counts them by the hash of what they say.
//
// Decisions
//
//   - JSON to browsers, over protobuf: equal size for a tick of short comments
//     once compressed, readable with any WebSocket tool, no client code to
//     generate.
//   - Hand-written append functions to send, and a scanner for the one message that
//     comes by the hundred thousand, send as pages write it; everything else goes
//     to encoding/json, which takes ten times as long, and both agree (FuzzScan).
//   - Binary between nodes, over JSON: a node must find the parts of a frame
//     without parsing the comments inside; the tick's JSON is the tail of its
//     bus frame and goes to sockets as it is.
//   - JSON in the log: what is kept for years must be readable without us.
package wire
