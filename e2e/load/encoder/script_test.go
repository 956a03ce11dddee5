//go:build load

package encoder_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"barrage/e2e/load/encoder"
)

func TestScript(t *testing.T) {
	s, err := encoder.ReadScript("testdata/show.flv", 128)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Intro) != 3 || len(s.Loop) != 20 || s.Loop[2].At != 50*time.Millisecond {
		t.Errorf("%d messages once, %d again and again, the third at %v", len(s.Intro), len(s.Loop), s.Loop[2].At)
	}
	if d := s.Dur; d < 450*time.Millisecond || d > 500*time.Millisecond {
		t.Errorf("lasts %v, want between the last message and 500ms", d)
	}
	wire := s.Loop[0].Wire
	if len(wire) != 12+309+2 || wire[12+128] != 0xc5 || wire[12+129+128] != 0xc5 || wire[0] != 5 {
		t.Errorf("309 bytes in chunks of 128 on stream 5: %d bytes, %x", len(wire), wire[:16])
	}
	s.Loop[0].Stamp(0x123456 * time.Millisecond)
	if !bytes.Equal(wire[1:4], []byte{0x12, 0x34, 0x56}) {
		t.Errorf("timestamp %x, want 123456", wire[1:4])
	}
	whole, err := os.ReadFile("testdata/show.flv")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"empty": nil, "other": []byte("RIFF it is not an FLV"), "no media": whole[:40]} {
		if _, err = encoder.ParseScript(b, 128); !errors.Is(err, encoder.ErrNotFLV) {
			t.Errorf("%s: %v, want ErrNotFLV", name, err)
		}
	}
}

// TestMark: the mark stands at the end of the body, across the headers of chunks.
func TestMark(t *testing.T) {
	for _, size := range []int{7, 128, 300, 4096} {
		s, err := encoder.ReadScript("testdata/show.flv", size)
		if err != nil {
			t.Fatal(err)
		}
		m := s.Clone().Loop[0]
		mark := []byte("0123456789abcdef")
		if !m.Mark(mark) {
			t.Fatalf("chunks of %d: no room", size)
		}
		body := unchunked(m.Wire, size)
		if len(body) != 309 || !bytes.HasSuffix(body, mark) || bytes.Count(m.Wire, []byte{0xc5}) != bytes.Count(s.Loop[0].Wire, []byte{0xc5}) {
			t.Errorf("chunks of %d: body ends with %q", size, body[len(body)-20:])
		}
		if bytes.Contains(unchunked(s.Loop[0].Wire, size), mark) {
			t.Error("a mark in a clone is seen in the original")
		}
		if s.Loop[1].Mark(mark) {
			t.Error("a sound of 7 bytes has room for a mark of 16")
		}
	}
}

func unchunked(wire []byte, size int) (body []byte) {
	for rest := wire[12:]; ; rest = rest[size+1:] {
		if len(rest) <= size {
			return append(body, rest...)
		}
		body = append(body, rest[:size]...)
	}
}
