package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Errors of ParseClient.
var (
	ErrNotUTF8 = errors.New("frame is not UTF-8")
	ErrBadJSON = errors.New("frame is not one JSON object of the protocol")
)

// MaxCID bounds the client's own id of a comment in bytes.
const MaxCID = 64

// Client is one message from a browser: which fields count depends on Op.
type Client struct {
	Op     string  `json:"op"`
	Nick   string  `json:"nick"`   // hello, nick
	Token  string  `json:"token"`  // hello
	Resume *Resume `json:"resume"` // hello
	CID    string  `json:"cid"`    // send, mod
	Text   string  `json:"text"`   // send, mod
	PDT    int64   `json:"pdt"`    // send; 0 = not given
	Mode   string  `json:"mode"`   // send
	Color  string  `json:"color"`  // send
	N      int     `json:"n"`      // like
	*Order         // mod; nil when there is none of its fields
}

// Order is what a host or a moderator wants (mod): which fields count depends on Do.
type Order struct {
	Do      string   `json:"do"`
	Who     string   `json:"who"`     // a person's id
	Name    string   `json:"name"`    // and nick, for the list
	IDs     []string `json:"ids"`     // of comments
	CIDR    string   `json:"cidr"`    // a network or an address
	Addr    bool     `json:"addr"`    // the person's address, too
	Seconds int64    `json:"seconds"` // how long; 0 = for good
	Show    bool     `json:"show"`    // until the next broadcast begins
	Words   []string `json:"words"`
}

// Resume is the last tick a returning subscriber has.
type Resume struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// ParseClient decodes a text frame. A message with an unknown op is not an
// error here. Errors: ErrNotUTF8, ErrBadJSON.
func ParseClient(frame []byte) (Client, error) {
	// RFC 6455, 5.6: the payload of a text frame is UTF-8; the WebSocket
	// library leaves the check to us.
	if !utf8.Valid(frame) {
		return Client{}, ErrNotUTF8
	}
	if m, ok := scanSend(string(frame)); ok {
		return m, nil
	}
	var m Client
	if first := bytes.TrimLeft(frame, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return Client{}, ErrBadJSON
	}
	if err := json.Unmarshal(frame, &m); err != nil {
		return Client{}, fmt.Errorf("%w: %w", ErrBadJSON, err)
	}
	if m.Op == "" {
		return Client{}, ErrBadJSON
	}
	return m, nil
}

// ValidCID reports whether s may name a comment: 1 to 64 of A-Z a-z 0-9 . _ : -
func ValidCID(s string) bool {
	if s == "" || len(s) > MaxCID {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}
