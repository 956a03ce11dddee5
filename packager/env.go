package packager

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// env is what all streams of a registry share.
type env struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	budget  budget
	zip     *compressor
	notify  func()            // a phase, session or epoch has changed
	wake    func()            // a deadline has changed
	keep    func(room string) // its record is to be written anew, or removed
	keeps   bool              // there are records
	grace   time.Duration
	clean   time.Duration
}

// waits returns how long a publisher is waited for.
func (e *env) waits(clean bool) time.Duration {
	if clean {
		return e.clean
	}
	return e.grace
}

// compressor reuses gzip writers, which cost most of a megabyte each.
type compressor struct{ pool sync.Pool }

// compress returns plain as gzip in a slice of its own.
func (c *compressor) compress(plain []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(plain)/4 + 64)
	w, ok := c.pool.Get().(*gzip.Writer)
	if ok {
		w.Reset(&out)
	} else {
		w, _ = gzip.NewWriterLevel(&out, gzip.BestSpeed) // the only error is a bad level
	}
	// A bytes.Buffer never refuses bytes.
	_, _ = w.Write(plain)
	_ = w.Close()
	c.pool.Put(w)
	return out.Bytes()
}

// newID names a session or a stream epoch, in lower-case base 36: the milliseconds
// make it readable and sortable, the random half makes it new although the wall
// clock may repeat itself after a restart.
func newID(now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return strconv.FormatInt(now.UnixMilli(), 36) + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b[:]))|1<<32, 36)
}
