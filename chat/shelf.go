package chat

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"barrage/chat/internal/archive"
	"barrage/chat/internal/segment"
	"barrage/chat/internal/wire"
)

const (
	lateness     = int64(15_000)        // ms after the window has passed: then a segment hardly changes
	shelfTicks   = 1024                 // read from the tick log when a room opens
	shelfBatch   = 128                  // at once
	eraseReach   = int64(24 * 3600_000) // ms: so far back an author's comments are deleted from disk
	eraseMargin  = int64(5 * 60_000)    // ms between a comment's id and its moment, and then some
	pressingNews = 4096                 // comments that are archived at once
	keepInterval = time.Second          // between two looks at what is to be archived
	recordsEvery = 10 * time.Second     // what no tick tells of is read so often
	saveInterval = 5 * time.Second      // between two savings of segments that still change
	shelfTimeout = 2 * time.Second      // a reader waits so long for a room that opens
)

// shelf is what the room showed, by the moments of its comments. mu is taken before
// room.mu: whoever delivers a tick only puts it into room.news.
type shelf struct {
	mu    sync.Mutex
	rows  *segment.Shelf
	ready chan struct{} // closed when what was shown before the room was opened here is on it
}

// news is what was delivered and is not on the shelf yet. Guarded by room.mu.
type news struct {
	ticks    []*wire.Finished
	said     uint64 // comments counted in the room so far
	archived string // entry of the log up to which some node has it on disk
}

// shelve needs mu. It keeps f for the shelf.
func (r *room) shelve(f *wire.Finished) {
	n := &r.news
	if len(f.Tick.Comments)+len(f.Tick.Combos)+len(f.Events) > 0 {
		n.ticks = append(n.ticks, f)
	}
	n.said = f.Comments
	n.archived = laterEntry(n.archived, f.Archived)
	if n.said-r.keeper.read.Load() >= pressingNews {
		ring(r.bells.keep)
	}
}

// laterEntry returns the higher of two entry IDs.
func laterEntry(a, b string) string {
	x, bad := ParseEntryID(a)
	y, worse := ParseEntryID(b)
	if worse != nil || bad == nil && x.Compare(y) >= 0 {
		return a
	}
	return b
}

// present returns PDT now, and for how long after its moment a comment may still
// come.
func (r *room) present() (now, open int64) {
	now, window := r.video.Load().present(r.hub.clock(), r.hub.now())
	return now, max(window, defaultWindow) + lateness
}

// catchUp puts what was delivered on the shelf. Needs shelf.mu.
func (r *room) catchUp() {
	r.mu.Lock()
	ticks := r.news.ticks
	r.news.ticks = nil
	r.mu.Unlock()
	for _, f := range ticks {
		r.place(f)
	}
}

// place needs shelf.mu.
func (r *room) place(f *wire.Finished) {
	for _, c := range f.Tick.Comments {
		r.shelf.rows.Add(c)
	}
	for _, k := range f.Tick.Combos {
		r.shelf.rows.Count(k.ID, k.Total)
	}
	for _, e := range f.Events {
		r.erase(e)
	}
}

// erase takes deleted comments off the shelf. Needs shelf.mu.
func (r *room) erase(event []byte) {
	deleted, ok := wire.ParseDeleteEvent(event)
	if !ok {
		return
	}
	d := segment.Deletion(deleted)
	now, _ := r.present()
	from := now - eraseReach
	if d.Who == "" {
		from = now
		for _, id := range d.IDs {
			from = min(from, saidAt(id)-eraseMargin)
		}
	}
	r.shelf.rows.Delete(d, from)
}

// saidAt is when a comment was taken, in ms, as nextID has put it into its id.
func saidAt(id string) int64 {
	us, _, _ := strings.Cut(id, "-")
	t, err := strconv.ParseInt(us, 36, 64)
	if err != nil {
		return 0
	}
	return t / 1000
}

// recollect puts on the shelf what was shown before the room was opened here: its
// first reader wants the whole window. Needs keeper.mu; false = not yet.
func (r *room) recollect() bool {
	if r.keeper.complete {
		return true
	}
	r.mu.Lock()
	epoch, newest := r.team.epoch, r.tape.tail.seq
	r.mu.Unlock()
	if epoch == "" {
		return false
	}
	now, open := r.present()
	floor := now - open
	var all []*wire.Finished
	for after := newest - min(newest, shelfTicks); after < newest; {
		ticks, err := r.ticks(after, shelfBatch)
		if err != nil {
			return false
		}
		if len(ticks) == 0 {
			break
		}
		all = append(all, ticks...)
		after = ticks[len(ticks)-1].Tick.Seq
	}
	if len(all) > 0 && all[0].Tick.Seq > 1 {
		// What was said before the first of them had its moment before this one, and a second.
		first := all[0].Tick.T + now - r.hub.now().UnixMilli()
		floor = max(floor, first+1000)
	}
	r.shelf.mu.Lock()
	for _, f := range all {
		r.place(f)
	}
	r.shelf.rows.Floor = segment.Start(floor + segment.Length - 1)
	r.shelf.mu.Unlock()
	r.keeper.complete = true
	close(r.shelf.ready)
	return true
}

// roomDisk is the segments of one room on disk.
type roomDisk struct {
	archive *archive.Archive
	room    string
	fail    func(error)
}

// Segment implements segment.Disk.
func (d roomDisk) Segment(t int64) []byte {
	body, err := d.archive.Segment(d.room, t)
	d.note(err)
	return body
}

// Segments implements segment.Disk.
func (d roomDisk) Segments(from int64) []int64 {
	all, err := d.archive.Segments(d.room, from)
	d.note(err)
	return all
}

// note keeps that the disk could not be read: what is in RAM is served without it.
func (d roomDisk) note(err error) {
	if err != nil {
		d.fail(err)
	}
}
