package chat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"barrage/chat/internal/journal"
)

const (
	spoolFiles = 16 << 20 // bytes of one file; it goes when nothing in it waits
	spoolSpare = 2 << 20  // more than a batch takes
)

var errSpoolFull = errors.New("the spool is full")

// spool keeps on this node's disk, for all its rooms, the batches that the broker
// did not take, until they are in the log and in a tick. A nil spool takes nothing.
type spool struct {
	journal *journal.Journal
	limit   int64
	log     *slog.Logger
	metrics *metrics

	mu    sync.Mutex // taken after room.mu; the journal's is taken in it
	bytes int64
	full  bool
	rooms map[string][]*spooled // oldest first
}

// spooled is one batch on disk. Guarded by room.mu, but for what is set once.
type spooled struct {
	room string
	at   journal.Position

	ship  *shipment // that carries its comments; nil while they have no number
	items []item    // whose writers are to hear more than "spooled"; nil when there were too many
	cids  []byte
}

// spoolRecord is what is on disk of it.
type spoolRecord struct {
	room  string
	after string // entry of the log: the batch came later, if it was taken after all
	batch []byte // with the number of its partial when the broker may have it, else with 0
}

// openSpool goes on with what the last process left in opts.Spool.
func openSpool(opts Options, m *metrics) (*spool, error) {
	log := opts.Logger
	s := &spool{limit: opts.SpoolBytes, log: log, metrics: m, rooms: make(map[string][]*spooled)}
	waiting := make(map[[2]uint32]*spooled)
	var order []*spooled
	j, found, err := journal.Open(journal.Options{
		Root: opts.Spool, SegmentBytes: spoolFiles, Bytes: math.MaxInt64, Linger: time.Second, Logger: log, // put refuses what is too much
		Replay: func(p journal.Position, payload []byte) {
			switch d := (recordReader{rest: payload[1:], ok: true}); payload[0] {
			case recordSpooled:
				e := &spooled{room: d.text(), at: p}
				waiting[[2]uint32{p.Segment, p.Offset}] = e
				order = append(order, e)
			case recordDone:
				delete(waiting, [2]uint32{uint32(d.uint()), uint32(d.uint())})
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s.journal = j
	for _, e := range order {
		if waiting[[2]uint32{e.at.Segment, e.at.Offset}] == e {
			j.Keep(e.at)
			s.add(e)
		}
	}
	if found.Damaged != "" {
		log.Error("comments are damaged on disk", "file", found.Damaged, "hint", "what can be read is kept; check the disk")
	}
	if n := len(waiting); n > 0 {
		log.Info("comments wait for the broker", "count", n, "path", opts.Spool.Name())
	}
	return s, nil
}

// The kinds of records of a spool.
const (
	recordSpooled = 's' // room, after, batch
	recordDone    = 'd' // segment, offset
)

// put writes a batch to disk.
func (s *spool) put(ctx context.Context, r spoolRecord) (*spooled, error) {
	dst := append(appendText(appendRecord(recordSpooled, r.room, len(r.batch)), r.after), r.batch...)
	s.mu.Lock()
	if s.bytes+int64(len(dst)) > s.limit {
		s.mu.Unlock()
		return nil, errSpoolFull
	}
	s.mu.Unlock()
	var mu sync.Mutex
	left := false // nobody waits any more
	e := &spooled{room: r.room}
	done := make(chan error, 1)
	err := s.journal.Append(journal.Record{Payload: dst, Keep: true, Done: func(p journal.Position, err error) {
		mu.Lock()
		defer mu.Unlock()
		e.at = p
		if left && err == nil { // it was refused: it must not be said later
			s.forget(p)
		}
		done <- err
	}})
	if err != nil {
		return nil, err
	}
	select {
	case err = <-done:
	case <-ctx.Done():
		mu.Lock()
		defer mu.Unlock()
		select {
		case err = <-done:
		default:
			left, err = true, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(e)
	return e, nil
}

// add needs mu, unless nobody else has s yet.
func (s *spool) add(e *spooled) {
	s.rooms[e.room] = append(s.rooms[e.room], e)
	s.grow(int64(e.at.Length))
}

// grow needs mu.
func (s *spool) grow(n int64) {
	s.bytes += n
	s.metrics.waiting.Set(float64(s.bytes))
	full := s.bytes+spoolSpare > s.limit
	if full && !s.full {
		s.log.Error("the spool of comments is full", "bytes", s.bytes, "limit", s.limit,
			"hint", "comments are refused until the broker answers again and takes them: bring it back, or raise chat.journal_bytes and restart")
	}
	s.full = full
}

// done says that e is in the log and in a tick.
func (s *spool) done(e *spooled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.rooms[e.room]
	i := slices.Index(list, e)
	if i < 0 {
		return
	}
	if s.rooms[e.room] = slices.Delete(list, i, i+1); len(list) == 1 {
		delete(s.rooms, e.room)
	}
	s.grow(-int64(e.at.Length))
	s.forget(e.at)
}

// forget sees to it that the next process does not find what is at p. When that
// cannot be written it finds it in the log.
func (s *spool) forget(p journal.Position) {
	s.journal.Release(p)
	note := binary.AppendUvarint(binary.AppendUvarint([]byte{recordDone}, uint64(p.Segment)), uint64(p.Offset))
	_ = s.journal.Append(journal.Record{Payload: note})
}

func (s *spool) load(e *spooled) (r spoolRecord, err error) {
	payload, err := s.journal.Load(e.at)
	if err != nil {
		return r, err
	}
	d := recordReader{rest: payload[1:], ok: true}
	r = spoolRecord{room: d.text(), after: d.text(), batch: d.rest}
	if !d.ok {
		return r, journal.ErrDamaged
	}
	return r, nil
}

// waiting returns the oldest batches of a room that are not on their way yet, of
// those without a number at most n. Needs the room's mu.
func (s *spool) waiting(room string, n int) []*spooled {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*spooled
	for _, e := range s.rooms[room] {
		if e.ship == nil && len(list) >= n {
			break
		}
		if e.ship == nil || e.ship.doubt { // others wait behind its number
			list = append(list, e)
		}
	}
	return list
}

// inherit is told of a room that opens: what waited in an earlier opening of it
// belongs to nobody.
func (s *spool) inherit(room string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.rooms[room] {
		e.ship, e.items, e.cids = nil, nil, nil
	}
}

// holds says whether something of the room waits.
func (s *spool) holds(room string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rooms[room]) > 0
}

// usable says whether comments can be put there.
func (s *spool) usable() bool {
	if s == nil || s.journal.Failure() != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.full
}

// names returns the rooms of which something waits.
func (s *spool) names() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.rooms {
		names = append(names, name)
	}
	return names
}

func (s *spool) close() error {
	if s == nil {
		return nil
	}
	return s.journal.Close()
}
