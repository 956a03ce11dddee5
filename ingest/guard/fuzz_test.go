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

// FuzzConn: whatever comes, the engine reads canonical commands: whole, and on
// streams it made; and media is what one that publishes sends, and not empty.
func FuzzConn(f *testing.F) {
	corpus(f)
	shake := handshake()
	f.Fuzz(func(t *testing.T, b []byte, step uint16) {
		n := &network{Reader: io.MultiReader(bytes.NewReader(shake), &trickle{b: b, step: int(step) + 1})}
		c := guard.New(n, guard.Options{Media: func(kind guard.Kind, _ uint32, payload []byte) error {
			if kind != guard.KindAudio && kind != guard.KindVideo && kind != guard.KindData || len(payload) == 0 {
				t.Errorf("media of kind %s, %d bytes", kind, len(payload))
			}
			return nil
		}})
		mustRead(t, c, len(shake))
		got, _ := io.ReadAll(c)
		for _, m := range messages(t, got) {
			if values(t, m); m.Kind != guard.KindCommand || m.Stream >= guard.MessageStreams {
				t.Errorf("the engine got a message of type %d on stream %d", m.Kind, m.Stream)
			}
		}
		messages(t, n.sent.Bytes())
	})
}
