package chat

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Append implements Log.
func (m *Memory) Append(ctx context.Context, room string, batch, frame []byte) (id string, err error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return "", err
	}
	defer m.mu.Unlock()
	if len(batch) > 0 {
		id = r.log.add(batch, m.opts)
	}
	r.publish(frame)
	return id, nil
}

// Tail implements Log.
func (m *Memory) Tail(ctx context.Context, room string, n int) ([]Entry, error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return r.log.tail(n), nil
}

// Read implements Log.
func (m *Memory) Read(ctx context.Context, room, after string, n int) ([]Entry, error) {
	from, err := ParseEntryID(after)
	if err != nil {
		return nil, err
	}
	r, err := m.enter(ctx, room)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	rest := r.log.after(from)
	return entries(rest[:min(max(n, 0), len(rest))]), nil
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
	r.log.drop(len(r.log.entries) - len(r.log.after(to)))
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
	last    EntryID // never goes back, whatever the clock does
}

// memoryEntry is one batch.
type memoryEntry struct {
	id    EntryID
	batch []byte
}

// next returns the ID of the next batch, at ms.
func (l *memoryLog) next(ms int64) EntryID {
	if ms > l.last.MS {
		return EntryID{MS: ms}
	}
	return l.last.Next()
}

func (l *memoryLog) add(batch []byte, opts MemoryOptions) string {
	l.last = l.next(opts.Now().UnixMilli())
	l.entries = append(l.entries, memoryEntry{l.last, slices.Clone(batch)})
	l.bytes += len(batch)
	for len(l.entries) > opts.Batches || (l.bytes > opts.Bytes && len(l.entries) > 1) {
		l.drop(1)
	}
	return l.last.String()
}

// drop forgets the n oldest entries.
func (l *memoryLog) drop(n int) {
	for _, e := range l.entries[:n] {
		l.bytes -= len(e.batch)
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

func (l *memoryLog) tail(n int) []Entry {
	return entries(l.entries[len(l.entries)-min(max(n, 0), len(l.entries)):])
}

func entries(from []memoryEntry) []Entry {
	out := make([]Entry, len(from))
	for i, e := range from {
		out[i] = Entry{ID: e.id.String(), Batch: e.batch}
	}
	return out
}
