package guard

import (
	"bytes"
	"encoding/binary"
)

const (
	maxChunkStreams = 16
	// A chunk stream keeps its own buffer up to this; larger ones are lent.
	maxOwn     = 4 << 10
	firstAlloc = 2 << 10
)

// Reader takes a chunk stream apart (RTMP 1.0, 5.3): bytes in, messages out. It
// obeys Set Chunk Size and Abort itself. Memory grows with the bytes received,
// never with the lengths announced, and has a bound.
type Reader struct {
	chunkSize  uint32
	streams    []*chunkStream // at most maxChunkStreams
	now        *chunkStream   // whose chunk is being read
	left       uint32         // bytes of that chunk
	unfinished int            // bytes held of messages not complete
	publishing bool
	buffers    *Buffers
	last       *chunkStream
	message    Message
	dropped    func(Drop)
}

// chunkStream is what a chunk may leave out because the one before said it.
type chunkStream struct {
	id       uint32
	head     Header
	delta    uint32
	ext      [4]byte // the extended timestamp as it was sent
	extended bool
	open     bool // a message has begun and is not complete
	skip     bool // and nobody wants it
	left     uint32
	buf      []byte  // what was received of it
	lent     *[]byte // where buf belongs, if it is not the stream's own
}

// NewReader returns a Reader of a chunk stream from its beginning. It calls
// dropped for what it leaves out.
func NewReader(dropped func(Drop)) *Reader {
	return &Reader{chunkSize: firstChunkSize, dropped: dropped, buffers: new(Buffers)}
}

// SetPublishing tells the Reader whether media is wanted. While it is not, media
// is skipped without being kept, and less may be unfinished.
func (r *Reader) SetPublishing(on bool) { r.publishing = on }

// missing returns how many bytes of the message must still come that will be complete
// first, 0 between messages. head is what has come of a chunk's header.
func (r *Reader) missing(head int) int {
	least := 0
	for _, s := range r.streams {
		if s.open && (least == 0 || int(s.left) < least) {
			least = int(s.left)
		}
	}
	return max(least-head, min(head, 1))
}

func (r *Reader) bound() int {
	if r.publishing {
		return maxUnfinished
	}
	return maxUnfinishedBefore
}

// Next reads up to the end of a message and returns what is behind it. The
// message is nil when b ends before; rest, at most maxHead bytes, is then to be
// given again with more behind it. Payloads lie in b where they can.
func (r *Reader) Next(b []byte) (rest []byte, m *Message, err error) {
	r.release()
	for {
		if r.now == nil {
			n, err := r.chunk(b)
			if n == 0 || err != nil {
				return b, nil, err
			}
			b = b[n:]
		}
		n, done, err := r.take(b)
		b = b[n:]
		switch {
		case err != nil || r.now != nil:
			return b, nil, err
		case done:
			return b, &r.message, nil
		}
	}
}

// take reads payload of the chunk at hand. done reports that this completed a
// message for the caller.
func (r *Reader) take(b []byte) (n int, done bool, err error) {
	s := r.now
	n = min(int(r.left), len(b))
	r.left -= uint32(n)
	s.left -= uint32(n)
	whole := s.left == 0 && len(s.buf) == 0 // and so need not be kept
	if !whole {
		if err := r.keep(s, b[:n]); err != nil {
			return n, false, err
		}
	}
	if r.left > 0 {
		return n, false, nil
	}
	r.now = nil
	if s.left > 0 {
		return n, false, nil
	}
	r.message.Payload = s.buf
	if whole {
		r.message.Payload = b[:n]
	}
	return n, r.complete(s), nil
}

// keep appends to the message of s.
func (r *Reader) keep(s *chunkStream, b []byte) error {
	if s.skip || len(b) == 0 {
		return nil
	}
	if r.unfinished += len(b); r.unfinished > r.bound() {
		return ErrUnfinished
	}
	if need := len(s.buf) + len(b); need > cap(s.buf) {
		r.grow(s, need)
	}
	s.buf = append(s.buf, b...)
	return nil
}

// grow makes room for need bytes: twice what was received, never more than the
// message will be. Only a publisher borrows: a stranger could hoard.
func (r *Reader) grow(s *chunkStream, need int) {
	whole := need + int(s.left)
	if r.publishing && whole > maxOwn && s.lent == nil {
		s.lent = r.buffers.take()
		if s.buf = append((*s.lent)[:0], s.buf...); cap(s.buf) >= need {
			return
		}
	}
	bigger := make([]byte, len(s.buf), min(whole, max(2*need, firstAlloc)))
	copy(bigger, s.buf)
	s.buf = bigger
}

// complete ends the message of s. It reports false for one that was for the
// Reader itself.
func (r *Reader) complete(s *chunkStream) bool {
	s.open = false
	r.unfinished -= len(s.buf)
	r.last = s // its buffer is the caller's until the next call
	m := &r.message
	m.Header, m.Skipped = s.head, s.skip
	if s.skip {
		m.Payload = nil
	}
	switch m.Kind {
	case KindSetChunkSize:
		r.setChunkSize(m.Payload)
	case KindAbort:
		r.abort(m.Payload)
	default:
		return true
	}
	r.release()
	return false
}

// release takes back the buffer of the last message.
func (r *Reader) release() {
	if r.last != nil {
		r.empty(r.last)
		r.last = nil
	}
}

// empty forgets what was received of the message of s.
func (r *Reader) empty(s *chunkStream) {
	s.buf = s.buf[:0]
	if s.lent != nil {
		*s.lent = s.buf
		r.buffers.giveBack(s.lent)
		s.buf, s.lent = nil, nil
	} else if cap(s.buf) > maxOwn {
		s.buf = nil
	}
}

