package packager

import (
	"sync/atomic"
	"time"
)

// How players are counted.
const (
	audienceSlots = 1 << 14 // 128 KiB a room once somebody watches it; the count saturates there
	audienceProbe = 16      // slots looked at for one player
	audienceSpan  = 10      // seconds a player counts after its last request
)

// audience counts distinct players of the last seconds in a fixed table without
// locks: requests of thousands of viewers touch it. A slot is the upper 40 bits
// of a player's hash and the second (mod 2^24) it was last seen; 0 is empty.
type audience struct {
	slots atomic.Pointer[[audienceSlots]atomic.Uint64]
}

func secondOf(t time.Time) uint64 { return uint64(t.Unix()) & (1<<24 - 1) }

func fresh(slot, now uint64) bool {
	return slot != 0 && (now-slot)&(1<<24-1) <= audienceSpan
}

// seen notes a request of the player with this hash.
func (a *audience) seen(hash uint64, at time.Time) {
	table := a.slots.Load()
	if table == nil {
		a.slots.CompareAndSwap(nil, &[audienceSlots]atomic.Uint64{})
		table = a.slots.Load()
	}
	now, who := secondOf(at), hash|1<<63 // never 0
	mark := who&^(1<<24-1) | now
	free := -1
	for i := range audienceProbe {
		index := (int(hash&(audienceSlots-1)) + i) & (audienceSlots - 1)
		slot := table[index].Load()
		if slot&^(1<<24-1) == mark&^(1<<24-1) {
			table[index].Store(mark)
			return
		}
		if free < 0 && !fresh(slot, now) {
			free = index
		}
	}
	if free >= 0 {
		table[free].Store(mark)
	}
}

// count returns how many players were seen lately.
func (a *audience) count(at time.Time) int {
	table := a.slots.Load()
	if table == nil {
		return 0
	}
	n, now := 0, secondOf(at)
	for i := range table {
		if fresh(table[i].Load(), now) {
			n++
		}
	}
	return n
}
