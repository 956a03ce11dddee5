package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// ErrBadFrame is a bus frame of another version, or not ours at all.
var ErrBadFrame = errors.New("not a chat bus frame")

// The first byte of a bus frame says what it is; a later layout takes new
// letters, so that old and new nodes can tell them apart while a fleet updates.
const (
	kindPartial  = 'P'
	kindFinished = 'T'
)

// Partial is what one node adds to the room's next ticks: its view of what was
// said there, merged by key. The comments themselves are in the log.
type Partial struct {
	Node      string
	N         uint64   // running number of this node, from 1; 0 = carries nothing that counts (a heartbeat)
	Confirmed uint64   // everything up to this number is known to be in a tick
	Viewers   int      // subscribers of this node
	Likes     uint64   // since the partial before
	Rules     uint64   // newest version of the room's rules that this node knows
	Events    [][]byte // JSON event messages for every subscriber, delivered after the tick
	Said      [][]byte // comments by the host and moderators: always shown
	Keys      []Key
	Singles   Singles // keys that were said once and stand back
}

// Key is how often one thing was said.
type Key struct {
	Hash    uint64
	Count   uint64
	Comment []byte // the first of them, when it may be shown; as AppendComment made it
}

// Singles is a list of key hashes, eight bytes each.
type Singles []byte

// Append appends hash.
func (s Singles) Append(hash uint64) Singles { return binary.LittleEndian.AppendUint64(s, hash) }

// All yields the hashes.
func (s Singles) All() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for ; len(s) >= 8; s = s[8:] {
			if !yield(binary.LittleEndian.Uint64(s)) {
				return
			}
		}
	}
}

// Count is the number of comments in p.
func (p *Partial) Count() uint64 {
	n := uint64(len(p.Said) + len(p.Singles)/8)
	for _, k := range p.Keys {
		n += k.Count
	}
	return n
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
	dst = binary.AppendUvarint(dst, uint64(len(p.Said)))
	for _, c := range p.Said {
		dst = appendBytes(dst, c)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Keys)))
	for _, k := range p.Keys {
		dst = binary.LittleEndian.AppendUint64(dst, k.Hash)
		dst = binary.AppendUvarint(dst, k.Count)
		dst = appendBytes(dst, k.Comment)
	}
	return appendBytes(dst, p.Singles)
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
	Keys     []uint64 // of Tick.Comments, in their order; 0 = has none, because nothing is merged with it
	Merged   []Merged // all nodes the leader knows
	Events   [][]byte // of the merged partials
	Comments uint64   // counted in the room so far, this tick's included
	Archived string   // entry of the room's log up to which everything is on a disk
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
	dst = appendBytes(dst, f.Archived)
	dst = binary.AppendUvarint(dst, uint64(len(f.Merged)))
	for _, m := range f.Merged {
		dst = appendBytes(dst, m.Node)
		dst = binary.AppendUvarint(dst, m.Last)
	}
	dst = appendEvents(dst, f.Events)
	dst = binary.AppendUvarint(dst, uint64(len(f.Tick.Combos)))
	for _, k := range f.Tick.Combos {
		dst = binary.LittleEndian.AppendUint64(dst, k.Key)
		dst = appendBytes(dst, k.ID)
		dst = binary.AppendUvarint(dst, k.Delta)
		dst = binary.AppendUvarint(dst, k.Total)
	}
	dst = binary.AppendUvarint(dst, uint64(first))
	dst = binary.AppendUvarint(dst, uint64(len(f.Tick.Comments)))
	for i, c := range f.Tick.Comments {
		key := uint64(0)
		if i < len(f.Keys) {
			key = f.Keys[i]
		}
		dst = binary.LittleEndian.AppendUint64(dst, key)
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
	for range d.count() {
		p.Said = append(p.Said, d.bytes())
	}
	for range d.count() {
		p.Keys = append(p.Keys, Key{Hash: d.hash(), Count: d.uint(), Comment: d.optional()})
	}
	p.Singles = d.optional()
	d.bad = d.bad || len(d.rest) != 0 || len(p.Singles)%8 != 0
	return p
}

func (d *decoder) finished() *Finished {
	f := &Finished{Epoch: string(d.bytes())}
	f.Tick = Tick{Seq: d.uint(), T: int64(d.uint()), Viewers: int(d.uint()), Likes: d.uint(), Rest: int(d.uint())}
	f.Comments = d.uint()
	f.Archived = string(d.bytes())
	for range d.count() {
		f.Merged = append(f.Merged, Merged{Node: string(d.bytes()), Last: d.uint()})
	}
	f.Events = d.events()
	for range d.count() {
		f.Tick.Combos = append(f.Tick.Combos, Combo{Key: d.hash(), ID: string(d.bytes()), Delta: d.uint(), Total: d.uint()})
	}
	at := d.uint()
	lengths := make([]uint64, d.count())
	for i := range lengths {
		f.Keys = append(f.Keys, d.hash())
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

func (d *decoder) hash() uint64 {
	if len(d.rest) < 8 {
		d.bad, d.rest = true, nil
		return 0
	}
	v := binary.LittleEndian.Uint64(d.rest)
	d.rest = d.rest[8:]
	return v
}

// optional is nil when there are none.
func (d *decoder) optional() []byte {
	if b := d.bytes(); len(b) > 0 {
		return b
	}
	return nil
}

func (d *decoder) bytes() []byte {
	n := d.count()
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func appendBytes[T string | ~[]byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// Batch is what one node adds to the room's log at once.
type Batch struct {
	Node     string
	N        uint64 // of the partial that carries the same comments
	T        int64  // wall clock, ms
	Comments []byte // as AppendComment made them, a comma between
	CIDs     []byte // of the comments, in their order: JSON strings, a comma between
}

// Logged is a batch as it is read back.
type Logged struct {
	Node     string
	N        uint64
	T        int64
	Comments [][]byte
	CIDs     []string
}

// AppendBatch appends b as {"v":1,"node":…,"n":…,"t":…,"c":[C…],"cid":[…]}.
func AppendBatch(dst []byte, b Batch) []byte {
	dst = appendString(append(dst, `{"v":1,"node":`...), b.Node)
	dst = appendUint(append(dst, `,"n":`...), b.N)
	dst = appendUint(append(dst, `,"t":`...), uint64(b.T))
	dst = append(append(dst, `,"c":[`...), b.Comments...)
	dst = append(append(dst, `],"cid":[`...), b.CIDs...)
	return append(dst, ']', '}')
}

// Renumber gives a batch that AppendBatch made to another partial.
func Renumber(batch []byte, node string, n uint64) []byte {
	at := bytes.Index(batch, []byte(`,"t":`)) // the name of a node has no quotation marks
	dst := appendString(append(make([]byte, 0, len(batch)+64), `{"v":1,"node":`...), node)
	dst = appendUint(append(dst, `,"n":`...), n)
	return append(dst, batch[max(at, 0):]...)
}

// ParseBatch decodes what AppendBatch made.
func ParseBatch(b []byte) (Logged, error) {
	var v struct {
		Node string            `json:"node"`
		N    uint64            `json:"n"`
		T    int64             `json:"t"`
		C    []json.RawMessage `json:"c"`
		CID  []string          `json:"cid"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return Logged{}, fmt.Errorf("parse log batch: %w", err)
	}
	out := Logged{Node: v.Node, N: v.N, T: v.T, CIDs: v.CID}
	for _, c := range v.C {
		if CommentID(c) == nil {
			return Logged{}, fmt.Errorf("parse log batch: %w", ErrBadFrame)
		}
		out.Comments = append(out.Comments, c)
	}
	return out, nil
}
