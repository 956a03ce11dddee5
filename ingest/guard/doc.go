// Package guard stands between an RTMP client and go-rtmp, the session engine:
// what the client sends is bounded, understood and written anew before the engine
// sees it, and what the engine answers is put right before the client does.
//
// One journey: go-rtmp's OnConnect hook returns a [Conn] instead of the network
// connection. The handshake passes as it is, but for its first byte. Then Read
// takes the client's chunk stream apart ([Reader]: interleaving, abort, extended
// timestamps, with bounds) and decides about each message (inbound): commands of a
// short list go to the engine, one type 0 chunk for each; metadata, audio and video
// of one that publishes go past it, to Options.Media. Write takes the engine's chunk
// stream apart with the same Reader and writes whole messages to the client (outbound).
//
// Invariants
//
//   - Reader, inbound and outbound are pure: bytes in, messages out. Network,
//     clock and lock are in Conn alone.
//   - No goroutine: all is done inside Read and Write, so whoever is slow is
//     waited for.
//   - Media is handed on by the engine's own read goroutine, after the engine has
//     dealt with every command before it: it reads again only then.
//   - The engine reads no AMF0 that this package has not written.
//   - Memory follows received bytes, never announced lengths: 64 KiB unfinished
//     before publish, 8 MiB after. A message that fits the read buffer is handed
//     on from there; no allocation per message.
//   - What can be dropped is dropped and counted ([Drop]). Only what leaves no
//     sense in the rest of the stream ends the connection ([Conn.Err]).
//
// What go-rtmp v0.0.7 lacks, and what is done about it. The tests, here and in
// package ingest, carry these numbers.
//
//	L1  allocates by the count of an AMF0 list    read by amf0, written anew
//	L2  recurses without bound                    depth 16, 4,096 values
//	L3  misreads extended time in type 3 chunks   compared and consumed; never written
//	L4  panics on empty media                     gets none; dropped
//	L5  panics on a header in mid-message, abort  the message is dropped
//	L6  closes on AMF 3 commands and metadata     unwrapped
//	L7  closes on aggregates, unknown types       taken apart here; skipped
//	L8  closes on unknown user control            dropped
//	L9  no bounds on messages and streams         bounds of Kind, Reader, MessageStreams
//	L10 no timeouts                               package ingest, conn
//	L11 spins on a failing Accept                 package ingest, listener
//	L12 refuses odd values in connect             read tolerantly
//	L13 refuses deleteStream with a text          read tolerantly
//	L14 misparses ECMA arrays                     its decoder is not used on them
//	L15 cannot answer Enhanced RTMP               outbound adds it to the answer
//	L16 one refusal without words                 package ingest, session
//	L17 no choice of words in refusing connect    open: only Adobe's authentication needs it
//	L18 leaves releaseStream, FCPublish unanswered  answered here
//	L19 swallows onMetaData without @setDataFrame   read with or without, here
//	L20 closes on missing or null names           read as empty
//	L21 closes on streams never made              the stream is rewritten, or made
//	L22 hangs on publish on stream 0              the same
//	L23 compares C2, not C0                       the other way round
//	L24 answers no ping                           answered; one is sent, see Conn.RTT
//	L25 type 3 after type 0 adds nothing          adds the time of type 0
//	L26 logs stream keys                          package ingest, logrus.go
//	L27 does not compile for 32 bits              open: 64 bits only
//	L28 tiny writes, acks nobody asked for        whole messages; acks on request
//	L29 play is not implemented                   open: refused in words
//	L30 old dependencies                          newer ones are in our go.mod
//
// # Decisions
//
//   - A guard, over a fork of go-rtmp: a replace directive breaks go install, and
//     the library is a good engine once it is fed well.
//   - Media past the engine, over through it: it copies each message twice,
//     allocates three times and keeps a buffer as large as the largest frame.
//   - A list of what passes, over one of what does not: what nobody thought of is
//     dropped.
//   - Media that nobody wants yet is skipped without being kept, over a bound on
//     it: a stranger can announce what he likes.
//   - Bad AMF0 in a command that matters ends the connection; in anything else it
//     is not read at all.
//   - The guard counts the engine's message streams (lowest free number, as the
//     engine does), over waiting for its answers: clients send publish without
//     waiting for createStream.
//   - objectEncoding is answered 0, over the client's wish: only AMF 0 is spoken,
//     and a client that is told so complies.
//   - One ping, with the answer to connect, over one every few seconds: OBS and
//     ffmpeg stop reading while they publish, and an encoder that closes with
//     bytes unread resets the connection and loses the end of its stream.
package guard
