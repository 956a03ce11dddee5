package chat

import (
	"context"
	"errors"
	"slices"

	"barrage/chat/internal/journal"
)

// memoryTicks are the last ticks of a room's epoch.
type memoryTicks struct {
	list  []memoryTick // oldest first
	bytes int
}

type memoryTick struct {
	seq   uint64
	size  int
	frame []byte           // nil when it is on disk
	at    journal.Position // there
}

func (t *memoryTicks) add(tick memoryTick) {
	if tick.size == 0 {
		return
	}
	t.list = append(t.list, tick)
	t.bytes += tick.size
	for len(t.list) > TickLogLength || (t.bytes > TickLogBytes && len(t.list) > 1) {
		t.drop(1)
	}
}

// drop forgets the n oldest ticks.
func (t *memoryTicks) drop(n int) {
	for _, tick := range t.list[:n] {
		t.bytes -= tick.size
	}
	clear(t.list[:n])
	t.list = t.list[n:]
}

// behind returns at most n ticks above seq.
func (t *memoryTicks) behind(seq uint64, n int) []memoryTick {
	from, _ := slices.BinarySearchFunc(t.list, seq, func(t memoryTick, seq uint64) int {
		if t.seq > seq {
			return 1
		}
		return -1
	})
	return t.list[from:][:min(max(n, 0), len(t.list)-from)]
}

// Ticks implements Store.
func (m *Memory) Ticks(ctx context.Context, room string, after uint64, n int) ([][]byte, error) {
	r, err := m.enter(ctx, room)
	if err != nil {
		return nil, err
	}
	list := slices.Clone(r.ticks.behind(after, n))
	m.mu.Unlock()
	frames := make([][]byte, 0, len(list))
	for _, t := range list {
		frame := t.frame
		if frame == nil {
			switch frame, err = m.disk.load(t.at); {
			case errors.Is(err, journal.ErrGone): // while we read: the log is bounded
				continue
			case err != nil:
				return nil, err
			}
		}
		frames = append(frames, frame)
	}
	return frames, nil
}
