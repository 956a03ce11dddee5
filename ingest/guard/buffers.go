package guard

import "sync"

// Buffers lends room for long messages to many connections: few of them are in
// the middle of one at a time. The zero value is ready, for any goroutine.
type Buffers struct{ pool sync.Pool }

// maxLent is the largest buffer that is kept. One that grew for a bigger message
// is left to the garbage collector.
const maxLent = 1 << 20

// take returns a buffer of any size and content.
func (l *Buffers) take() *[]byte {
	if b, ok := l.pool.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

// giveBack ends the use of a buffer and of everything that lies in it.
func (l *Buffers) giveBack(b *[]byte) {
	if cap(*b) <= maxLent {
		l.pool.Put(b)
	}
}
