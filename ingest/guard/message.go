package guard

import (
	"encoding/binary"
	"fmt"
)

// Kind is the type of an RTMP message (RTMP 1.0, 5.4 and 7.1).
type Kind byte

// Kinds of messages.
const (
	KindSetChunkSize  Kind = 1
	KindAbort         Kind = 2
	KindAck           Kind = 3
	KindUserControl   Kind = 4
	KindWindowAckSize Kind = 5
	KindPeerBandwidth Kind = 6
	KindAudio         Kind = 8
	KindVideo         Kind = 9
	KindDataAMF3      Kind = 15
	KindCommandAMF3   Kind = 17
	KindData          Kind = 18
	KindCommand       Kind = 20
	KindAggregate     Kind = 22
)

// Header is what precedes a message.
type Header struct {
	Timestamp uint32 // milliseconds, modulo 2^32
	Length    uint32 // of the payload in bytes, below 2^24
	Kind      Kind
	Stream    uint32 // message stream
}

// Message is one message of a peer.
type Message struct {
	Header
	// Payload belongs to the Reader and is good until its next call of Next.
	Payload []byte
	// Skipped: the Reader did not keep the payload, because nobody wants it.
	Skipped bool
}

// Bounds of one message in bytes.
const (
	maxCommand = 64 << 10 // commands, data, control
	maxAudio   = 1 << 20
	maxVideo   = 8 << 20 // also of an aggregate
)

// Bounds of all messages of one connection that are not complete yet.
const (
	maxUnfinishedBefore = 64 << 10 // before it publishes
	maxUnfinished       = 8 << 20
)

func (k Kind) limit() uint32 {
	switch k {
	case KindAudio:
		return maxAudio
	case KindVideo, KindAggregate:
		return maxVideo
	default:
		return maxCommand
	}
}

func (k Kind) String() string {
	switch k {
	case KindAudio:
		return "audio"
	case KindVideo:
		return "video"
	case KindAggregate:
		return "aggregate"
	case KindCommand, KindCommandAMF3:
		return "command"
	case KindData, KindDataAMF3:
		return "metadata"
	default:
		return fmt.Sprintf("message of type %d", byte(k))
	}
}

// media reports whether only a publisher sends such messages.
func (k Kind) media() bool {
	switch k {
	case KindAudio, KindVideo, KindAggregate, KindData, KindDataAMF3:
		return true
	default:
		return false
	}
}

// known reports whether anything is ever made of such a message.
func (k Kind) known() bool {
	switch k {
	case KindSetChunkSize, KindAbort, KindAck, KindUserControl, KindWindowAckSize, KindPeerBandwidth, KindCommand, KindCommandAMF3:
		return true
	default:
		return k.media()
	}
}

// Chunk sizes. The smaller is what both sides begin with, the larger what no
// message in use exceeds.
const (
	firstChunkSize = 128
	maxChunkSize   = 0xffffff
)

const (
	// extended in the 24 bits of a timestamp means that 32 bits follow.
	extended = 0xffffff
	maxHead  = 3 + 11 + 4 // bytes of the longest chunk header
)

// appendHead writes the header of a message that is one chunk: type 0, with the
// time absolute, so that it means the same whatever went before.
func appendHead(dst []byte, chunkStream byte, h Header) []byte {
	at := min(h.Timestamp, extended)
	dst = append(dst, chunkStream, byte(at>>16), byte(at>>8), byte(at),
		byte(h.Length>>16), byte(h.Length>>8), byte(h.Length), byte(h.Kind))
	dst = binary.LittleEndian.AppendUint32(dst, h.Stream)
	if at == extended {
		dst = binary.BigEndian.AppendUint32(dst, h.Timestamp)
	}
	return dst
}

// appendMessage writes a short message, h.Length from its payload.
func appendMessage(dst []byte, chunkStream byte, h Header, payload []byte) []byte {
	h.Length = uint32(len(payload))
	return append(appendHead(dst, chunkStream, h), payload...)
}
