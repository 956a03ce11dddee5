package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"barrage/chat/internal/journal"
)

// Append implements Log.
func (m *Memory) Append(ctx context.Context, room string, batch, frame []byte) (id string, err error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return "", err
	}
	if len(batch) == 0 {
		r.publish(frame)
		m.mu.Unlock()
		return "", nil
	}
	e := memoryEntry{id: r.log.next(m.opts.Now().UnixMilli()), size: len(batch)}
	r.log.last = e.id // also when it is not written: nobody gets it again
	var rec []byte
	if m.disk == nil {
		e.batch = slices.Clone(batch)
	} else {
		rec = appendBatchRecord(room, e.id, batch)
	}
	err = m.commit(ctx, rec, func(p journal.Position, err error) {
		if err == nil {
			e.at = p
			r.log.add(e, m.opts)
			r.publish(frame)
		}
	})
	if err != nil {
		return "", err
	}
	return e.id.String(), nil
}

// Tail implements Log.
func (m *Memory) Tail(ctx context.Context, room string, n int) ([]Entry, error) {
	return m.read(ctx, room, func(l *memoryLog) []memoryEntry {
		return l.entries[len(l.entries)-min(max(n, 0), len(l.entries)):]
	})
}

// Read implements Log.
func (m *Memory) Read(ctx context.Context, room, after string, n int) ([]Entry, error) {
	from, err := ParseEntryID(after)
	if err != nil {
		return nil, err
	}
	return m.read(ctx, room, func(l *memoryLog) []memoryEntry {
		rest := l.after(from)
		return rest[:min(max(n, 0), len(rest))]
	})
}

// read returns the entries that choose chooses.
func (m *Memory) read(ctx context.Context, room string, choose func(*memoryLog) []memoryEntry) ([]Entry, error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return nil, err
	}
	chosen := slices.Clone(choose(&r.log))
	m.mu.Unlock()
	out := make([]Entry, 0, len(chosen))
	for _, e := range chosen {
		batch := e.batch
		if batch == nil {
			switch batch, err = m.disk.load(e.at); {
			case errors.Is(err, journal.ErrGone): // while we read: the log is bounded
				continue
			case err != nil:
				return nil, err
			}
		}
		out = append(out, Entry{ID: e.id.String(), Batch: batch})
	}
	return out, nil
}

// Trim implements Log.
func (m *Memory) Trim(ctx context.Context, room, through string) error {
	to, err := ParseEntryID(through)
	if err != nil {
		return err
	}
	r, err := m.enter(ctx, room)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	if n := len(r.log.entries) - len(r.log.after(to)); n > 0 {
		r.log.drop(n)
		m.disk.note(appendTrimRecord(room, to))
	}
	return nil
}

// EntryID is an Entry.ID as numbers. The zero EntryID is below all.
type EntryID struct {
	MS int64 // ms since the Unix epoch
	N  int64 // within MS
}

// ParseEntryID reads an Entry.ID; "" is the zero EntryID.
func ParseEntryID(s string) (EntryID, error) {
	if s == "" {
		return EntryID{}, nil
	}
	ms, n, _ := strings.Cut(s, "-")
	var id EntryID
	var err error
	if id.MS, err = strconv.ParseInt(ms, 10, 64); err == nil {
		id.N, err = strconv.ParseInt(n, 10, 64)
	}
	if err != nil || id.MS < 0 || id.N < 0 {
		return EntryID{}, fmt.Errorf("log entry %q: not an id as 1789900000123-4", s)
	}
	return id, nil
}

func (id EntryID) String() string {
	return strconv.FormatInt(id.MS, 10) + "-" + strconv.FormatInt(id.N, 10)
}

// Compare orders IDs as cmp.Compare does.
func (id EntryID) Compare(other EntryID) int {
	return cmp.Or(cmp.Compare(id.MS, other.MS), cmp.Compare(id.N, other.N))
}

// Next is the least ID above id.
func (id EntryID) Next() EntryID { return EntryID{id.MS, id.N + 1} }

// memoryLog is the log of one room.
type memoryLog struct {
	entries []memoryEntry // oldest first
	bytes   int
	last    EntryID                // never goes back, whatever the clock does
	release func(journal.Position) // of what is forgotten
}

// memoryEntry is one batch.
type memoryEntry struct {
	id    EntryID
	size  int
	batch []byte           // nil when it is on disk
	at    journal.Position // there
}

// next returns the ID of the next batch, at ms.
func (l *memoryLog) next(ms int64) EntryID {
	if ms > l.last.MS {
		return EntryID{MS: ms}
	}
	return l.last.Next()
}

func (l *memoryLog) add(e memoryEntry, opts MemoryOptions) {
	l.entries = append(l.entries, e)
	l.bytes += e.size
	for len(l.entries) > opts.Batches || (l.bytes > opts.Bytes && len(l.entries) > 1) {
		l.drop(1)
	}
}

// drop forgets the n oldest entries.
func (l *memoryLog) drop(n int) {
	for _, e := range l.entries[:n] {
		l.bytes -= e.size
		l.release(e.at)
	}
	clear(l.entries[:n])
	l.entries = l.entries[n:]
}

// after returns the entries above id.
func (l *memoryLog) after(id EntryID) []memoryEntry {
	i, found := slices.BinarySearchFunc(l.entries, id, func(e memoryEntry, id EntryID) int { return e.id.Compare(id) })
	if found {
		i++
	}
	return l.entries[i:]
}
