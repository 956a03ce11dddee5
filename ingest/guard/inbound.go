package guard

import (
	"encoding/binary"
)

// MessageStreams is how many message streams the session engine behind the
// guard may hold, the control stream included. The guard counts with it, and
// with the lowest free number being the next.
const MessageStreams = 4

// Chunk streams of what the guard writes. Towards the engine one is enough: it
// keeps a buffer for each.
const (
	chunkControl = 2 // "Chunk Stream ID 2 [is] for low-level protocol control messages" (RTMP 1.0, 5.3.1.1)
	chunkCommand = 3
	chunkStatus  = 5
)

// inbound turns the client's messages into what the engine may see: commands of
// a short list, written anew; metadata; audio and video on the stream that
// publishes. It does no I/O: read gives what the engine is to see next, answer
// is what the client is to be told.
type inbound struct {
	head      []byte // canonical bytes for the engine, off of them read
	off       int
	body      []byte // the payload behind them, as the client sent it
	aggregate aggregate
	connect   *connect // nil before the client sent that command
	engine    uint32   // stream on which the engine publishes, 0: none
	client    uint32   // what the client calls it
	streams   [MessageStreams]streamState
	answer    []byte
	window    uint32  // the client wants an acknowledgement every so many bytes
	pong      *uint32 // the client answered the ping with that token
	dropped   func(Drop)
}

// aggregate is one that is being taken apart.
type aggregate struct {
	rest []byte
	base uint32 // added to the times in it
}

// streamState is what the guard knows of one message stream of the engine.
type streamState struct {
	made bool
	used bool // published on: the engine takes no second publish on it
}

func newInbound(dropped func(Drop)) *inbound {
	in := &inbound{dropped: dropped}
	// Every message shall be one chunk: the engine misreads type 3 chunks with
	// extended timestamps.
	in.head = appendMessage(nil, chunkControl, Header{Kind: KindSetChunkSize}, binary.BigEndian.AppendUint32(nil, maxChunkSize))
	return in
}

// pending reports whether there is something for the engine to read.
func (in *inbound) pending() bool {
	return in.off < len(in.head) || len(in.body) > 0 || len(in.aggregate.rest) > 0 && in.next()
}

// read moves pending bytes into p.
func (in *inbound) read(p []byte) int {
	n := copy(p, in.head[in.off:])
	in.off += n
	m := copy(p[n:], in.body)
	in.body = in.body[m:]
	return n + m
}

// reset makes room in head, of which everything has been read.
func (in *inbound) reset() {
	if in.head, in.off = in.head[:0], 0; cap(in.head) > maxOwn {
		in.head = nil
	}
}

// message takes in one message. Its payload stays in use until pending reports
// false.
func (in *inbound) message(m *Message) error {
	switch {
	case m.Skipped && m.Kind.media():
		in.dropped(DropEarly)
		return nil
	case m.Skipped:
		in.dropped(DropUnknown)
		return nil
	}
	in.reset()
	switch m.Kind {
	case KindAudio, KindVideo:
		in.media(m.Header, m.Payload)
	case KindAggregate:
		in.split(m)
	case KindData, KindDataAMF3:
		in.data(m)
	case KindCommand, KindCommandAMF3:
		return in.command(m)
	case KindUserControl:
		in.userControl(m.Payload)
	case KindWindowAckSize:
		if len(m.Payload) < 4 {
			in.dropped(DropMalformed)
			return nil
		}
		in.window = binary.BigEndian.Uint32(m.Payload)
	default: // acknowledgements and bandwidth: nothing here waits for them
	}
	return nil
}

// media passes one audio or video message on.
func (in *inbound) media(h Header, payload []byte) {
	if in.engine == 0 {
		in.dropped(DropEarly)
		return
	}
	if len(payload) == 0 { // the engine would panic, and nobody misses it
		in.dropped(DropEmpty)
		return
	}
	h.Stream, h.Length = in.engine, uint32(len(payload))
	in.head = appendHead(in.head, chunkCommand, h)
	in.body = payload
}

// split begins to take an aggregate apart (RTMP 1.0, 7.1.6).
func (in *inbound) split(m *Message) {
	if len(m.Payload) < tagHead {
		in.dropped(DropMalformed)
		return
	}
	in.aggregate.rest = m.Payload
	// "the difference between the timestamps of the aggregate message and the
	// first sub-message is the offset used to renormalize the timestamps".
	in.aggregate.base = m.Timestamp - tagTime(m.Payload)
}

const (
	tagHead = 11 // FLV tag header: type, length, time, stream
	tagTail = 4  // back pointer
)

func tagTime(b []byte) uint32 { return uint24(b[4:]) | uint32(b[7])<<24 }

// next passes the next message of the aggregate on; false when there is none.
func (in *inbound) next() bool {
	in.reset()
	for len(in.aggregate.rest) >= tagHead && in.engine != 0 {
		b := in.aggregate.rest
		size := tagHead + int(uint24(b[1:]))
		if size > len(b) {
			break
		}
		in.aggregate.rest = b[min(size+tagTail, len(b)):]
		h := Header{Timestamp: in.aggregate.base + tagTime(b), Kind: Kind(b[0])}
		switch h.Kind {
		case KindAudio, KindVideo:
			in.media(h, b[tagHead:size])
		case KindData:
			in.data(&Message{Header: h, Payload: b[tagHead:size]})
		default:
			in.dropped(DropUnknown)
		}
		if len(in.head) > 0 {
			return true
		}
	}
	if len(in.aggregate.rest) > 0 {
		in.dropped(DropMalformed)
	}
	in.aggregate.rest = nil
	return false
}

// Events of user control messages (7.1.7).
const (
	eventBufferLength = 3
	eventPing         = 6
	eventPong         = 7
)

func (in *inbound) userControl(b []byte) {
	if len(b) < 6 {
		in.dropped(DropMalformed)
		return
	}
	switch binary.BigEndian.Uint16(b) {
	case eventPing:
		in.answer = appendUserControl(in.answer, eventPong, binary.BigEndian.Uint32(b[2:]))
	case eventPong:
		token := binary.BigEndian.Uint32(b[2:])
		in.pong = &token
	case eventBufferLength: // of a player
	default:
		in.dropped(DropUnknown)
	}
}

func appendUserControl(dst []byte, event uint16, value uint32) []byte {
	b := binary.BigEndian.AppendUint16(nil, event)
	return appendMessage(dst, chunkControl, Header{Kind: KindUserControl}, binary.BigEndian.AppendUint32(b, value))
}
