package hlscheck

import (
	"fmt"
	"time"
)

// Media is a media playlist, or the part of it that a delta update sends.
type Media struct {
	Text                  string
	Version               int
	TargetDuration        time.Duration
	PartTarget            time.Duration // 0: no low latency
	HoldBack              time.Duration
	PartHoldBack          time.Duration
	CanSkipUntil          time.Duration
	CanBlock              bool
	IndependentSegments   bool
	MediaSequence         uint64
	DiscontinuitySequence uint64
	Skipped               int
	Segments              []Segment // the last one has no URI while it grows
	Hint                  string
	Reports               []Report
	Ended                 bool
	Problems              []string // what the grammar forbids

	seen map[string]bool
}

// Segment is a segment of a playlist with what applies to it.
type Segment struct {
	MSN             uint64
	URI             string // empty while it grows
	Duration        time.Duration
	PDT             time.Time
	Map             string
	Discontinuity   bool
	Discontinuities uint64 // before its first sample, counted from the start of the stream
	Gap             bool
	Parts           []Part
	Late            []string // tags that stand behind the first part and apply to the whole
	timed           bool
}

// Part is a partial segment.
type Part struct {
	URI              string
	Duration         time.Duration
	Independent, Gap bool
}

// Report is a rendition report.
type Report struct {
	URI string
	At  Position
}

// Position is the newest segment of a playlist and its newest part; Part is -1 when
// there are no parts.
type Position struct {
	MSN  uint64
	Part int
}

// Before says that p is older than q. No part is the whole segment.
func (p Position) Before(q Position) bool {
	if p.MSN != q.MSN {
		return p.MSN < q.MSN
	}
	return p.Part >= 0 && (q.Part < 0 || p.Part < q.Part)
}

// Last is the newest media of the playlist.
func (m *Media) Last() Position {
	if len(m.Segments) == 0 {
		return Position{Part: -1}
	}
	s := &m.Segments[len(m.Segments)-1]
	if m.PartTarget == 0 && s.URI == "" && len(m.Segments) > 1 {
		s = &m.Segments[len(m.Segments)-2]
	}
	return Position{s.MSN, len(s.Parts) - 1}
}

// Next is what a player asks for after this playlist.
func (m *Media) Next() Position {
	last := m.Last()
	switch {
	case m.PartTarget == 0:
		return Position{last.MSN + 1, -1}
	case len(m.Segments) > 0 && m.Segments[len(m.Segments)-1].URI == "":
		return Position{last.MSN, last.Part + 1}
	}
	return Position{last.MSN + 1, 0}
}

// Has says that the playlist has come to p.
func (m *Media) Has(p Position) bool {
	last := m.Last()
	if p.Part < 0 { // the whole segment
		return last.MSN > p.MSN || last.MSN == p.MSN && m.Segments[len(m.Segments)-1].URI != ""
	}
	return last.MSN > p.MSN || last.MSN == p.MSN && last.Part >= p.Part
}

// Length is the duration of the media behind the start of the playlist.
func (m *Media) Length() (d time.Duration) {
	for i := range m.Segments {
		d += m.Segments[i].length()
	}
	return d
}

// Listed is the duration of the playlist: "the sum of the durations of the Media
// Segments within it" (4.4.3.1).
func (m *Media) Listed() (d time.Duration) {
	for i := range m.Segments {
		d += m.Segments[i].Duration
	}
	return d
}

func (s *Segment) length() time.Duration {
	d := s.Duration
	if s.URI == "" {
		for _, p := range s.Parts {
			d += p.Duration
		}
	}
	return d
}

func (m *Media) segment(msn uint64) *Segment {
	if len(m.Segments) == 0 || msn < m.Segments[0].MSN || msn-m.Segments[0].MSN >= uint64(len(m.Segments)) {
		return nil
	}
	return &m.Segments[msn-m.Segments[0].MSN]
}

// Merge completes a delta update with the playlist the player has (6.3.7).
func (m *Media) Merge(old *Media) (*Media, error) {
	if m.Skipped == 0 {
		return m, nil
	}
	full := *m
	full.Segments = nil
	for i := range m.Skipped {
		s := old.segment(m.MediaSequence + uint64(i))
		if s == nil || s.URI == "" {
			return nil, fmt.Errorf("segment %d is skipped and the playlist before had %d to %d", m.MediaSequence+uint64(i), old.MediaSequence, old.Last().MSN)
		}
		full.Segments = append(full.Segments, *s)
	}
	before := full.Segments[len(full.Segments)-1]
	for _, s := range m.Segments {
		if s.Map == "" {
			s.Map = before.Map
		}
		s.Discontinuities += before.Discontinuities - m.DiscontinuitySequence
		full.Segments = append(full.Segments, s)
	}
	full.Skipped = 0
	return &full, nil
}

// equal says where two complete states of a playlist differ, or nothing.
func (m *Media) equal(o *Media) string {
	if m.MediaSequence != o.MediaSequence || m.DiscontinuitySequence != o.DiscontinuitySequence || len(m.Segments) != len(o.Segments) {
		return fmt.Sprintf("numbers %d/%d with %d segments and %d/%d with %d", m.MediaSequence, m.DiscontinuitySequence, len(m.Segments),
			o.MediaSequence, o.DiscontinuitySequence, len(o.Segments))
	}
	for i := range m.Segments {
		a, b := &m.Segments[i], &o.Segments[i]
		if a.URI != b.URI || a.Duration != b.Duration || !a.PDT.Equal(b.PDT) || a.Map != b.Map || a.Discontinuity != b.Discontinuity || a.Gap != b.Gap {
			return fmt.Sprintf("segment %d is %s and %s", a.MSN, a.URI, b.URI)
		}
	}
	if m.Hint != o.Hint || m.Last() != o.Last() {
		return fmt.Sprintf("the end is %v, hint %q, and %v, hint %q", m.Last(), m.Hint, o.Last(), o.Hint)
	}
	return ""
}
