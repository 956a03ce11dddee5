package mpegts_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"barrage/packager/media"
	"barrage/packager/mpegts"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package")

func program(tb testing.TB, tracks ...media.Track) *mpegts.Program {
	tb.Helper()
	p, err := mpegts.NewProgram(tracks...)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// TestGolden dumps segments as an independent decoder sees them: the diff of testdata
// is the review of a change to the bytes.
func TestGolden(t *testing.T) {
	video, audio := videoTrack(t), audioTrack(t)
	cases := map[string]struct {
		tracks  []media.Track
		segment mpegts.Segment
	}{
		"video_and_audio": {[]media.Track{video, audio}, mpegts.Segment{Video: bFrames(), Audio: sound(1600, 10, 90)}},
		"audio":           {[]media.Track{audio}, mpegts.Segment{Audio: append(sound(0, 6, 200), sound(9000, 2, 200)...)}},
		"wrap":            {[]media.Track{video}, mpegts.Segment{Video: aroundWrap()}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b, _ := program(t, c.tracks...).AppendSegment(nil, mpegts.Counters{}, c.segment)
			compareGolden(t, name, dump(decode(t, b)))
		})
	}
}

// bFrames is a closed GOP in decoding order, its first picture behind a delimiter of
// the encoder.
func bFrames() []media.Sample {
	return []media.Sample{
		sample(0, 6000, true, []byte{9, 0x10}, nal(0x65, 700)),
		sample(3000, 9000, false, nal(0x41, 152), nal(0x41, 20)),
		sample(6000, 0, false, nal(0x01, 30)),
		sample(9000, -3000, false, nal(0x01, 10)),
	}
}

// aroundWrap is one picture before and one behind 2^33.
func aroundWrap() []media.Sample {
	const at = 1<<33 - 90000 - 1500 // the line starts at 90000
	return []media.Sample{
		sample(at, 3000, true, nal(0x65, 20)),
		sample(at+3000, 0, false, nal(0x41, 20)),
	}
}

func dump(s stream) []byte {
	var out bytes.Buffer
	for _, line := range s.tables {
		fmt.Fprintln(&out, line)
	}
	for i, p := range s.packets {
		fmt.Fprintf(&out, "packet %d pid %#x counter %d payload %d", i, p.Header.PID, p.Header.ContinuityCounter, len(p.Payload))
		if p.Header.PayloadUnitStartIndicator {
			fmt.Fprint(&out, " start")
		}
		if a := p.AdaptationField; a != nil {
			fmt.Fprintf(&out, " adaptation %d", a.Length)
			if a.RandomAccessIndicator {
				fmt.Fprint(&out, " random")
			}
			if a.HasPCR {
				fmt.Fprintf(&out, " pcr %d+%d", a.PCR.Base, a.PCR.Extension)
			}
		}
		fmt.Fprintln(&out)
	}
	for i, u := range s.units {
		fmt.Fprintf(&out, "pes %d pid %#x pts %d dts %d length %d of %d bytes\n%x\n", i, u.pid, u.pts, u.dts, u.length, len(u.data), u.data[:min(len(u.data), 80)])
	}
	return out.Bytes()
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}
