//go:build players

package e2e_test

import (
	"context"
	"strings"
	"time"
)

// mediaList is a media playlist, as much as the tests look at.
type mediaList struct {
	discontinuities int // those that are listed
	segments        []mediaSegment
	parts           []mediaSegment
	partHoldBack    time.Duration
	ended           bool
}

type mediaSegment struct {
	uri    string
	date   time.Time
	dur    time.Duration
	broken bool // a discontinuity is in front of it
}

// readMedia reads a media playlist of this server.
func readMedia(text string) (l mediaList) {
	var next mediaSegment
	var inside time.Duration // of the parts so far in this segment
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, value, _ := strings.Cut(line, ":")
		switch {
		case line == "#EXT-X-DISCONTINUITY":
			l.discontinuities++
			next.broken = true
		case name == "#EXT-X-PROGRAM-DATE-TIME":
			next.date, _ = time.Parse(time.RFC3339Nano, value)
		case name == "#EXT-X-SERVER-CONTROL":
			l.partHoldBack = seconds(attribute(value, "PART-HOLD-BACK"))
		case name == "#EXT-X-PART":
			part := mediaSegment{uri: attribute(value, "URI"), date: next.date.Add(inside), dur: seconds(attribute(value, "DURATION"))}
			l.parts = append(l.parts, part)
			inside += part.dur
		case name == "#EXTINF":
			next.dur = seconds(strings.TrimSuffix(value, ","))
		case line == "#EXT-X-ENDLIST":
			l.ended = true
		case line != "" && !strings.HasPrefix(line, "#"):
			next.uri = line
			l.segments = append(l.segments, next)
			next, inside = mediaSegment{}, 0
		}
	}
	return l
}

func seconds(text string) time.Duration {
	d, _ := time.ParseDuration(text + "s")
	return d
}

// attribute returns one value of an attribute list; ours have no comma in quotes.
func attribute(list, name string) string {
	for a := range strings.SplitSeq(list, ",") {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

// media fetches the media playlists of the epoch that a new player is given.
func (f *front) media(ctx context.Context) (map[string]mediaList, error) {
	text, err := get(ctx, f.index())
	if err != nil {
		return nil, err
	}
	all := map[string]mediaList{}
	for _, uri := range uris(string(text)) {
		body, err := get(ctx, resolve(f.index(), uri))
		if err != nil {
			return nil, err
		}
		all[uri] = readMedia(string(body))
	}
	return all, nil
}
