package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrBadFrame is a bus frame of another version, or not ours at all.
var ErrBadFrame = errors.New("not a chat bus frame")

// The first byte of a bus frame says what it is; a later layout takes new
// letters, so that old and new nodes can tell them apart while a fleet updates.
const (
	kindPartial  = 'p'
	kindFinished = 't'
)

// Item is one comment on its way into a tick.
type Item struct {
	Priority bool   // by the host or a moderator: always shown
	Comment  []byte // as AppendComment made it
}

// Partial is what one node adds to the room's next ticks.
type Partial struct {
	Node      string
	N         uint64 // running number of this node, from 1; 0 = carries nothing that counts (a heartbeat)
	Confirmed uint64 // everything up to this number is known to be in a tick
	Viewers   int    // subscribers of this node
	Likes     uint64 // since the partial before
	Rules     uint64 // newest version of the room's rules that this node knows
	Items     []Item
	Events    [][]byte // JSON event messages for every subscriber, delivered after the tick
}

// AppendPartial appends p as a bus frame.
func AppendPartial(dst []byte, p Partial) []byte {
	dst = append(dst, kindPartial)
	dst = appendBytes(dst, p.Node)
	dst = binary.AppendUvarint(dst, p.N)
	dst = binary.AppendUvarint(dst, p.Confirmed)
	dst = binary.AppendUvarint(dst, uint64(p.Viewers))
	dst = binary.AppendUvarint(dst, p.Likes)
	dst = binary.AppendUvarint(dst, p.Rules)
	dst = appendEvents(dst, p.Events)
	dst = binary.AppendUvarint(dst, uint64(len(p.Items)))
	for _, it := range p.Items {
		flag := byte(0)
		if it.Priority {
			flag = 1
		}
		dst = appendBytes(append(dst, flag), it.Comment)
	}
	return dst
}

// Merged says up to which partial a node's comments are in ticks.
type Merged struct {
	Node string
	Last uint64
}

// Finished is one numbered tick with what only nodes need. Comments and Public
// of a parsed frame are slices of it.
type Finished struct {
	Epoch    string
	Tick     Tick     // Tick.Comments: those shown
	Merged   []Merged // all nodes the leader knows
	Events   [][]byte // of the merged partials
	Comments uint64   // counted in the room so far, this tick's included
	Public   []byte   // the tick message for subscribers; made by AppendFinished
}

// AppendFinished appends f as a bus frame whose tail is the tick message.
func AppendFinished(dst []byte, f Finished) []byte {
	public, first := AppendTick(nil, f.Tick)
	dst = append(dst, kindFinished)
	dst = appendBytes(dst, f.Epoch)
	dst = binary.AppendUvarint(dst, f.Tick.Seq)
	dst = binary.AppendUvarint(dst, uint64(f.Tick.T))
	dst = binary.AppendUvarint(dst, uint64(f.Tick.Viewers))
	dst = binary.AppendUvarint(dst, f.Tick.Likes)
	dst = binary.AppendUvarint(dst, uint64(f.Tick.Rest))
	dst = binary.AppendUvarint(dst, f.Comments)
	dst = binary.AppendUvarint(dst, uint64(len(f.Merged)))
	for _, m := range f.Merged {
		dst = appendBytes(dst, m.Node)
		dst = binary.AppendUvarint(dst, m.Last)
	}
	dst = appendEvents(dst, f.Events)
	dst = binary.AppendUvarint(dst, uint64(first))
	dst = binary.AppendUvarint(dst, uint64(len(f.Tick.Comments)))
	for _, c := range f.Tick.Comments {
		dst = binary.AppendUvarint(dst, uint64(len(c)))
	}
	return append(dst, public...)
}

// ParseFrame decodes a bus frame into a *Partial or a *Finished whose slices
// point into frame.
func ParseFrame(frame []byte) (any, error) {
	if len(frame) == 0 {
		return nil, ErrBadFrame
	}
	d := decoder{rest: frame[1:]}
	var v any
	switch frame[0] {
	case kindPartial:
		v = d.partial()
	case kindFinished:
		v = d.finished()
	default:
		return nil, ErrBadFrame
	}
	if d.bad {
		return nil, ErrBadFrame
	}
	return v, nil
}

func (d *decoder) partial() *Partial {
	p := &Partial{Node: string(d.bytes()), N: d.uint(), Confirmed: d.uint(), Viewers: int(d.uint()), Likes: d.uint(), Rules: d.uint()}
	p.Events = d.events()
	n := d.count()
	p.Items = make([]Item, 0, n)
	for range n {
		p.Items = append(p.Items, Item{Priority: d.byte() == 1, Comment: d.bytes()})
	}
	d.bad = d.bad || len(d.rest) != 0
	return p
}

func (d *decoder) finished() *Finished {
	f := &Finished{Epoch: string(d.bytes())}
	f.Tick = Tick{Seq: d.uint(), T: int64(d.uint()), Viewers: int(d.uint()), Likes: d.uint(), Rest: int(d.uint())}
	f.Comments = d.uint()
	for range d.count() {
		f.Merged = append(f.Merged, Merged{Node: string(d.bytes()), Last: d.uint()})
	}
	f.Events = d.events()
	at := d.uint()
	lengths := make([]uint64, d.count())
	for i := range lengths {
		lengths[i] = d.uint()
	}
	f.Public = d.rest
	for _, n := range lengths {
		// at first: both are ours to distrust, and their sum may overflow.
		if at > uint64(len(f.Public)) || n > uint64(len(f.Public))-at {
			d.bad = true
			return f
		}
		f.Tick.Comments = append(f.Tick.Comments, f.Public[at:at+n:at+n])
		at += n + 1
	}
	return f
}

// decoder reads what the append functions above wrote; after the first short
// read everything is zero and bad is set.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads the length of a list; each element takes at least one byte, so
// a larger one is a lie that must not be allocated.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) bytes() []byte {
	n := d.count()
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func appendBytes[T string | []byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// Batch is what one node adds to the room's log at once.
type Batch struct {
	Node     string
	N        uint64 // of the partial that carries the same comments
	T        int64  // wall clock, ms
	Comments [][]byte
	CIDs     []string // of the comments, in their order
}

// AppendBatch appends b as {"v":1,"node":…,"n":…,"t":…,"c":[C…],"cid":[…]}.
func AppendBatch(dst []byte, b Batch) []byte {
	dst = appendString(append(dst, `{"v":1,"node":`...), b.Node)
	dst = appendUint(append(dst, `,"n":`...), b.N)
	dst = appendUint(append(dst, `,"t":`...), uint64(b.T))
	dst = appendList(append(dst, `,"c":[`...), b.Comments)
	dst = append(dst, `],"cid":[`...)
	for i, cid := range b.CIDs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, cid)
	}
	return append(dst, ']', '}')
}

// ParseBatch decodes what AppendBatch made.
func ParseBatch(b []byte) (Batch, error) {
	var v struct {
		Node string            `json:"node"`
		N    uint64            `json:"n"`
		T    int64             `json:"t"`
		C    []json.RawMessage `json:"c"`
		CID  []string          `json:"cid"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return Batch{}, fmt.Errorf("parse log batch: %w", err)
	}
	out := Batch{Node: v.Node, N: v.N, T: v.T, CIDs: v.CID}
	for _, c := range v.C {
		if CommentID(c) == nil {
			return Batch{}, fmt.Errorf("parse log batch: %w", ErrBadFrame)
		}
		out.Comments = append(out.Comments, c)
	}
	return out, nil
}
