//go:build load && linux

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What a playlist must say before a virtual player can play it.
var (
	errNoPlaylist = errors.New("not a playlist")
	errNoClock    = errors.New("the playlist has no EXT-X-PROGRAM-DATE-TIME")
)

// piece is a segment or a part.
type piece struct {
	msn         uint64
	part        int // -1: the whole segment
	uri         string
	start, end  time.Time // by the playlist's EXT-X-PROGRAM-DATE-TIME
	independent bool
}

// playlist is a media playlist as all players see it. It is immutable.
type playlist struct {
	target, hold         time.Duration
	partTarget, partHold time.Duration // 0: no low latency
	blocks, skips, ended bool
	init                 string
	pieces               []piece // by time; a segment stands behind its parts
	msn                  uint64  // of what comes next
	part                 int
	edge, whole          time.Time // the end of the last piece, and of the last segment

	seen time.Time // when the first player had it
}

// newest is the end of what there is to load.
func (l *playlist) newest(low bool) time.Time {
	if low {
		return l.edge
	}
	return l.whole
}

// parseIndex finds the first variant of a multivariant playlist and its audio.
func parseIndex(base *url.URL, body []byte) (renditions []string, err error) {
	var video, audio string
	variant := false
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(line)
		tag, attributes, _ := strings.Cut(line, ":")
		switch {
		case tag == "#EXT-X-MEDIA" && audio == "" && attribute(attributes, "TYPE") == "AUDIO":
			audio = attribute(attributes, "URI")
		case tag == "#EXT-X-STREAM-INF":
			variant = true
		case variant && line != "" && line[0] != '#' && video == "":
			video = line
		}
	}
	if video == "" {
		return nil, fmt.Errorf("%w of variants: %.80q", errNoPlaylist, body)
	}
	for _, uri := range []string{video, audio} {
		if uri == "" || uri == video && len(renditions) > 0 {
			continue
		}
		if uri, err = resolve(base, uri); err != nil {
			return nil, err
		}
		renditions = append(renditions, uri)
	}
	return renditions, nil
}

// resolve makes a request target of a URI in a playlist at base.
func resolve(base *url.URL, uri string) (string, error) {
	u, err := base.Parse(uri)
	if err != nil {
		return "", fmt.Errorf("URI %q: %w", uri, err)
	}
	return u.RequestURI(), nil
}

// attribute returns the value of name in an attribute list, without its quotes.
func attribute(list, name string) string {
	for list != "" {
		key, rest, _ := strings.Cut(list, "=")
		var value string
		if strings.HasPrefix(rest, `"`) {
			value, rest, _ = strings.Cut(rest[1:], `"`)
			_, list, _ = strings.Cut(rest, ",")
		} else {
			value, list, _ = strings.Cut(rest, ",")
		}
		if key == name {
			return value
		}
	}
	return ""
}

func seconds(s string) time.Duration {
	f, _ := strconv.ParseFloat(s, 64) // nonsense counts as nothing
	return time.Duration(f * float64(time.Second))
}

// reader is the state of parsing a media playlist.
type reader struct {
	*playlist

	base  *url.URL
	dur   time.Duration // of the segment whose URI comes next
	begin time.Time     // of the segment
	err   error
}

// parseMedia reads a media playlist of base, a delta update too.
func parseMedia(base *url.URL, body []byte) (*playlist, error) {
	r := &reader{playlist: &playlist{}, base: base}
	if !bytes.HasPrefix(body, []byte("#EXTM3U")) {
		return nil, fmt.Errorf("%w: %.80q", errNoPlaylist, body)
	}
	for line := range strings.Lines(string(body)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if line[0] != '#' {
			r.segment(line)
			continue
		}
		tag, value, _ := strings.Cut(line, ":")
		r.tag(tag, value)
	}
	if r.err == nil && len(r.pieces) > 0 && r.pieces[0].start.Before(time.Unix(0, 0)) {
		r.err = errNoClock
	}
	r.hold = max(r.hold, 3*r.target)
	return r.playlist, r.err
}

