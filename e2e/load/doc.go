// Package load speaks the chat protocol as a page would, for the end-to-end
// tests and for the tools below this directory.
//
// A journey: [Dial] says hello and returns after the welcome; [Conn.Send] and
// [Conn.Like] speak; [Conn.Next] returns what the server says, frame by frame.
//
// Invariants: one goroutine calls Next, any may call Send and Like.
//
// Decisions
//
//   - A second implementation of the protocol, written from its description,
//     over importing package chat: a client that shares the server's types
//     cannot notice when both are wrong.
package load
