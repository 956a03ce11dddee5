package chat

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"barrage/chat/internal/journal"
)

// disk is what a Memory has on disk; nil: nothing.
type disk struct{ journal *journal.Journal }

// OpenMemory makes a broker that goes on where the last one with opts.Dir stopped;
// its owner must Close it.
func OpenMemory(opts MemoryOptions) (*Memory, error) {
	opts.Batches = cmp.Or(opts.Batches, 65536)
	opts.Bytes = cmp.Or(opts.Bytes, math.MaxInt)
	m := newMemory(opts)
	var err error
	if m.rules, err = openRulebook(opts.Dir); err != nil {
		return nil, err
	}
	m.disk = &disk{} // rooms are made while the journal is replayed
	var found journal.Found
	m.disk.journal, found, err = journal.Open(journal.Options{
		Root: opts.Dir, Bytes: opts.JournalBytes, Linger: TickLogAge, Logger: m.opts.Logger,
		Replay: m.replay, Head: m.heads, Removed: m.removed,
	})
	if err != nil {
		return nil, errors.Join(err, m.rules.close())
	}
	m.mu.Lock()
	for _, r := range m.rooms {
		for _, e := range r.log.entries {
			m.disk.journal.Keep(e.at)
		}
	}
	m.mu.Unlock()
	m.report(found)
	return m, nil
}

// report says what was found, and begins new numberings where the old ones may
// have gone further than we know.
func (m *Memory) report(found journal.Found) {
	log := m.opts.Logger.With("path", m.opts.Dir.Name())
	if found.Cut > 0 {
		log.Info("an interrupted write was cut", "bytes", found.Cut)
	}
	if found.Damaged != "" {
		log.Error("comments are damaged on disk", "file", found.Damaged,
			"hint", "what can be read is kept; check the disk, and restore the file from a backup if there is one")
	}
	if !found.Lost {
		log.Debug("comments read back", "count", found.Records)
		return
	}
	log.Warn("rooms begin a new numbering of comments", "reason", "the newest may be missing: the machine stopped without warning, or the last file is damaged",
		"hint", "viewers see nothing of it; nothing is to be done")
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rooms {
		r.lease, r.ticks = memoryLease{}, memoryTicks{}
		m.disk.note(appendHeadRecord(r)) // should we be killed before the room is opened
	}
}

// Up says whether comments can be written.
func (m *Memory) Up() bool { return m.disk.failure() == nil }

// Degraded says in words what an operator should know, if anything.
func (m *Memory) Degraded() (reason string, degraded bool) {
	if m.Up() {
		return "", false
	}
	return "the disk of state_dir takes no comments: they are refused until it does", true
}