func (r *reader) tag(tag, value string) {
	switch tag {
	case "#EXT-X-TARGETDURATION":
		r.target = seconds(value)
	case "#EXT-X-PART-INF":
		r.partTarget = seconds(attribute(value, "PART-TARGET"))
	case "#EXT-X-SERVER-CONTROL":
		r.hold = seconds(attribute(value, "HOLD-BACK"))
		r.partHold = seconds(attribute(value, "PART-HOLD-BACK"))
		r.blocks = attribute(value, "CAN-BLOCK-RELOAD") == "YES"
		r.skips = attribute(value, "CAN-SKIP-UNTIL") != ""
	case "#EXT-X-MEDIA-SEQUENCE":
		r.msn, r.err = strconv.ParseUint(value, 10, 63)
	case "#EXT-X-SKIP":
		n, err := strconv.ParseUint(attribute(value, "SKIPPED-SEGMENTS"), 10, 63)
		r.err = errors.Join(r.err, err)
		r.msn += n
	case "#EXT-X-MAP":
		r.init = r.resolve(attribute(value, "URI"))
	case "#EXT-X-PROGRAM-DATE-TIME":
		at, err := time.Parse(time.RFC3339Nano, value)
		r.err = errors.Join(r.err, err)
		r.begin, r.edge = at, at
	case "#EXTINF":
		text, _, _ := strings.Cut(value, ",")
		r.dur = seconds(text)
	case "#EXT-X-PART":
		end := r.edge.Add(seconds(attribute(value, "DURATION")))
		r.pieces = append(r.pieces, piece{
			msn: r.msn, part: r.part, uri: r.resolve(attribute(value, "URI")), start: r.edge, end: end,
			independent: attribute(value, "INDEPENDENT") == "YES",
		})
		r.edge, r.part = end, r.part+1
	case "#EXT-X-ENDLIST":
		r.ended = true
	}
}

// segment ends one. Its duration counts, not the sum of its parts': those are rounded
// more often.
func (r *reader) segment(uri string) {
	end := r.begin.Add(r.dur)
	r.pieces = append(r.pieces, piece{msn: r.msn, part: -1, uri: r.resolve(uri), start: r.begin, end: end, independent: true})
	r.begin, r.edge, r.whole = end, end, end
	r.msn, r.part = r.msn+1, 0
}

func (r *reader) resolve(uri string) string {
	path, err := resolve(r.base, uri)
	r.err = errors.Join(r.err, err)
	return path
}

// library parses each playlist once for all players: most get the same bytes.
type library struct {
	base   *url.URL
	last   map[string]edition   // by path without directives
	listed map[string]time.Time // when a piece was first heard of
}

type edition struct {
	body []byte
	list *playlist
}

func newLibrary(base *url.URL) *library {
	return &library{base: base, last: map[string]edition{}, listed: map[string]time.Time{}}
}

// read returns what body, which may be compressed, says at path.
func (l *library) read(path string, body []byte, now time.Time) (*playlist, error) {
	path, _, _ = strings.Cut(path, "?")
	if known := l.last[path]; known.list != nil && bytes.Equal(known.body, body) {
		return known.list, nil
	}
	text, err := plain(body)
	if err != nil {
		return nil, err
	}
	base, err := l.base.Parse(path)
	if err != nil {
		return nil, err
	}
	list, err := parseMedia(base, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	list.seen = now
	for _, p := range list.pieces {
		if _, known := l.listed[p.uri]; !known {
			l.listed[p.uri] = now
		}
	}
	if newer := l.last[path].list; newer == nil || !list.edge.Before(newer.edge) {
		l.last[path] = edition{bytes.Clone(body), list}
	}
	return list, nil
}

// plain uncompresses what is gzip.
func plain(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
