//go:build clients

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
)

// served is what a player finds from the first segment to the last.
type served struct {
	count
	discontinuities int      // of the first rendition
	gaps            []string // holes and overlaps within a rendition, between two discontinuities
	ended           bool
}

// walk fetches every segment of every rendition and counts with mp4ff.
func (s *server) walk(ctx context.Context) (all served, err error) {
	index := s.url("/hls/" + room + "/index.m3u8")
	multivariant, err := get(ctx, index)
	if err != nil {
		return all, err
	}
	for i, uri := range uris(string(multivariant)) {
		r, err := walkRendition(ctx, resolve(index, uri))
		if err != nil {
			return all, err
		}
		all.video += r.video
		all.audio += r.audio
		all.gaps = append(all.gaps, r.gaps...)
		if i == 0 {
			all.discontinuities, all.ended = r.discontinuities, true
		}
		all.ended = all.ended && r.ended
	}
	return all, nil
}

// rendition is one media playlist on the way through it.
type rendition struct {
	served
	init []byte
	next int64 // decoding time of the next sample; -1 = anything goes
}

func walkRendition(ctx context.Context, playlist string) (served, error) {
	text, err := get(ctx, playlist)
	if err != nil {
		return served{}, err
	}
	r := rendition{next: -1}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if uri, isMap := strings.CutPrefix(line, "#EXT-X-MAP:URI=\""); isMap {
			if r.init, err = get(ctx, resolve(playlist, strings.TrimSuffix(uri, "\""))); err != nil {
				return r.served, err
			}
			continue
		}
		switch {
		case line == "#EXT-X-DISCONTINUITY":
			r.discontinuities++
			r.next = -1
		case line == "#EXT-X-ENDLIST":
			r.ended = true
		case line != "" && !strings.HasPrefix(line, "#"):
			segment, err := get(ctx, resolve(playlist, line))
			if err != nil {
				return r.served, err
			}
			if err = r.add(segment); err != nil {
				return r.served, fmt.Errorf("%s: %w", line, err)
			}
		}
	}
	return r.served, nil
}

var errShape = errors.New("not one track")

// add counts the samples of a segment and checks that they follow the ones before.
func (r *rendition) add(segment []byte) error {
	file, err := mp4.DecodeFile(bytes.NewReader(append(bytes.Clone(r.init), segment...)))
	if err != nil {
		return err
	}
	if file.Init == nil || len(file.Init.Moov.Traks) != 1 {
		return errShape
	}
	n := 0
	for _, s := range file.Segments {
		for _, f := range s.Fragments {
			traf := f.Moof.Traf
			at := int64(traf.Tfdt.BaseMediaDecodeTime())
			if r.next >= 0 && at != r.next {
				r.gaps = append(r.gaps, fmt.Sprintf("%d ticks at %d", at-r.next, r.next))
			}
			traf.Trun.AddSampleDefaultValues(traf.Tfhd, file.Init.Moov.Mvex.Trex)
			n += len(traf.Trun.Samples)
			r.next = at + int64(traf.Trun.Duration(traf.Tfhd.DefaultSampleDuration))
		}
	}
	if file.Init.Moov.Trak.Mdia.Hdlr.HandlerType == "vide" {
		r.video += n
	} else {
		r.audio += n
	}
	return nil
}

// serveClients runs a server that lists everything a test sends.
func serveClients(t *testing.T, settings ...string) *server {
	t.Helper()
	return serve(t, append([]string{"BARRAGE_PACKAGER_WINDOW=10m", "BARRAGE_INGEST_GRACE=2s"}, settings...)...)
}

// delivered checks, once the broadcast is over, that players get every access unit
// in sent, by two counts that know nothing of each other, and that all of it decodes.
func (s *server) delivered(t *testing.T, client string, sent count) {
	t.Helper()
	s.waitPhase(t, "ended", 40*time.Second)
	all, err := s.walk(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	index := s.url("/hls/" + room + "/index.m3u8")
	probed, err := countPackets(t.Context(), index)
	if err != nil {
		t.Error(err)
	}
	t.Logf("| %s | %d sent, %d served, %d by ffprobe | %d sent, %d served, %d by ffprobe |",
		client, sent.video, all.video, probed.video, sent.audio, all.audio, probed.audio)
	if all.count != sent || probed != sent {
		t.Errorf("sent %+v, but the segments hold %+v and ffprobe counts %+v", sent, all.count, probed)
	}
	if all.discontinuities != 0 || len(all.gaps) != 0 || !all.ended {
		t.Errorf("%d discontinuities, gaps %q, ended %v: want one unbroken broadcast", all.discontinuities, all.gaps, all.ended)
	}
	if out, err := tool(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", index, "-f", "null", "-"); err != nil || out != "" {
		t.Errorf("decoding: %v %s", err, out)
	}
}
