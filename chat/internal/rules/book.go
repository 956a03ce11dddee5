package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Bounds of a Book.
const (
	MaxSentences = 1000 // mutes; bans as many
	MaxWords     = 5000
	MaxWord      = 64 // runes of a word's key
	MaxNotice    = 200
	MaxSlow      = time.Hour
	MaxBytes     = 256 << 10 // of the encoded book
)

// Errors of Apply and Parse.
var (
	ErrBad       = errors.New("not an order that can be followed")
	ErrFull      = errors.New("the room's rules are full: remove old entries first")
	ErrForbidden = errors.New("a host's decision, which only a host may change")
)

// Book is everything that was decided for a room.
type Book struct {
	Rev    uint64          `json:"rev"`              // counts the changes; which of two books is newer
	Slow   int             `json:"slow,omitempty"`   // seconds between two comments of a viewer
	Mutes  []Sentence      `json:"mutes,omitempty"`  // of persons
	Bans   []Sentence      `json:"bans,omitempty"`   // of persons and of networks
	Words  []string        `json:"words,omitempty"`  // as they were typed
	Pinned json.RawMessage `json:"pinned,omitempty"` // a comment as everybody sees it
	Notice string          `json:"notice,omitempty"` // what the house says
}

// Sentence keeps one person, or one network, from speaking or from being here.
type Sentence struct {
	Who     string       `json:"who,omitempty"`
	Nick    string       `json:"nick,omitempty"` // for people who read the list
	CIDR    netip.Prefix `json:"cidr,omitzero"`
	Of      string       `json:"of,omitempty"`      // the person whose network this is
	Addr    bool         `json:"addr,omitempty"`    // the person's network is to be banned, too
	Until   int64        `json:"until,omitempty"`   // ms since the Unix epoch; 0 = no such end
	Session string       `json:"session,omitempty"` // ends when another one begins
	By      string       `json:"by"`
	ByHost  bool         `json:"by_host,omitempty"`
	At      int64        `json:"at"` // ms since the Unix epoch
}

// Over says whether s has ended. session is the room's present one, if any.
func (s Sentence) Over(now int64, session string) bool {
	return s.Until != 0 && now >= s.Until || s.Session != "" && session != "" && s.Session != session
}

// subject is what the sentence is about: there is one for each.
func (s Sentence) subject() string {
	if s.Who != "" {
		return s.Who
	}
	return s.CIDR.String()
}

// Parse reads a Book. nil is the empty one.
func Parse(body []byte) (Book, error) {
	var b Book
	if len(body) == 0 {
		return b, nil
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return Book{}, fmt.Errorf("parse rules: %w", err)
	}
	return b, nil
}

// Encode returns the book as a document, or ErrFull when it is too large.
func (b Book) Encode() ([]byte, error) {
	body, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode rules: %w", err)
	}
	if len(body) > MaxBytes {
		return nil, ErrFull
	}
	return body, nil
}

// expire drops what has ended.
func (b *Book) expire(now int64, session string) {
	over := func(s Sentence) bool { return s.Over(now, session) }
	b.Mutes = slices.DeleteFunc(b.Mutes, over)
	b.Bans = slices.DeleteFunc(b.Bans, over)
}

// sentence puts s in the place of what the list has about the same subject.
func sentence(list []Sentence, s Sentence) ([]Sentence, error) {
	for i, old := range list {
		if old.subject() != s.subject() {
			continue
		}
		if old.ByHost && !s.ByHost {
			return list, ErrForbidden
		}
		list[i] = s
		return list, nil
	}
	if len(list) >= MaxSentences {
		return list, ErrFull
	}
	return append(list, s), nil
}

// pardon takes away what the list has about one subject, a person's network with it.
func pardon(list []Sentence, subject string, host bool) ([]Sentence, error) {
	about := func(s Sentence) bool { return s.subject() == subject || s.Of == subject }
	if !host && slices.ContainsFunc(list, func(s Sentence) bool { return about(s) && s.ByHost }) {
		return list, ErrForbidden
	}
	return slices.DeleteFunc(list, about), nil
}
