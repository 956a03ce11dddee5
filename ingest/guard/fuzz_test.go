package guard_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"barrage/ingest/guard"
)

// corpus gives f the first bytes that real encoders send after the handshake.
func corpus(f *testing.F) {
	f.Helper()
	names, err := filepath.Glob("testdata/*.rtmp")
	if err != nil || len(names) == 0 {
		f.Fatalf("no captures in testdata: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(100))
	}
	f.Add(publisher().message(guard.KindAggregate, 1000, 1, tag(a, 5, "x")+tag(guard.KindVideo, 9, "y")).b, uint16(7))
	f.Add(publisher().message(a, 0x1000000, 1, long).b, uint16(3))
}

// FuzzReader: whatever comes, however it is cut, the same messages come out, and
// what is held stays within the bound.
func FuzzReader(f *testing.F) {
	corpus(f)
	f.Fuzz(func(t *testing.T, b []byte, step uint16) {
		one, drops1, err1 := read(&wire{b: b}, len(b)+1)
		two, drops2, err2 := read(&wire{b: b}, int(step)+1)
		if !slices.EqualFunc(one, two, same) || !slices.Equal(drops1, drops2) || (err1 == nil) != (err2 == nil) {
			t.Errorf("in one piece %v, %v, %v; by %d bytes %v, %v, %v", one, drops1, err1, step, two, drops2, err2)
		}
	})
}

// FuzzConn: whatever comes, the engine reads canonical messages: whole, of the
// kinds it knows, on streams it made.
func FuzzConn(f *testing.F) {
	corpus(f)
	f.Fuzz(func(t *testing.T, b []byte, step uint16) {
		n := &network{Reader: &trickle{b: append(handshake(), b...), step: int(step) + 1}}
		got, _ := io.ReadAll(guard.New(n, guard.Options{}))
		if !bytes.HasPrefix(got, handshake()) {
			t.Fatal("no handshake")
		}
		for _, m := range messages(t, got[len(handshake()):]) {
			switch m.Kind {
			case guard.KindCommand:
				values(t, m)
			case guard.KindAudio, guard.KindVideo, guard.KindData:
				if m.Stream == 0 || len(m.Payload) == 0 {
					t.Errorf("media %+v", m.Header)
				}
			default:
				t.Errorf("the engine got a message of type %d", m.Kind)
			}
			if m.Stream >= guard.MessageStreams {
				t.Errorf("the engine got a message on stream %d", m.Stream)
			}
		}
		messages(t, n.sent.Bytes())
	})
}
