package packager

import (
	"sync/atomic"
	"time"
)

// How players are counted.
const (
	audienceSlots = 1 << 14 // 128 KiB a room once somebody watches it; the count saturates there
	audienceProbe = 64      // players that one place can have at most: the slots looked at for it
	audienceSpan  = 10      // seconds a player counts after its last request
)

// Player is who asked for a playlist.
type Player struct {
	Exact     bool   // ID is of a session that the player named, not a guess
	Place, ID uint64 // hashes: where it asks from, and what tells it apart in all places
}

// Players says how many HLS players that are not our page's there are.
type Players struct {
	// Exact is how many sessions are named by players that do so (CMCD), at most 64 of
	// a household.
	Exact int
	// Estimated is how many pairs of household and user agent the other players have:
	// two of one kind in one household are one, and behind a cache hardly any is seen.
	Estimated int
}

// Sum is the best there is to say in one number.
func (p Players) Sum() int { return p.Exact + p.Estimated }

// audience counts distinct players of the last seconds in a fixed table without
// locks: requests of thousands of viewers touch it. A slot is the upper 40 bits
// of a player's hash and the second (mod 2^24) it was last seen; 0 is empty. The
// players of one place have neighbouring slots, so that no place has more of them
// than are looked at: who invents players from one address is 64.
type audience struct {
	slots atomic.Pointer[[audienceSlots]atomic.Uint64]
}

const secondMask = 1<<24 - 1

func secondOf(t time.Time) uint64 { return uint64(t.Unix()) & secondMask }

func fresh(slot, now uint64) bool {
	return slot != 0 && (now-slot)&secondMask <= audienceSpan
}

// seen notes a request of a player.
func (a *audience) seen(p Player, at time.Time) {
	table := a.slots.Load()
	if table == nil {
		a.slots.CompareAndSwap(nil, &[audienceSlots]atomic.Uint64{})
		table = a.slots.Load()
	}
	now := secondOf(at)
	mark := (p.ID|1<<63)&^secondMask | now // never 0
	for noted := false; !noted; {          // again when somebody took the slot
		noted = note(table, int(p.Place%audienceSlots), mark)
	}
}

// note puts mark where the player's was, or into the first free slot from first on.
func note(table *[audienceSlots]atomic.Uint64, first int, mark uint64) bool {
	var free *atomic.Uint64
	var old uint64
	for i := range audienceProbe {
		slot := &table[(first+i)%audienceSlots]
		v := slot.Load()
		if v&^secondMask == mark&^secondMask {
			if v != mark { // thousands may share this line of the cache
				slot.Store(mark)
			}
			return true
		}
		if free == nil && !fresh(v, mark&secondMask) {
			free, old = slot, v
		}
	}
	return free == nil || free.CompareAndSwap(old, mark)
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
