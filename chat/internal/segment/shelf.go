package segment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"barrage/chat/internal/wire"
)

// Bounds of a Shelf.
const (
	maxBytes = 8 << 20 // of comments in RAM
	maxGone  = 4096    // deleted comments that are kept out
)

// Deletion says which comments vanish: those with these ids, and all so far by
// one author.
type Deletion struct {
	IDs []string
	Who string
}

func (d Deletion) has(c shown) bool {
	if slices.Contains(d.IDs, c.id) {
		return true
	}
	if d.Who == "" {
		return false
	}
	var author string
	return json.Unmarshal([]byte(`"`+c.author+`"`), &author) == nil && author == d.Who
}

// mayConcern says whether it is worth it to take a rendered segment apart.
func (d Deletion) mayConcern(body []byte) bool {
	if d.Who != "" {
		quoted, err := json.Marshal(d.Who)
		if err != nil || bytes.Contains(body, quoted) || bytes.ContainsAny(quoted[1:len(quoted)-1], `\\`) {
			return true
		}
	}
	return slices.ContainsFunc(d.IDs, func(id string) bool { return bytes.Contains(body, []byte(id)) })
}

// Disk is where segments are kept that are no longer in RAM. nil bodies are those
// it does not have.
type Disk interface {
	// Segment returns a rendered segment.
	Segment(t int64) []byte
	// Segments returns the beginnings of those from t on.
	Segments(from int64) []int64
}

// Shelf is the segments of one room that may still change. It is not safe for
// concurrent use.
type Shelf struct {
	disk  Disk
	segs  map[int64]*Segment
	where map[string]int64 // comments of segs
	bytes int
	gone  map[string]struct{}
	order []string // of gone, oldest first

	// Floor is where what the shelf knows begins: what it does not have from there
	// on was never said.
	Floor int64
}

// NewShelf returns an empty shelf above disk, which may be nil.
func NewShelf(disk Disk) *Shelf {
	return &Shelf{disk: disk, segs: make(map[int64]*Segment), where: make(map[string]int64), gone: make(map[string]struct{})}
}

// Add takes in a comment that was shown, unless it is known or deleted.
func (s *Shelf) Add(comment []byte) {
	f, ok := wire.ParseFields(comment)
	if !ok {
		return
	}
	pdt, err := f.PDT()
	id := string(f.ID())
	if _, deleted := s.gone[id]; deleted || err != nil {
		return
	}
	seg := s.open(Start(pdt))
	if _, known := s.where[id]; known {
		return
	}
	seg.add(comment, f)
	s.where[id] = seg.T
	s.bytes += len(comment)
}

// Count raises how often a comment was said.
func (s *Shelf) Count(id string, total uint64) {
	if t, ok := s.where[id]; ok {
		s.segs[t].count(id, total)
	}
}

// Delete takes comments out, here and on disk as far as from, and keeps them out.
func (s *Shelf) Delete(d Deletion, from int64) {
	for _, id := range d.IDs {
		s.forbid(id)
	}
	if s.disk != nil {
		for _, t := range s.disk.Segments(from) {
			if _, open := s.segs[t]; open {
				continue
			}
			if body := s.disk.Segment(t); !d.mayConcern(body) {
				continue
			}
			if seg := s.read(t); seg != nil && len(seg.remove(d)) > 0 {
				s.put(seg)
			}
		}
	}
	for _, seg := range s.segs {
		for _, id := range seg.remove(d) {
			delete(s.where, id)
			s.forbid(id)
		}
	}
}

func (s *Shelf) forbid(id string) {
	if _, known := s.gone[id]; known {
		return
	}
	if len(s.order) == maxGone {
		delete(s.gone, s.order[0])
		s.order = s.order[1:]
	}
	s.gone[id] = struct{}{}
	s.order = append(s.order, id)
}

// View returns the segment at t, and false when the shelf cannot say what was
// shown then.
func (s *Shelf) View(t int64) (*View, bool) {
	if seg, ok := s.segs[t]; ok {
		return seg.View(), true
	}
	if s.disk != nil {
		if body := s.disk.Segment(t); body != nil {
			return NewView(body), true
		}
	}
	if t < s.Floor {
		return nil, false
	}
	return Empty(t), true
}

// Dirty returns the segments that are not on disk as they are, oldest first.
func (s *Shelf) Dirty() []*Segment {
	var all []*Segment
	for _, seg := range s.segs {
		if seg.dirty {
			all = append(all, seg)
		}
	}
	slices.SortFunc(all, func(a, b *Segment) int { return cmp.Compare(a.T, b.T) })
	return all
}

// Saved says that v, a view of the segment at t, is on disk.
func (s *Shelf) Saved(t int64, v *View) {
	if seg, ok := s.segs[t]; ok && seg.view == v {
		seg.dirty = false
	}
}

// Drop forgets segments before t, except those that must be saved first; and
// whatever it takes to stay within bounds.
func (s *Shelf) Drop(t int64, mustSave bool) {
	for _, at := range slices.Sorted(maps.Keys(s.segs)) {
		seg := s.segs[at]
		old := at < t && (!mustSave || !seg.dirty)
		if !old && s.bytes <= maxBytes {
			continue
		}
		for _, c := range seg.comments {
			delete(s.where, c.id)
			s.bytes -= len(c.comment)
		}
		delete(s.segs, at)
		s.Floor = max(s.Floor, at+Length)
	}
}

// open returns the segment at t, as it is on disk when it was dropped or the
// process is a new one.
func (s *Shelf) open(t int64) *Segment {
	if seg, ok := s.segs[t]; ok {
		return seg
	}
	seg := s.read(t)
	if seg == nil {
		seg = &Segment{T: t}
	}
	s.put(seg)
	return seg
}

func (s *Shelf) put(seg *Segment) {
	s.segs[seg.T] = seg
	for _, c := range seg.comments {
		s.where[c.id] = seg.T
		s.bytes += len(c.comment)
	}
}

// read returns nil when there is none.
func (s *Shelf) read(t int64) *Segment {
	if s.disk == nil {
		return nil
	}
	body := s.disk.Segment(t)
	if body == nil {
		return nil
	}
	seg, err := Parse(body)
	if err != nil || seg.T != t {
		return nil // a broken file is one segment less
	}
	return seg
}
