package guard

import (
	"errors"
	"fmt"
)

// Errors that end a connection. What can be dropped instead is.
var (
	// ErrNotRTMP is the answer to a first byte that no RTMP client sends.
	ErrNotRTMP = errors.New("first byte is not RTMP version 3")
	// ErrChunkStreams: more chunk streams than any encoder needs.
	ErrChunkStreams = fmt.Errorf("more than %d chunk streams", maxChunkStreams)
	// ErrUnfinished: the messages begun and not ended are too long together.
	ErrUnfinished = errors.New("too many bytes of unfinished messages")
	// ErrNoHeader: a chunk continues a message that never began.
	ErrNoHeader = errors.New("chunk without a header before it")
)

// TooLongError is a message beyond the bound of its kind.
type TooLongError struct {
	Kind  Kind
	Limit uint32 // bytes
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("%s of more than %d bytes: message too long", e.Kind, e.Limit)
}

// Drop is why a message was not passed on. Drops are counted, never fatal.
type Drop uint8

// Reasons of drops.
const (
	DropPartial   Drop = iota // cut off by an abort or by the next header
	DropEarly                 // media of one that does not publish
	DropUnknown               // a type, a command or an event that means nothing here
	DropEmpty                 // media of no bytes
	DropMalformed             // too short for what it is
)

// Drops lists every Drop.
func Drops() []Drop { return []Drop{DropPartial, DropEarly, DropUnknown, DropEmpty, DropMalformed} }

func (d Drop) String() string {
	return [...]string{"partial", "early", "unknown", "empty", "malformed"}[d]
}
