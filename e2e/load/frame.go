package load

import (
	"encoding/json"
	"fmt"
)

// Frame is anything the server says; Op tells which fields count.
type Frame struct {
	Op      string          `json:"op"`
	Epoch   string          `json:"epoch"`
	Seq     uint64          `json:"seq"`
	Viewers int             `json:"viewers"`
	Likes   int             `json:"likes"`
	Rest    int             `json:"rest"`
	Shown   []Comment       `json:"c"`
	History []Comment       `json:"history"`
	Acks    []Ack           `json:"a"`
	You     You             `json:"you"`
	Policy  Policy          `json:"policy"`
	Code    json.RawMessage `json:"code"` // a word in an error, a number in a bye
	Reason  string          `json:"reason"`
	Kind    string          `json:"kind"`
	RetryMS int             `json:"retry_ms"`
}

// You is what the server says about the bearer of a connection.
type You struct {
	ID    string `json:"id"`
	Nick  string `json:"nick"`
	Role  string `json:"role"`
	Token string `json:"token"`
}

// Policy is what a page must know to draw; ms.
type Policy struct {
	Tick  int64 `json:"tick"`
	Delay int64 `json:"delay"` // D: a bullet flies when the playhead reaches its PDT + D
}

// Comment is one shown comment.
type Comment struct {
	ID     string
	PDT    int64 // ms since the Unix epoch; 0 before the first picture
	Author string
	Nick   string
	Text   string
}

// UnmarshalJSON reads [id, pdt, authorId, nick, text, …]; the array may grow.
func (c *Comment) UnmarshalJSON(text []byte) error {
	return unmarshalArray(text, &c.ID, &c.PDT, &c.Author, &c.Nick, &c.Text)
}

// Ack says what became of one comment of ours.
type Ack struct {
	CID    string
	ID     string
	Result string // shown, merged, rest, held, spooled or rejected
	Reason string
}

// UnmarshalJSON reads [cid, id, result, reason?, …].
func (a *Ack) UnmarshalJSON(text []byte) error {
	return unmarshalArray(text, &a.CID, &a.ID, &a.Result, &a.Reason)
}

// unmarshalArray reads a JSON array into fields by position; a missing or null
// element leaves its field as it is.
func unmarshalArray(text []byte, fields ...any) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(text, &elements); err != nil {
		return err
	}
	for i, field := range fields[:min(len(fields), len(elements))] {
		if err := json.Unmarshal(elements[i], field); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}
