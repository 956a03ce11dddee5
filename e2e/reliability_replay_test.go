//go:build reliability

package e2e_test

import (
	"context"
	bytesof "encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// flvTag is one message of a recording.
type flvTag struct {
	kind byte
	at   int64 // milliseconds
	body string
}

// record lets ffmpeg make a FLV file of the test card.
func record(t *testing.T, long time.Duration) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "card.flv")
	args := card{}.args(file)
	out := args[:0:0]
	for _, a := range args[:len(args)-1] {
		if a != "-re" {
			out = append(out, a)
		}
	}
	out = append(out, "-t", fmt.Sprint(long.Seconds()), file)
	if said, err := tool(t.Context(), "ffmpeg", out...); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return file
}

// parseFLV returns the audio and video tags of a file that ffmpeg wrote.
func parseFLV(t *testing.T, file string) (tags []flvTag) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const header, head, trailer = 13, 11, 4
	for b = b[header:]; len(b) >= head; {
		n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		at := int64(b[7])<<24 | int64(bytesof.BigEndian.Uint32(b[4:8])>>8)
		if kind := b[0]; kind == rtmpAudio || kind == rtmpVideo {
			tags = append(tags, flvTag{kind, at, string(b[head : head+n])})
		}
		b = b[head+n+trailer:]
	}
	return tags
}

// warp says when a tag is sent, counted from the first, and with which timestamp.
type warp func(tag flvTag) (after time.Duration, at int64)

func (tag flvTag) due() time.Duration { return time.Duration(tag.at) * time.Millisecond }

// offset adds n to all timestamps.
func offset(n int64) warp {
	return func(tag flvTag) (time.Duration, int64) { return tag.due(), tag.at + n }
}

// jump adds n to the timestamps from a moment on.
func jump(from time.Duration, n int64) warp {
	return func(tag flvTag) (time.Duration, int64) {
		if tag.due() < from {
			return tag.due(), tag.at
		}
		return tag.due(), tag.at + n
	}
}

// freeze sends nothing for a while; the encoder's clock goes on meanwhile.
func freeze(from, long time.Duration) warp {
	return func(tag flvTag) (time.Duration, int64) {
		if tag.due() < from {
			return tag.due(), tag.at
		}
		return tag.due() + long, tag.at + long.Milliseconds()
	}
}

// audioAhead gives audio timestamps that are too late by n.
func audioAhead(n int64) warp {
	return func(tag flvTag) (time.Duration, int64) {
		if tag.kind == rtmpAudio {
			return tag.due(), tag.at + n
		}
		return tag.due(), tag.at
	}
}

// replay publishes a recording in real time under a warped clock, to its end.
func replay(ctx context.Context, addr, key string, tags []flvTag, w warp) error {
	c, _, err := publisher(ctx, addr, "", key)
	if err != nil {
		return err
	}
	defer c.Close()
	began := time.Now()
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for _, tag := range tags {
		after, at := w(tag)
		alarm.Reset(time.Until(began.Add(after)))
		select {
		case <-alarm.C:
		case <-ctx.Done():
			return nil
		}
		if err = c.SetDeadline(time.Now().Add(clientPatience)); err != nil {
			return err
		}
		if _, err = c.Write(rtmpMessage(tag.kind, 1, uint32(at), tag.body)); err != nil {
			return fmt.Errorf("at %v: %w", after, err)
		}
	}
	return nil
}
