// Package cards keeps what the host says of a room: its title, its tags, its
// language. A card outlives the session, so that a link to a room that is off
// the air still has its name.
//
// Decisions
//
//   - One file per room, over one file for all: saving costs the same whether a
//     server has one room or ten thousand, and a broken file is one room's.
//   - All cards in memory: the directory reads them for every visitor.
package cards

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"barrage/chat"
	"barrage/internal/slug"
)

// Limits of a card. They are for people: a title is a line, a tag a word.
const (
	MaxTitle    = 80 // runes
	MaxTags     = 8
	MaxTag      = 24 // runes
	maxLanguage = 35 // bytes: RFC 5646 §4.4.1
	maxFile     = 8 << 10
)

// ErrInvalid is why a card is refused; the text around it says what to change.
var ErrInvalid = errors.New("not a card")

// Card is what the host says of a room. All text is plain, one line, clean.
type Card struct {
	Title    string   `json:"title,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	Language string   `json:"language,omitempty"` // as in RFC 5646, such as zh-Hans
}

// Parse reads what a host sends. What nobody sees is taken out, as in comments;
// what is left must fit.
func Parse(body []byte) (Card, error) {
	var c Card
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Card{}, fmt.Errorf("%w: want {\"title\":\"…\",\"tags\":[\"…\"],\"language\":\"en\"}: %w", ErrInvalid, err)
	}
	return c.clean()
}

// clean returns the card as it may be shown to others.
func (c Card) clean() (Card, error) {
	c.Title = chat.CleanText(c.Title)
	if n := utf8.RuneCountInString(c.Title); n > MaxTitle {
		return Card{}, fmt.Errorf("%w: the title has %d characters, at most %d", ErrInvalid, n, MaxTitle)
	}
	var tags []string
	for _, tag := range c.Tags {
		tag = chat.CleanText(strings.TrimLeft(chat.CleanText(tag), "#＃"))
		known := slices.ContainsFunc(tags, func(t string) bool { return strings.EqualFold(t, tag) })
		if n := utf8.RuneCountInString(tag); n > MaxTag {
			return Card{}, fmt.Errorf("%w: a tag has %d characters, at most %d", ErrInvalid, n, MaxTag)
		} else if n > 0 && !known {
			tags = append(tags, tag)
		}
	}
	if len(tags) > MaxTags {
		return Card{}, fmt.Errorf("%w: %d tags, at most %d", ErrInvalid, len(tags), MaxTags)
	}
	c.Tags = tags
	// The shape of RFC 5646 §2.1 without its private and grandfathered forms.
	language := regexp.MustCompile(`^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$`)
	if len(c.Language) > maxLanguage || !language.MatchString(c.Language) {
		return Card{}, fmt.Errorf("%w: the language must be a tag such as en, zh or pt-BR", ErrInvalid)
	}
	return c, nil
}

// Store keeps the cards of all rooms in a folder. Its methods may be called from
// several goroutines.
type Store struct {
	root *os.Root

	mu    sync.RWMutex
	cards map[string]Card
}

// Open reads the folder, and makes it when there is none. A file that cannot be
// read is logged and left alone: a room without its name is better than no server.
func Open(folder string, logger *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, cards: map[string]Card{}}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	for _, e := range entries {
		room, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || slug.Check(room) != nil {
			continue
		}
		card, err := s.read(e.Name())
		if err != nil {
			logger.Warn("room card not read", "room", room, "err", err, "hint", "the room goes without a title until its host saves one")
			continue
		}
		s.cards[room] = card
	}
	return s, nil
}

// Close ends the use of the folder.
func (s *Store) Close() error { return s.root.Close() }

func (s *Store) read(name string) (Card, error) {
	info, err := s.root.Stat(name)
	if err != nil {
		return Card{}, err
	}
	if info.Size() > maxFile {
		return Card{}, fmt.Errorf("%w: %d bytes, at most %d", ErrInvalid, info.Size(), maxFile)
	}
	body, err := s.root.ReadFile(name)
	if err != nil {
		return Card{}, err
	}
	return Parse(body)
}

// Card returns the card of a room, an empty one when its host has said nothing.
func (s *Store) Card(room string) Card {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cards[room]
}

// Put keeps the card of a room: on disk first, so that what was answered is kept.
func (s *Store) Put(room string, c Card) error {
	if err := slug.Check(room); err != nil {
		return err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.replace(room+".json", body); err != nil {
		return fmt.Errorf("room card: %w", err)
	}
	s.cards[room] = c
	return nil
}

// replace writes a file in one step: after a power cut there is the old one or the new one.
func (s *Store) replace(name string, body []byte) error {
	next := "." + name + ".new"
	f, err := s.root.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return s.root.Rename(next, name)
}

// Folder is where the cards are in a state directory.
func Folder(state string) string { return filepath.Join(state, "rooms") }
