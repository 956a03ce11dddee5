package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// ErrBadRecord is an entry of the log that is not what was looked for.
var ErrBadRecord = errors.New("not such a log record")

func appendEvents(dst []byte, events [][]byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(events)))
	for _, e := range events {
		dst = appendBytes(dst, e)
	}
	return dst
}

func (d *decoder) events() (events [][]byte) {
	for range d.count() {
		events = append(events, d.bytes())
	}
	return events
}

// ParseComment decodes what AppendComment made. Cold paths only.
func ParseComment(comment []byte) (Comment, error) {
	var c Comment
	fields := []any{&c.ID, &c.PDT, &c.Author, &c.Nick, &c.Text, &c.Mode, &c.Color, &c.Role}
	if err := json.Unmarshal(comment, &fields); err != nil || c.ID == "" {
		return Comment{}, ErrBadFrame
	}
	return c, nil
}

// Deleted says which comments are to vanish: those with these ids, and all so
// far by one author.
type Deleted struct {
	IDs []string
	Who string
}

// Has reports whether the encoded comment is one of them.
func (d Deleted) Has(comment []byte) bool {
	c, err := ParseComment(comment)
	if err != nil {
		return false
	}
	return slices.Contains(d.IDs, c.ID) || d.Who != "" && d.Who == c.Author
}

// maybeIn is a quick look for what most ticks do not have.
func (d Deleted) maybeIn(tick []byte) bool {
	in := func(s string) bool { return s != "" && bytes.Contains(tick, appendString(nil, s)) }
	return slices.ContainsFunc(d.IDs, in) || in(d.Who)
}

// AppendDeleteEvent appends the event that comments vanish.
func AppendDeleteEvent(dst []byte, d Deleted) []byte {
	dst = appendStrings(append(dst, `{"op":"event","kind":"delete","ids":[`...), d.IDs)
	return append(appendString(append(dst, `],"who":`...), d.Who), '}')
}

// ParseDeleteEvent reads an event; ok = it is about deleting.
func ParseDeleteEvent(event []byte) (d Deleted, ok bool) {
	var v struct {
		Kind string   `json:"kind"`
		IDs  []string `json:"ids"`
		Who  string   `json:"who"`
	}
	if json.Unmarshal(event, &v) != nil || v.Kind != "delete" {
		return Deleted{}, false
	}
	return Deleted{v.IDs, v.Who}, true
}

// WithoutDeleted returns the tick message without the comments of d; ok = there
// was one.
func WithoutDeleted(tick []byte, d Deleted) (out []byte, ok bool) {
	if !d.maybeIn(tick) {
		return nil, false
	}
	var v struct {
		Op       string            `json:"op"`
		Seq      uint64            `json:"seq"`
		T        int64             `json:"t"`
		Viewers  int               `json:"viewers"`
		Likes    uint64            `json:"likes"`
		Comments []json.RawMessage `json:"c"`
		Combos   json.RawMessage   `json:"k"`
		Rest     int               `json:"rest"`
	}
	if json.Unmarshal(tick, &v) != nil {
		return nil, false
	}
	kept := v.Comments[:0]
	for _, c := range v.Comments {
		if !d.Has(c) {
			kept = append(kept, c)
		}
	}
	if len(kept) == len(v.Comments) {
		return nil, false
	}
	v.Comments = kept
	out, err := json.Marshal(v)
	return out, err == nil
}

// AppendPinEvent appends the event that comment stands above all others, or none.
func AppendPinEvent(dst, comment []byte) []byte {
	dst = append(append(dst, `{"op":"event","kind":"pin","pinned":[`...), comment...)
	return append(dst, ']', '}')
}

// AppendNoticeEvent appends the event that the house says text, or nothing.
func AppendNoticeEvent(dst []byte, text string) []byte {
	return append(appendString(append(dst, `{"op":"event","kind":"notice","text":`...), text), '}')
}

// AppendMuteEvent appends what one person hears when he may no longer speak, or
// may again. retryMS: −1 = nobody can say when.
func AppendMuteEvent(dst []byte, muted bool, retryMS int64) []byte {
	dst = strconv.AppendBool(append(dst, `{"op":"event","kind":"mute","muted":`...), muted)
	return append(strconv.AppendInt(append(dst, `,"retry_ms":`...), retryMS, 10), '}')
}

// AppendDone appends the answer to an order that was followed.
func AppendDone(dst []byte, cid, do string) []byte {
	dst = appendString(append(dst, `{"op":"done","cid":`...), cid)
	return append(appendString(append(dst, `,"do":`...), do), '}')
}

// AppendOrderError appends the answer to an order that was not followed.
func AppendOrderError(dst []byte, cid, code string) []byte {
	dst = appendString(append(dst, `{"op":"error","code":`...), code)
	return append(appendString(append(dst, `,"retry_ms":0,"cid":`...), cid), '}')
}

// AppendRules appends the rules as hosts and moderators read them.
func AppendRules(dst []byte, rules any) ([]byte, error) {
	body, err := json.Marshal(rules)
	if err != nil {
		return nil, fmt.Errorf("encode rules: %w", err)
	}
	dst = append(append(dst, `{"op":"rules","rules":`...), body...)
	return append(dst, '}'), nil
}

// Record is an entry of the log that is not comments: who did what to whom, or
// how the room stood. Readers of comments see a batch without any.
type Record struct {
	Node string   `json:"node"`
	N    uint64   `json:"n,omitempty"` // of the partial that goes with it
	T    int64    `json:"t"`           // wall clock, ms
	Mod  *Deed    `json:"mod,omitempty"`
	Stat *Measure `json:"stat,omitempty"`
}

// Deed is one order that was followed: the audit log. With Do "delete" it is also
// the tombstone of comments that lie before it in the log.
type Deed struct {
	Do      string   `json:"do"`
	By      string   `json:"by"`
	Role    string   `json:"role"`
	Who     string   `json:"who,omitempty"`
	IDs     []string `json:"ids,omitempty"`
	CIDR    string   `json:"cidr,omitempty"`
	Addr    bool     `json:"addr,omitempty"`
	Seconds int64    `json:"seconds,omitempty"`
	Show    string   `json:"show,omitempty"`
	Words   []string `json:"words,omitempty"`
	Text    string   `json:"text,omitempty"`
}

// Measure is how the room stood at the end of some seconds, and what came in them.
type Measure struct {
	Seconds       int64  `json:"seconds"`
	Viewers       int    `json:"viewers"`
	Comments      uint64 `json:"comments"`       // in these seconds
	CommentsTotal uint64 `json:"comments_total"` // of the room
	Likes         uint64 `json:"likes"`          // in these seconds
	LikesTotal    uint64 `json:"likes_total"`    // of the room
}

// AppendRecord appends r as {"v":1,"node":…,"t":…,"mod":{…}} or with "stat".
func AppendRecord(dst []byte, r Record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return append(append(dst, `{"v":1,`...), body[1:]...), nil
}

// ParseRecord reads what AppendRecord made; ErrBadRecord for everything else.
func ParseRecord(b []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrBadRecord, err)
	}
	if r.Mod == nil && r.Stat == nil {
		return Record{}, ErrBadRecord
	}
	return r, nil
}

func appendStrings(dst []byte, list []string) []byte {
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return dst
}
