package app

import (
	"bufio"
	"bytes"
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// mediaShare is the part of the memory that media may take when the configuration
// does not say: in percent. The rest is for garbage, connections and comments.
const mediaShare = 60

// mediaBound returns packager.total_bytes for what this process may use of memory:
// GOMEMLIMIT (which is the container's limit unless it was set), else the machine's.
// 0 where neither is known.
func mediaBound() int64 {
	limit := debug.SetMemoryLimit(-1)
	if machine, ok := machineMemory(); ok {
		limit = min(limit, machine)
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit / 100 * mediaShare
}

// cgroupMemory returns the memory limit of this process's control group in bytes.
func cgroupMemory() (int64, bool) {
	text, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0, false
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return limit, err == nil && limit > 0 && limit < math.MaxInt64
}

// machineMemory returns the machine's memory in bytes, where the system is Linux.
func machineMemory() (int64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 54)
			return kib << 10, err == nil
		}
	}
	return 0, false
}

// How much garbage there may be, in percent: as much as everything alive that is not
// media, which is Go's default, but only a twentieth of the media. Media has no pointers,
// so that collecting it costs next to nothing, and with as much garbage as media the
// server would take twice the memory.
const (
	garbageOfMedia = 5
	garbageOfRest  = 100
	leastRest      = 16 << 20 // bytes assumed alive besides media, lest a small heap be collected all the time
	roundedUp      = 10       // percent that parts take more than their bytes: the heap gives whole pages
)

// tuneEvery is short of how long windows take to fill.
const tuneEvery = 5 * time.Second

// What is free in the heap goes back to the system by itself but for a tenth of the
// heap. With gigabytes of media that is much, so it is given back when it is more than
// leastFree and a twentieth, at most every giveBackEvery: it costs a collection.
const (
	leastFree     = 64 << 20
	giveBackEvery = time.Minute
)

// tuneGarbage keeps the collector's target fit for how much of the heap is media.
func tuneGarbage(ctx context.Context, held func() int64) error {
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	turn := time.NewTicker(tuneEvery)
	given := time.Now()
	defer turn.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-turn.C:
			metrics.Read(heap)
			live, free, stacks := int64(heap[0].Value.Uint64()), int64(heap[1].Value.Uint64()), int64(heap[2].Value.Uint64())
			debug.SetGCPercent(garbagePercent(held(), live, stacks))
			if free > max(leastFree, live/20) && now.Sub(given) >= giveBackEvery {
				given = now
				debug.FreeOSMemory()
			}
		}
	}
}

// garbagePercent returns the collector's target for a heap with so many bytes alive, of
// which media are held. Go takes its percentage of the stacks, too, which with thousands
// of connections are larger than what they have alive; there is no garbage in them.
func garbagePercent(held, live, stacks int64) int {
	held = min(held+held*roundedUp/100, live)
	rest := max(live-held, leastRest)
	return int((held*garbageOfMedia + rest*garbageOfRest) / (held + rest + stacks))
}