// "The maximum chunk size SHOULD be at least 128 bytes, and MUST be at least 1
// byte. [...] sizes larger than 0xFFFFFF are equivalent" (RTMP 1.0, 5.4.1).
func (r *Reader) setChunkSize(b []byte) {
	if len(b) < 4 {
		r.dropped(DropMalformed)
		return
	}
	size := binary.BigEndian.Uint32(b) &^ (1 << 31)
	if size == 0 {
		r.dropped(DropMalformed)
		return
	}
	r.chunkSize = min(size, maxChunkSize)
}

// "to notify the peer if it is waiting for chunks to complete a message, then to
// discard the partially received message over a chunk stream" (5.4.2).
func (r *Reader) abort(b []byte) {
	if len(b) < 4 {
		r.dropped(DropMalformed)
		return
	}
	if s := r.find(binary.BigEndian.Uint32(b)); s != nil {
		r.discard(s)
	}
}

func (r *Reader) discard(s *chunkStream) {
	if !s.open {
		return
	}
	r.dropped(DropPartial)
	s.open = false
	r.unfinished -= len(s.buf)
	r.empty(s)
}

func (r *Reader) find(id uint32) *chunkStream {
	for _, s := range r.streams {
		if s.id == id {
			return s
		}
	}
	return nil
}

// chunk reads a chunk's header and returns its size, or 0 when b ends in it.
func (r *Reader) chunk(b []byte) (int, error) {
	form, id, n := basicHeader(b)
	if n == 0 {
		return 0, nil
	}
	s := r.find(id)
	if s == nil {
		switch {
		case form == 3:
			return 0, ErrNoHeader
		case len(r.streams) == maxChunkStreams:
			return 0, ErrChunkStreams
		}
		// Types 1 and 2 need no type 0 before them: DJI begins like that.
		s = &chunkStream{id: id}
	}
	if form == 3 {
		m, err := r.continues(s, b[n:])
		if m < 0 || err != nil {
			return 0, err
		}
		return n + m, nil
	}
	size := n + [...]int{11, 7, 3}[form]
	if len(b) < size {
		return 0, nil
	}
	isExtended := uint24(b[n:]) == extended
	if isExtended {
		if size += 4; len(b) < size {
			return 0, nil
		}
	}
	if r.find(id) == nil {
		r.streams = append(r.streams, s)
	}
	r.discard(s) // a new header in mid-message is the sender giving up on it
	s.extended = isExtended
	if isExtended {
		copy(s.ext[:], b[size-4:])
	}
	s.read(form, b[n:])
	return size, r.begin(s)
}

// basicHeader reads RTMP 1.0, 5.3.1.1. n is 0 when b ends in it.
func basicHeader(b []byte) (form byte, id uint32, n int) {
	if len(b) == 0 {
		return 0, 0, 0
	}
	form, id = b[0]>>6, uint32(b[0]&0x3f)
	switch {
	case id == 0 && len(b) >= 2:
		return form, uint32(b[1]) + 64, 2
	case id == 1 && len(b) >= 3:
		return form, uint32(b[2])<<8 + uint32(b[1]) + 64, 3
	case id < 2:
		return 0, 0, 0
	}
	return form, id, 1
}

func uint24(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }

// read takes in a message header of type 0, 1 or 2 (5.3.1.2).
func (s *chunkStream) read(form byte, b []byte) {
	at := uint24(b)
	if s.extended {
		at = binary.BigEndian.Uint32(s.ext[:])
	}
	if form < 2 {
		s.head.Length, s.head.Kind = uint24(b[3:]), Kind(b[6])
	}
	// "If a Type 3 chunk follows a Type 0 chunk, then the timestamp delta for this
	// Type 3 chunk is the same as the timestamp of the Type 0 chunk" (5.3.1.2.4).
	s.delta = at
	if form == 0 {
		s.head.Timestamp = at
		s.head.Stream = binary.LittleEndian.Uint32(b[7:])
	} else {
		s.head.Timestamp += at
	}
}

// continues reads what follows the basic header of a type 3 chunk, which is
// nothing or an extended timestamp, and returns its size; -1 when b ends in it.
func (r *Reader) continues(s *chunkStream, b []byte) (int, error) {
	n := 0
	if s.extended {
		// "This field is present in Type 3 chunks when the most recent Type 0, 1, or
		// 2 chunk for the same chunk stream ID indicated the presence of an extended
		// timestamp field" (5.3.1.3). librtmp before OBS 30.1 leaves it out, so it
		// is consumed only if it says again what it said.
		k := min(4, len(b))
		if bytes.Equal(b[:k], s.ext[:k]) {
			if k < 4 {
				return -1, nil
			}
			n = 4
		}
	}
	if s.open {
		r.read(s)
		return n, nil
	}
	s.head.Timestamp += s.delta
	return n, r.begin(s)
}

// begin starts the message that the header of s announces.
func (r *Reader) begin(s *chunkStream) error {
	kind := s.head.Kind
	s.open, s.left = true, s.head.Length
	s.skip = !kind.known() || !r.publishing && kind.media()
	if limit := kind.limit(); !s.skip && s.left > limit {
		return &TooLongError{Kind: kind, Limit: limit}
	}
	r.read(s)
	return nil
}

// read makes the next chunk of s the one being read.
func (r *Reader) read(s *chunkStream) { r.now, r.left = s, min(s.left, r.chunkSize) }
