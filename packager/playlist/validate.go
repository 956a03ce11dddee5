package playlist

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// validate checks what would break the playlist for every player: its syntax,
// and the promises that hold for its whole life.
func (m *Media) validate() error {
	if err := m.validatePromises(); err != nil {
		return err
	}
	for i := range m.Segments {
		msn := m.MediaSequence + uint64(i)
		s := &m.Segments[i]
		if err := checkURI(s.URI); err != nil {
			return fmt.Errorf("segment %d: %w", msn, err)
		}
		if err := m.validateSegment(s); err != nil {
			return fmt.Errorf("segment %d: %w", msn, err)
		}
	}
	if m.Ended {
		if m.Open != nil {
			return errors.New("ended, but a segment is still open: close it first")
		}
		return nil
	}
	return m.validateEdge()
}

func (m *Media) validateEdge() error {
	if m.Open != nil {
		if err := m.validateSegment(m.Open); err != nil {
			return fmt.Errorf("open segment: %w", err)
		}
	}
	if m.PreloadHint != "" {
		if err := checkURI(m.PreloadHint); err != nil {
			return fmt.Errorf("preload hint: %w", err)
		}
	}
	for i := range m.Reports {
		if err := checkURI(m.Reports[i].URI); err != nil {
			return fmt.Errorf("rendition report: %w", err)
		}
	}
	return nil
}

func (m *Media) validatePromises() error {
	target := time.Duration(m.TargetDuration) * time.Second
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"part target", m.PartTarget},
		{"hold back", m.HoldBack},
		{"part hold back", m.PartHoldBack},
		{"skip boundary", m.CanSkipUntil},
	} {
		if err := checkDuration(d.value); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	switch {
	case m.Version < 1 || m.Version > math.MaxUint8:
		return fmt.Errorf("version %d is not one", m.Version)
	case m.TargetDuration < 1:
		return fmt.Errorf("target duration %d s, want at least 1", m.TargetDuration)
	case m.PartTarget > 0 && m.PartHoldBack < 2*m.PartTarget:
		// "Its value MUST be at least twice the Part Target Duration" (4.4.3.8)
		return fmt.Errorf("part hold back %v is below twice the part target %v", m.PartHoldBack, m.PartTarget)
	case m.HoldBack > 0 && m.HoldBack < 3*target:
		// "Its value MUST be at least three times the Target Duration" (4.4.3.8)
		return fmt.Errorf("hold back %v is below three times the target duration %v", m.HoldBack, target)
	case m.CanSkipUntil > 0 && m.CanSkipUntil < 6*target:
		// "The Skip Boundary MUST be at least six times the Target Duration" (4.4.3.8)
		return fmt.Errorf("skip boundary %v is below six times the target duration %v", m.CanSkipUntil, target)
	case m.Skip < 0 || m.Skip > 0 && (m.Skip >= len(m.Segments) || m.CanSkipUntil == 0 || m.Ended):
		return fmt.Errorf("%d of %d segments skipped, want fewer, a skip boundary, and a playlist that goes on", m.Skip, len(m.Segments))
	}
	return nil
}

// validateSegment checks all of a segment but its own URI, which an open one
// does not have yet.
func (m *Media) validateSegment(s *Segment) error {
	if err := checkDuration(s.Duration); err != nil {
		return err
	}
	if s.Init != "" {
		if m.Version < 6 {
			return fmt.Errorf("version %d cannot have an init section, want at least 6", m.Version)
		}
		if err := checkURI(s.Init); err != nil {
			return fmt.Errorf("init section: %w", err)
		}
	}
	for i := range s.Parts {
		if err := checkURI(s.Parts[i].URI); err != nil {
			return fmt.Errorf("part %d: %w", i, err)
		}
		if err := checkDuration(s.Parts[i].Duration); err != nil {
			return fmt.Errorf("part %d: %w", i, err)
		}
	}
	return nil
}

// maxDuration keeps EXTINF exact: grafov prints it through a float32, which
// holds every millisecond below 2^13 seconds.
const maxDuration = time.Hour

func checkDuration(d time.Duration) error {
	if d < 0 || d > maxDuration || d%time.Millisecond != 0 {
		return fmt.Errorf("duration %v, want whole milliseconds from 0 to %v", d, maxDuration)
	}
	return nil
}

// checkURI admits what may stand on a line of its own and inside quotes.
func checkURI(uri string) error {
	if uri == "" {
		return errors.New("no URI")
	}
	if uri[0] == '#' {
		return fmt.Errorf("URI %q reads like a tag", uri)
	}
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c >= 0x7f || c == '"' {
			return fmt.Errorf("URI %q: byte %#02x must be percent-encoded", uri, c)
		}
	}
	return nil
}

// checkQuoted admits what may stand inside quotes: a quoted-string has no line
// break and no double quote (4.2), a playlist no control character (4.1).
func checkQuoted(what, s string) error {
	if s == "" {
		return fmt.Errorf("no %s", what)
	}
	bad := func(r rune) bool { return r == '"' || unicode.IsControl(r) }
	if !utf8.ValidString(s) || strings.ContainsFunc(s, bad) {
		return fmt.Errorf("%s %q: must be UTF-8 without quotes and control characters", what, s)
	}
	return nil
}

// checkToken admits names made of ASCII letters, digits and . - _
func checkToken(what, s string) error {
	if s == "" {
		return fmt.Errorf("no %s", what)
	}
	bad := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	}
	if strings.ContainsFunc(s, bad) {
		return fmt.Errorf("%s %q: want letters, digits, '.', '-' and '_'", what, s)
	}
	return nil
}
