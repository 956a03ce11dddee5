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

// inbound turns the client's messages into commands of a short list, written anew
// for the engine, and media: the audio, video and metadata of one that publishes.
// It does no I/O: read gives what the engine is to see next, answer is what the
// client is to be told.
type inbound struct {
	head    []byte // canonical bytes for the engine, off of them read
	off     int
	connect *connect // nil before the client sent that command
	engine  uint32   // stream on which the engine publishes, 0: none
	client  uint32   // what the client calls it
	streams [MessageStreams]streamState
	answer  []byte
	window  uint32  // the client wants an acknowledgement every so many bytes
	pong    *uint32 // the client answered the ping with that token
	media   func(kind Kind, timestamp uint32, payload []byte) error
	dropped func(Drop)
}

// streamState is what the guard knows of one message stream of the engine.
type streamState struct {
	made bool
	used bool // published on: the engine takes no second publish on it
}

func newInbound(opts Options) *inbound {
	in := &inbound{media: opts.Media, dropped: opts.Dropped}
	// Every message shall be one chunk: the engine misreads type 3 chunks with
	// extended timestamps.
	in.head = appendMessage(nil, chunkControl, Header{Kind: KindSetChunkSize}, binary.BigEndian.AppendUint32(nil, maxChunkSize))
	return in
}

// pending reports whether there is something for the engine to read.
func (in *inbound) pending() bool { return in.off < len(in.head) }

// read moves pending bytes into p.
func (in *inbound) read(p []byte) int {
	n := copy(p, in.head[in.off:])
	if in.off += n; in.off == len(in.head) {
		in.head, in.off = nil, 0 // commands are rare
	}
	return n
}

// message takes in one message, of which it keeps nothing.
func (in *inbound) message(m *Message) error {
	switch {
	case m.Skipped && m.Kind.media():
		in.dropped(DropEarly)
		return nil
	case m.Skipped:
		in.dropped(DropUnknown)
		return nil
	}
	switch m.Kind {
	case KindAudio, KindVideo, KindData, KindDataAMF3:
		return in.content(m.Kind, m.Timestamp, m.Payload)
	case KindAggregate:
		return in.aggregate(m)
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

// content hands on what one that publishes sends.
func (in *inbound) content(kind Kind, timestamp uint32, payload []byte) error {
	switch {
	case in.engine == 0:
		in.dropped(DropEarly)
		return nil
	case kind == KindData, kind == KindDataAMF3:
		return in.data(kind, timestamp, payload)
	case len(payload) == 0: // nobody misses it
		in.dropped(DropEmpty)
		return nil
	}
	return in.media(kind, timestamp, payload)
}

const (
	tagHead = 11 // FLV tag header: type, length, time, stream
	tagTail = 4  // back pointer
)

func tagTime(b []byte) uint32 { return uint24(b[4:]) | uint32(b[7])<<24 }

// aggregate takes an aggregate apart (RTMP 1.0, 7.1.6).
func (in *inbound) aggregate(m *Message) error {
	b := m.Payload
	if len(b) < tagHead {
		in.dropped(DropMalformed)
		return nil
	}
	// "the difference between the timestamps of the aggregate message and the
	// first sub-message is the offset used to renormalize the timestamps".
	base := m.Timestamp - tagTime(b)
	for len(b) >= tagHead {
		size := tagHead + int(uint24(b[1:]))
		if size > len(b) {
			break
		}
		switch kind := Kind(b[0]); kind {
		case KindAudio, KindVideo, KindData:
			if err := in.content(kind, base+tagTime(b), b[tagHead:size]); err != nil {
				return err
			}
		default:
			in.dropped(DropUnknown)
		}
		b = b[min(size+tagTail, len(b)):]
	}
	if len(b) > 0 {
		in.dropped(DropMalformed)
	}
	return nil
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
