package fmp4_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	mc "github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"

	"barrage/packager/fmp4"
	"barrage/packager/media"
)

// randomFragment makes contiguous samples with any offset, flag and size.
func randomFragment(r *rand.Rand, dts int64) (f fmp4.Fragment, end int64) {
	f.Sequence = r.Uint32()
	offsets := r.IntN(2) == 0
	for range 1 + r.IntN(40) {
		s := media.Sample{DTS: dts, Duration: r.Uint32N(1 << 20), Sync: r.IntN(3) == 0, Data: make([]byte, 1+r.IntN(300))}
		if offsets {
			s.CTS = int32(r.Uint32()) // both signs, full range
		}
		for i := range s.Data {
			s.Data[i] = byte(r.Uint32())
		}
		dts += int64(s.Duration)
		f.Samples = append(f.Samples, s)
	}
	return f, dts
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func TestFragmentRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		r := newRand(seed)
		f, _ := randomFragment(r, r.Int64N(1<<50))
		b := fmp4.AppendFragment(nil, f)
		compare(t, seed, "mp4ff", f, readMP4FF(t, b))
		compare(t, seed, "mediacommon", f, readMediacommon(t, b))
	}
}

func compare(t *testing.T, seed uint64, reader string, want fmp4.Fragment, got fmp4.Fragment) {
	t.Helper()
	if got.Sequence != want.Sequence || len(got.Samples) != len(want.Samples) {
		t.Fatalf("seed %d, %s: sequence %d with %d samples, want %d with %d",
			seed, reader, got.Sequence, len(got.Samples), want.Sequence, len(want.Samples))
	}
	for i, w := range want.Samples {
		g := got.Samples[i]
		if g.DTS != w.DTS || g.CTS != w.CTS || g.Duration != w.Duration || g.Sync != w.Sync || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("seed %d, %s, sample %d:\ngot  %+v\nwant %+v", seed, reader, i, g, w)
		}
	}
}

func readMP4FF(t *testing.T, b []byte) fmp4.Fragment {
	t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var f fmp4.Fragment
	for _, frag := range file.Segments[0].Fragments {
		f.Sequence = frag.Moof.Mfhd.SequenceNumber
		samples, err := frag.GetFullSamples(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range samples {
			const syncFlags, otherFlags = 0x02000000, 0x01010000
			if s.Flags != syncFlags && s.Flags != otherFlags {
				t.Fatalf("sample flags %#x", s.Flags)
			}
			f.Samples = append(f.Samples, media.Sample{
				DTS: int64(s.DecodeTime), CTS: s.CompositionTimeOffset, Duration: s.Dur,
				Sync: s.Flags == syncFlags, Data: s.Data,
			})
		}
	}
	return f
}

func readMediacommon(t *testing.T, b []byte) fmp4.Fragment {
	t.Helper()
	var parts mc.Parts
	if err := parts.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	var f fmp4.Fragment
	for _, part := range parts {
		f.Sequence = part.SequenceNumber
		dts := int64(part.Tracks[0].BaseTime)
		for _, s := range part.Tracks[0].Samples {
			f.Samples = append(f.Samples, media.Sample{
				DTS: dts, CTS: s.PTSOffset, Duration: s.Duration, Sync: !s.IsNonSyncSample, Data: s.Payload,
			})
			dts += int64(s.Duration)
		}
	}
	return f
}

// A segment is the concatenation of its parts, behind its init section.
func TestSegmentIsItsParts(t *testing.T) {
	r := newRand(1)
	b := appendInit(t, videoTrack(t, avcHigh))
	var want fmp4.Fragment
	dts := int64(90000)
	for range 4 {
		var f fmp4.Fragment
		f, dts = randomFragment(r, dts)
		before := len(b)
		b = fmp4.AppendFragment(b, f)
		if part := fmp4.AppendFragment(nil, f); !bytes.Equal(b[before:], part) {
			t.Fatal("a fragment depends on what it is appended to")
		}
		want.Sequence = f.Sequence
		want.Samples = append(want.Samples, f.Samples...)
	}
	compare(t, 1, "mp4ff", want, readMP4FF(t, b))
}

func TestFragmentBytes(t *testing.T) {
	f := audioUnits()
	b := fmp4.AppendFragment([]byte("before"), f)
	if !bytes.HasPrefix(b, []byte("before")) {
		t.Fatalf("dst is gone: %q", b[:6])
	}
	b = b[len("before"):]
	moof := int(binary.BigEndian.Uint32(b))
	mdat := int(binary.BigEndian.Uint32(b[moof:]))
	if string(b[4:8]) != "moof" || string(b[moof+4:moof+8]) != "mdat" || moof+mdat != len(b) {
		t.Errorf("want moof and mdat to fill %d bytes exactly, got %d of %q and %d of %q",
			len(b), moof, b[4:8], mdat, b[moof+4:moof+8])
	}
	if got := fmp4.AppendFragment(nil, fmp4.Fragment{Sequence: 3}); len(got) != 0 {
		t.Errorf("a fragment without samples gives %x, want nothing", got)
	}
}

// The payload must be a copy: samples are dropped while parts are still served.
func TestFragmentOwnsItsBytes(t *testing.T) {
	f := bFrames()
	b := fmp4.AppendFragment(nil, f)
	before := bytes.Clone(b)
	for _, s := range f.Samples {
		clear(s.Data)
	}
	if !bytes.Equal(b, before) {
		t.Error("the fragment shares memory with its samples")
	}
}

func TestFragmentAllocations(t *testing.T) {
	f := halfSecond(newRand(1))
	if n := testing.AllocsPerRun(100, func() { fmp4.AppendFragment(nil, f) }); n > 1 {
		t.Errorf("%v allocations into nil, want 1", n)
	}
	dst := fmp4.AppendFragment(nil, f)
	if n := testing.AllocsPerRun(100, func() { dst = fmp4.AppendFragment(dst[:0], f) }); n != 0 {
		t.Errorf("%v allocations into a buffer that fits, want 0", n)
	}
}

// halfSecond is a part as 5 Mb/s at 30 fps gives it.
func halfSecond(r *rand.Rand) fmp4.Fragment {
	var f fmp4.Fragment
	for i := range int64(15) {
		f.Samples = append(f.Samples, media.Sample{
			Kind: media.Video, Sync: i == 0, DTS: i * 3000, CTS: 3000, Duration: 3000, Data: make([]byte, 19000+r.IntN(4000)),
		})
	}
	return f
}

// The speed is that of the payload.
func BenchmarkAppendFragment(b *testing.B) {
	f := halfSecond(newRand(1))
	payload := 0
	for i := range f.Samples {
		payload += len(f.Samples[i].Data)
	}
	b.Run("fresh", func(b *testing.B) {
		b.SetBytes(int64(payload))
		size := 0
		allocs := testing.AllocsPerRun(10, func() { size = cap(fmp4.AppendFragment(nil, f)) })
		for b.Loop() {
			fmp4.AppendFragment(nil, f)
		}
		b.ReportMetric(allocs/float64(len(f.Samples)), "allocs/sample")
		b.ReportMetric(float64(size)/float64(payload), "B/payloadB")
	})
	b.Run("reused", func(b *testing.B) {
		dst := fmp4.AppendFragment(nil, f)
		b.SetBytes(int64(payload))
		for b.Loop() {
			dst = fmp4.AppendFragment(dst[:0], f)
		}
	})
}
