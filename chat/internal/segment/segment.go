package segment

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"barrage/chat/internal/wire"
)

// Length is how much program date time a segment covers, in ms.
const Length int64 = 10_000

// Start is the beginning of the segment that pdt lies in.
func Start(pdt int64) int64 { return pdt - ((pdt%Length)+Length)%Length }

// gzipMin is the size from which on compression is worth its time and its header.
const gzipMin = 512

// Segment is what was shown of [T, T + Length).
type Segment struct {
	T        int64
	comments []shown
	dirty    bool // not on disk as it is
	view     *View
}

// shown is one comment and how often it was said.
type shown struct {
	comment []byte
	id      string
	author  string // as it stands in JSON
	total   uint64
}

// View is one rendering of a segment. It does not change.
type View struct {
	Body []byte
	Gzip []byte // nil = not worth it
	ETag string // of Body
}

// NewView renders body.
func NewView(body []byte) *View {
	h := fnv.New64a()
	_, _ = h.Write(body) // never fails
	v := &View{Body: body, ETag: `"` + strconv.FormatUint(h.Sum64(), 36) + `"`}
	if len(body) < gzipMin {
		return v
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(body) // into RAM
	_ = z.Close()
	if packed.Len() < len(body) {
		v.Gzip = packed.Bytes()
	}
	return v
}

// Empty is the view of a segment in which nothing was shown.
func Empty(t int64) *View { return NewView((&Segment{T: t}).render()) }

// View renders s; the same one until s changes.
func (s *Segment) View() *View {
	if s.view == nil {
		s.view = NewView(s.render())
	}
	return s.view
}

func (s *Segment) render() []byte {
	b := append(strconv.AppendInt([]byte(`{"t":`), s.T, 10), `,"c":[`...)
	for i, c := range s.comments {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, c.comment...)
	}
	b = append(b, `],"k":[`...)
	for _, c := range s.comments {
		if c.total < 2 {
			continue
		}
		if b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = append(append(append(b, `["`...), c.id...), `",`...)
		b = append(strconv.AppendUint(b, c.total, 10), ']')
	}
	return append(b, ']', '}')
}

// Parse reads a rendered segment.
func Parse(body []byte) (*Segment, error) {
	var v struct {
		T int64             `json:"t"`
		C []json.RawMessage `json:"c"`
		K [][2]any          `json:"k"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, fmt.Errorf("parse segment: %w", err)
	}
	s := &Segment{T: v.T}
	for _, c := range v.C {
		if f, ok := wire.ParseFields(c); ok {
			s.add(c, f)
		}
	}
	for _, k := range v.K {
		id, _ := k[0].(string)
		if total, ok := k[1].(float64); ok {
			s.count(id, uint64(total))
		}
	}
	s.dirty = false
	return s, nil
}

func (s *Segment) index(id string) int {
	return slices.IndexFunc(s.comments, func(c shown) bool { return c.id == id })
}

func (s *Segment) changed() { s.dirty, s.view = true, nil }

func (s *Segment) add(comment []byte, f wire.Fields) {
	s.comments = append(s.comments, shown{comment: comment, id: string(f.ID()), author: string(f.Author()), total: 1})
	s.changed()
}

// count raises the total of a comment: counts only grow.
func (s *Segment) count(id string, total uint64) {
	if i := s.index(id); i >= 0 && total > s.comments[i].total {
		s.comments[i].total = total
		s.changed()
	}
}

// remove takes comments out and returns their ids.
func (s *Segment) remove(d Deletion) (ids []string) {
	kept := slices.DeleteFunc(slices.Clone(s.comments), func(c shown) bool {
		if !d.has(c) {
			return false
		}
		ids = append(ids, c.id)
		return true
	})
	if len(ids) > 0 {
		s.comments = kept
		s.changed()
	}
	return ids
}
