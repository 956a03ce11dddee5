package journal

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Errors of the calls.
var (
	ErrClosed  = errors.New("journal closed")
	ErrFull    = errors.New("the disk does not keep up")
	ErrTooLong = errors.New("record too long")
	ErrGone    = errors.New("record removed")
	ErrDamaged = errors.New("record unreadable")
)

const (
	maxQueued = 64 << 20 // bytes that wait for the disk
	maxWrite  = 1 << 20  // bytes of one write, unless one record has more
	syncEvery = time.Second
)

// Position is where a record lies.
type Position struct {
	Segment uint32
	Offset  uint32
	Length  uint32 // of the payload
}

// Record is what Append takes.
type Record struct {
	// Payload belongs to the journal until Done. Its first byte is 2 or more.
	Payload []byte
	// Keep says that somebody needs it until Release: its segment stays.
	Keep bool
	// Done is told where it lies, or why not. It must not block for long, nor call Close.
	Done func(Position, error)
}

// Options wire a Journal. Root is required.
type Options struct {
	Root *os.Root // the directory; the journal's alone, but for names that do not end in .log
	// SegmentBytes is when a new file is begun, Bytes what all have together at most: the
	// oldest goes, needed or not. Defaults 64 MiB and 1 GiB.
	SegmentBytes, Bytes int64
	// Linger is how long a segment is kept in which nobody needs anything. Default 10 min.
	Linger time.Duration
	Logger *slog.Logger
	// Replay is told of every record while Open runs; Keep says afterwards which are needed.
	Replay func(p Position, payload []byte)
	// Head returns the payloads with which a new segment begins: what is needed of those
	// that may be removed before it. The writing goroutine calls it.
	Head func() [][]byte
	// Removed is told that all segments up to this one have gone.
	Removed func(segment uint32)
}

// Found says what Open found.
type Found struct {
	Records int
	Cut     int64 // bytes of an interrupted write
	// Damaged names a file in which records were unreadable, and others behind them not.
	Damaged string
	// Lost says that the newest records may be missing though they were acknowledged: the
	// last file is damaged, or the machine stopped without warning.
	Lost bool
}

// Journal is an open journal.
type Journal struct {
	opts Options

	mu       sync.Mutex
	queue    []Record
	queued   int
	segments []*segment // oldest first; the last one is written to, unless it is nil
	failure  error      // of the last write; nil while writing works
	dirty    bool       // written since the last sync
	unsafe   bool       // the last sync failed
	closed   bool

	wake    chan struct{}
	stop    chan struct{}
	running sync.WaitGroup

	number uint64 // of the last record; the writer's
	buffer []byte // the writer's
}

// Open replays what there is, and starts a new segment. The caller must Close it.
func Open(opts Options) (*Journal, Found, error) {
	opts.SegmentBytes = cmp.Or(opts.SegmentBytes, 64<<20)
	opts.Bytes = cmp.Or(opts.Bytes, 1<<30)
	opts.Linger = cmp.Or(opts.Linger, 10*time.Minute)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	j := &Journal{opts: opts, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	f, err := j.replay()
	if err == nil {
		err = j.begin()
	}
	if err != nil {
		for _, s := range j.segments {
			_ = s.file.Close()
		}
		return nil, f, err
	}
	j.running.Go(j.write)
	j.running.Go(j.keep)
	return j, f, nil
}

// Append queues r. When it returns nil Done will be called.
func (j *Journal) Append(r Record) error {
	if len(r.Payload) == 0 || len(r.Payload) > maxRecord {
		return fmt.Errorf("%w: %d bytes", ErrTooLong, len(r.Payload))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return ErrClosed
	case j.failure != nil:
		return j.failure
	case j.queued+len(r.Payload) > maxQueued && j.queued > 0:
		return ErrFull
	}
	j.queue = append(j.queue, r)
	j.queued += len(r.Payload)
	ring(j.wake)
	return nil
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// Failure is why records are refused now, nil when they are not.
func (j *Journal) Failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

// Close writes what is queued and makes it safe. No Done is called afterwards.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	j.mu.Unlock()
	close(j.stop)
	j.running.Wait()
	var errs []error
	for _, s := range j.segments {
		errs = append(errs, s.file.Close())
	}
	return errors.Join(errs...)
}

// Load returns the payload at p.
func (j *Journal) Load(p Position) ([]byte, error) {
	j.mu.Lock()
	s := j.find(p.Segment)
	j.mu.Unlock()
	if s == nil {
		return nil, ErrGone
	}
	data := make([]byte, headBytes+int(p.Length))
	if _, err := s.file.ReadAt(data, int64(p.Offset)); err != nil {
		if errors.Is(err, os.ErrClosed) {
			return nil, ErrGone
		}
		return nil, fmt.Errorf("read journal %s: %w", segmentName(p.Segment), err)
	}
	_, payload, ok := parseRecord(data)
	if !ok || len(payload) != int(p.Length) {
		return nil, fmt.Errorf("read journal %s: %w", segmentName(p.Segment), ErrDamaged)
	}
	return payload, nil
}

// find needs mu.
func (j *Journal) find(number uint32) *segment {
	for _, s := range j.segments {
		if s.number == number {
			return s
		}
	}
	return nil
}

// Keep says that the record at p is needed until Release, as Record.Keep does.
func (j *Journal) Keep(p Position) { j.need(p, 1) }

// Release says that the record at p is needed no more.
func (j *Journal) Release(p Position) { j.need(p, -1) }

func (j *Journal) need(p Position, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.find(p.Segment); s != nil {
		s.live += n
	}
}
