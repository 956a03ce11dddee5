package packager

import (
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"barrage/packager/media"
)

// section is an init section.
type section struct {
	number uint64
	data   []byte
	track  media.Track // what it describes
}

// part is a published part; immutable.
type part struct {
	number      uint64
	start, end  time.Duration // on the line of the stream epoch
	independent bool
	data        []byte
}

// segment is a segment that is complete or growing; immutable once a Window holds
// it (a growing one is replaced, not changed).
type segment struct {
	msn        uint64
	start, end time.Duration
	pdt        time.Time
	init       *section
	breaks     int // discontinuities since the segment before
	parts      []part
	data       []byte // the parts in one piece, once it is complete
	size       int64
}

// joined returns the segment with the bytes of its parts in one piece, which is the
// segment's. The heap gives whole pages: kept for two minutes, four parts of 50 KB took
// 8 % more than their bytes, and all in one 2 %. Who reads the old parts still may.
func (s *segment) joined() *segment {
	whole := *s
	if len(s.parts) == 1 {
		whole.data = s.parts[0].data
		return &whole
	}
	whole.data = make([]byte, 0, s.size)
	whole.parts = slices.Clone(s.parts)
	for i := range whole.parts {
		from := len(whole.data)
		whole.data = append(whole.data, s.parts[i].data...)
		whole.parts[i].data = whole.data[from:len(whole.data):len(whole.data)]
	}
	return &whole
}

// Window is what one rendition offers at one moment: its playlist and every segment
// and part that can be fetched. It is immutable; the next one is announced by Changed.
type Window struct {
	Ended          bool // no more media ever
	Closing        bool // no more media from this process: the next one goes on
	TargetDuration time.Duration
	PartTarget     time.Duration

	segments    []*segment // on offer, oldest first; the first few may have left the playlist
	listed      int        // index of the first in the playlist
	left        uint64     // discontinuities that have left the playlist
	open        *segment   // growing; nil between two segments
	nextMSN     uint64     // of the segment that grows or will grow next
	nextPart    uint64     // announced by the preload hint
	blind       bool       // there is none: a discontinuity comes
	full, delta *sheet     // its playlists, nil before the first segment is complete
	changed     chan struct{}
}

// Form is how a player wants a media playlist.
type Form struct {
	Gzip  bool
	Delta bool // without the segments that the player knows, see playlist.Media.Skip
}

// Playlist returns the media playlist, nil before the first segment is complete.
// It is written once for everybody who asks: never write to it.
func (w *Window) Playlist(f Form) []byte {
	switch {
	case w.full == nil:
		return nil
	case f.Delta && w.delta != nil:
		return w.delta.bytes(f.Gzip)
	}
	return w.full.bytes(f.Gzip)
}

// Changed is closed when the rendition has a newer Window.
func (w *Window) Changed() <-chan struct{} { return w.changed }

// Last returns the newest segment of the playlist and its newest part; part is -1
// when there is nothing yet.
func (w *Window) Last() (msn uint64, newest int) { return last(w.segments, w.open) }

func last(complete []*segment, open *segment) (msn uint64, newest int) {
	if open != nil && len(open.parts) > 0 {
		return open.msn, len(open.parts) - 1
	}
	if n := len(complete); n > 0 {
		s := complete[n-1]
		return s.msn, len(s.parts) - 1
	}
	return 0, -1
}

// Empty says that no segment is complete yet, so that there is no playlist.
func (w *Window) Empty() bool { return len(w.segments) == 0 }

// Duration returns how much media the playlist lists in complete segments.
func (w *Window) Duration() time.Duration {
	var d time.Duration
	for _, s := range w.segments[w.listed:] {
		d += s.end - s.start
	}
	return d
}

// Has answers a blocking reload: is there a segment with this media sequence number
// or a later one, and with this part of it when part >= 0? A part behind the end of
// its segment is the first of the next (RFC 8216bis, 6.2.5.2).
func (w *Window) Has(msn uint64, part int) bool {
	switch {
	case w.Empty():
		return false
	case msn+1 < w.nextMSN:
		return true
	case msn >= w.nextMSN:
		return part >= 0 && msn == w.nextMSN && w.open != nil && part < len(w.open.parts)
	case part < 0:
		return true
	}
	if n := len(w.segments); n > 0 && part < len(w.segments[n-1].parts) {
		return true
	}
	return w.open != nil && len(w.open.parts) > 0
}

// TooFar says that nobody can be waiting for such a part yet: more than two
// segments ahead, or beyond the advance part limit (6.2.5.2).
func (w *Window) TooFar(msn uint64, part int) bool {
	if w.Empty() { // how many parts the segments had that were lost is not known
		return msn > w.nextMSN+1
	}
	last, newest := w.Last()
	if msn > last+2 {
		return true
	}
	limit := 3
	if w.PartTarget > 0 && w.PartTarget < time.Second {
		limit = int((3*time.Second + w.PartTarget - 1) / w.PartTarget)
	}
	switch {
	case part < 0 || msn < last:
		return false
	case msn == last:
		return part > newest+limit
	}
	return part > limit
}

// Segment returns a complete segment: its parts, one behind the other.
func (w *Window) Segment(msn uint64) ([]byte, bool) {
	s := w.complete(msn)
	if s == nil {
		return nil, false
	}
	return s.data, true
}

func (w *Window) complete(msn uint64) *segment {
	if len(w.segments) == 0 || msn < w.segments[0].msn {
		return nil
	}
	if i := msn - w.segments[0].msn; i < uint64(len(w.segments)) {
		return w.segments[i]
	}
	return nil
}

// Part returns a part by its number.
func (w *Window) Part(number uint64) ([]byte, bool) {
	i := sort.Search(len(w.segments), func(i int) bool {
		p := w.segments[i].parts
		return p[len(p)-1].number >= number
	})
	s := w.open
	if i < len(w.segments) {
		s = w.segments[i]
	}
	if s == nil || len(s.parts) == 0 || number < s.parts[0].number || number-s.parts[0].number >= uint64(len(s.parts)) {
		return nil, false
	}
	return s.parts[number-s.parts[0].number].data, true
}

// Hinted says that the part is the one announced next.
func (w *Window) Hinted(number uint64) bool {
	return !w.Ended && !w.blind && number == w.nextPart
}

// Init returns an init section by its number.
func (w *Window) Init(number uint64) ([]byte, bool) {
	if w.open != nil && w.open.init.number == number {
		return w.open.init.data, true
	}
	for _, s := range w.segments {
		if s.init.number == number {
			return s.init.data, true
		}
	}
	return nil, false
}

// Rendition is one media playlist and its media. Readers load the Window and
// wait for the next; they share no lock with the writer.
type Rendition struct {
	window atomic.Pointer[Window]
}

func newRendition() *Rendition {
	r := &Rendition{}
	r.window.Store(&Window{nextMSN: 1, nextPart: 1, changed: make(chan struct{})})
	return r
}

// Window returns what is on offer now.
func (r *Rendition) Window() *Window { return r.window.Load() }

// replace makes w what is on offer instead of one with the same media.
func (r *Rendition) replace(w *Window) {
	w.changed = r.window.Load().changed
	r.window.Store(w)
}

// publish makes w what is on offer and wakes everybody who waits. One writer.
func (r *Rendition) publish(w *Window) {
	w.changed = make(chan struct{})
	old := r.window.Swap(w)
	close(old.changed)
}
