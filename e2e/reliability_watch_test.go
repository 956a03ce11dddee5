//go:build reliability

package e2e_test

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// listed is a segment as a playlist lists it.
type listed struct {
	seconds       float64
	pdt           time.Time
	discontinuous bool
}

// timeline is what a room's playlist has listed, by media sequence number.
type timeline struct {
	target   int
	first    int
	segments []listed // from first
	faults   []string
}

func (w *timeline) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// look adds what a media playlist lists now.
func (w *timeline) look(playlist string) {
	var msn int
	var next listed
	for line := range strings.Lines(playlist) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "#EXT-X-TARGETDURATION":
			target, _ := strconv.Atoi(value)
			if w.target != 0 && w.target != target {
				w.fault("target duration was %d and is %d", w.target, target)
			}
			w.target = target
		case "#EXT-X-MEDIA-SEQUENCE":
			msn, _ = strconv.Atoi(value)
			if len(w.segments) == 0 {
				w.first = msn
			}
		case "#EXT-X-DISCONTINUITY":
			next.discontinuous = true
		case "#EXT-X-PROGRAM-DATE-TIME":
			next.pdt, _ = time.Parse("2006-01-02T15:04:05.999Z07:00", value)
		case "#EXTINF":
			next.seconds, _ = strconv.ParseFloat(strings.TrimSuffix(value, ","), 64)
			w.add(msn, next)
			msn, next = msn+1, listed{}
		}
	}
}

// add notes segment msn, which must be the next one or as it was.
func (w *timeline) add(msn int, s listed) {
	i := msn - w.first
	switch {
	case i < 0 || i > len(w.segments):
		w.fault("segment %d is listed after %d segments from %d", msn, len(w.segments), w.first)
	case i == len(w.segments):
		w.segments = append(w.segments, s)
	case math.Abs(w.segments[i].seconds-s.seconds) > 1e-6 || !w.segments[i].pdt.Equal(s.pdt):
		w.fault("segment %d was %+v and is %+v", msn, w.segments[i], s)
	}
}

// pdtSlack is what the rounding of dates to milliseconds may cost.
const pdtSlack = 5 * time.Millisecond

// verdict adds the faults that only the whole shows and returns the length of the
// media, its discontinuities, and the longest hole between dates.
func (w *timeline) verdict() (long time.Duration, discontinuities int, hole time.Duration) {
	for i, s := range w.segments {
		d := time.Duration(s.seconds * float64(time.Second))
		long += d
		if int(math.Round(s.seconds)) > w.target {
			w.fault("segment %d has %.3f s, the target duration is %d", w.first+i, s.seconds, w.target)
		}
		if s.discontinuous {
			discontinuities++
		}
		if i == 0 {
			continue
		}
		last := w.segments[i-1]
		gap := s.pdt.Sub(last.pdt) - time.Duration(last.seconds*float64(time.Second))
		hole = max(hole, gap)
		if gap < -pdtSlack || gap > pdtSlack && !s.discontinuous {
			w.fault("segment %d begins %v after the end of the one before it", w.first+i, gap)
		}
	}
	return long, discontinuities, hole
}

var renditionURI = regexp.MustCompile(`(?m)^#EXT-X-MEDIA:.*URI="([^"]+)"`)

// playlists returns every media playlist of the room, by its address.
func (s *server) playlists(ctx context.Context, room string) (map[string]string, error) {
	base := s.url("/hls/" + room + "/")
	index, err := get(ctx, base+"index.m3u8")
	if err != nil {
		return nil, err
	}
	uris := []string{variant(string(index))}
	for _, m := range renditionURI.FindAllStringSubmatch(string(index), -1) {
		uris = append(uris, m[1])
	}
	all := map[string]string{}
	for _, uri := range uris {
		body, err := get(ctx, base+uri)
		if err != nil {
			return nil, err
		}
		all[uri] = string(body)
	}
	return all, nil
}

// watch looks at all playlists of a room until ctx ends.
func (s *server) watch(ctx context.Context, room string) map[string]*timeline {
	seen := map[string]*timeline{}
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for {
		now, err := s.playlists(ctx, room)
		if err != nil && len(seen) > 0 && ctx.Err() == nil {
			for _, w := range seen {
				w.fault("%v", err)
			}
		}
		for uri, playlist := range now {
			if seen[uri] == nil {
				seen[uri] = &timeline{}
			}
			seen[uri].look(playlist)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return seen
		}
	}
}
