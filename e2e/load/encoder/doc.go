//go:build load

// Package encoder publishes FLV files over RTMP as an encoder does, for the load
// tools beside it.
//
// A journey: [ReadScript] cuts a file into chunks once; [Publish] connects and says
// everything up to NetStream.Publish.Start; [Message.Stamp] and [Conn.Send] send one
// message after the other, without ever waiting for the socket.
package encoder