// commit writes record and then calls apply, under mu and in the order of the commits,
// with where it lies or why not. Callers hold mu; commit unlocks it.
func (m *Memory) commit(ctx context.Context, record []byte, apply func(journal.Position, error)) error {
	if m.disk == nil {
		apply(journal.Position{}, nil)
		m.mu.Unlock()
		return nil
	}
	done := make(chan error, 1)
	err := m.disk.journal.Append(journal.Record{Payload: record, Keep: record[0] == recordBatch, Done: func(p journal.Position, err error) {
		m.mu.Lock()
		apply(p, err)
		m.mu.Unlock()
		done <- err
	}})
	if err != nil {
		apply(journal.Position{}, err)
		m.mu.Unlock()
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	m.mu.Unlock()
	select {
	case err = <-done:
	case <-ctx.Done(): // it may yet be written
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// note writes record without waiting. What is lost of notes with the process costs
// a new epoch that nobody saw, or a trim that is repeated.
func (d *disk) note(record []byte) {
	if d != nil {
		_ = d.journal.Append(journal.Record{Payload: record})
	}
}

func (d *disk) release(p journal.Position) {
	if d != nil && d.journal != nil { // nil while it is replayed
		d.journal.Release(p)
	}
}

// cache returns what a tick keeps in RAM of its frame.
func (d *disk) cache(frame []byte) []byte {
	if d != nil {
		return nil
	}
	return frame
}

// load returns the body of a record.
func (d *disk) load(p journal.Position) ([]byte, error) {
	payload, err := d.journal.Load(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	rec, ok := parseRecord(payload)
	if !ok {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, journal.ErrDamaged)
	}
	return rec.body, nil
}

func (d *disk) failure() error {
	if d == nil {
		return nil
	}
	if err := d.journal.Failure(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

func (d *disk) close() error {
	if d == nil {
		return nil
	}
	return d.journal.Close()
}

// replay takes a record from the journal of the last process.
func (m *Memory) replay(p journal.Position, payload []byte) {
	rec, ok := parseRecord(payload)
	if !ok {
		return // of a version that we do not know
	}
	r := m.rooms[rec.room]
	if r == nil {
		r = m.newRoom(rec.room)
	}
	r.used = m.opts.Now()
	switch rec.kind {
	case recordBatch:
		if rec.id.Compare(r.log.last) > 0 {
			r.log.last = rec.id
			r.log.add(memoryEntry{id: rec.id, size: len(rec.body), at: p}, m.opts)
		}
	case recordTick, recordHead:
		if rec.epoch != r.lease.epoch {
			r.lease.epoch, r.lease.seq, r.ticks = rec.epoch, 0, memoryTicks{}
		}
		r.lease.seq = max(r.lease.seq, rec.seq)
		if rec.id.Compare(r.log.last) > 0 {
			r.log.last = rec.id
		}
		if rec.kind == recordTick {
			r.ticks.add(memoryTick{seq: rec.seq, size: len(rec.body), at: p})
		}
	case recordTrim:
		r.log.drop(len(r.log.entries) - len(r.log.after(rec.id)))
	}
}

// heads returns what a new file must have of the rooms.
func (m *Memory) heads() [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var heads [][]byte
	for _, r := range m.rooms {
		if r.lease.epoch != "" || r.log.last != (EntryID{}) {
			heads = append(heads, appendHeadRecord(r))
		}
	}
	return heads
}

// removed forgets what lay in the files up to segment.
func (m *Memory) removed(segment uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rooms {
		n := 0
		for n < len(r.log.entries) && r.log.entries[n].at.Segment <= segment {
			n++
		}
		r.log.drop(n)
		n = 0
		for n < len(r.ticks.list) && r.ticks.list[n].at.Segment <= segment {
			n++
		}
		r.ticks.drop(n)
	}
}

// The kinds of records; a later layout takes new letters.
const (
	recordBatch = 'b' // id, batch
	recordTick  = 't' // epoch, seq, frame
	recordHead  = 'h' // epoch, seq, id of the newest batch
	recordTrim  = 'x' // id of the last batch that goes
)

// record is any of them.
type record struct {
	kind  byte
	room  string
	epoch string
	seq   uint64
	id    EntryID
	body  []byte
}

func appendRecord(kind byte, room string, body int) []byte {
	dst := make([]byte, 0, 64+len(room)+body)
	return appendText(append(dst, kind), room)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendID(dst []byte, id EntryID) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(id.MS)), uint64(id.N))
}

func appendBatchRecord(room string, id EntryID, batch []byte) []byte {
	return append(appendID(appendRecord(recordBatch, room, len(batch)), id), batch...)
}

func appendTickRecord(room, epoch string, seq uint64, frame []byte) []byte {
	dst := appendText(appendRecord(recordTick, room, len(frame)), epoch)
	return append(binary.AppendUvarint(dst, seq), frame...)
}

func appendHeadRecord(r *memoryRoom) []byte {
	dst := appendText(appendRecord(recordHead, r.name, 0), r.lease.epoch)
	return appendID(binary.AppendUvarint(dst, r.lease.seq), r.log.last)
}

func appendTrimRecord(room string, through EntryID) []byte {
	return appendID(appendRecord(recordTrim, room, 0), through)
}

// parseRecord decodes any record. Its body is a slice of payload.
func parseRecord(payload []byte) (rec record, ok bool) {
	if len(payload) == 0 {
		return record{}, false
	}
	d := recordReader{rest: payload[1:], ok: true}
	rec = record{kind: payload[0], room: d.text()}
	switch rec.kind {
	case recordBatch, recordTrim:
		rec.id = d.id()
	case recordTick, recordHead:
		rec.epoch, rec.seq = d.text(), d.uint()
		if rec.kind == recordHead {
			rec.id = d.id()
		}
	default:
		return record{}, false
	}
	rec.body = d.rest
	return rec, d.ok
}

// recordReader reads what the append functions wrote; after the first short read
// everything is zero.
type recordReader struct {
	rest []byte
	ok   bool
}

func (d *recordReader) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.rest, d.ok = nil, false
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *recordReader) text() string {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.rest, d.ok = nil, false
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *recordReader) id() EntryID { return EntryID{int64(d.uint()), int64(d.uint())} }
