package fmp4_test

import (
	"bytes"
	"errors"
	"testing"

	"barrage/packager/fmp4"
	"barrage/packager/media"
)

// What AppendFragment wrote comes back: times, flags and payload.
func TestSamplesRoundTrip(t *testing.T) {
	var got []media.Sample
	for seed := range uint64(200) {
		r := newRand(seed)
		f, _ := randomFragment(r, r.Int64N(1<<50))
		var err error
		if got, err = fmp4.AppendSamples(got[:0], fmp4.AppendFragment(nil, f)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		compare(t, seed, "AppendSamples", f, fmp4.Fragment{Sequence: f.Sequence, Samples: got})
	}
}

func TestSamplesAppend(t *testing.T) {
	first, second := fmp4.AppendFragment(nil, audioUnits()), fmp4.AppendFragment(nil, bFrames())
	got, err := fmp4.AppendSamples(nil, first)
	if err == nil {
		got, err = fmp4.AppendSamples(got, second)
	}
	if n := len(audioUnits().Samples) + len(bFrames().Samples); err != nil || len(got) != n {
		t.Fatalf("%d samples, %v; want %d", len(got), err, n)
	}
	if &got[0].Data[0] != &first[len(first)-27] {
		t.Error("the data is a copy, want it to lie in the fragment")
	}
	if data := got[0].Data; cap(data) != len(data) {
		t.Error("appending to the data of a sample would write into the next")
	}
}

// Anything cut short, put together or from elsewhere is an error and leaves dst alone.
func TestSamplesRefuses(t *testing.T) {
	whole := fmp4.AppendFragment(nil, bFrames())
	cases := map[string][]byte{
		"nothing":       nil,
		"two fragments": append(bytes.Clone(whole), whole...),
		"init section":  appendInit(t, videoTrack(t, avcHigh)),
	}
	for n := range whole {
		cases["cut"] = whole[:n]
		for name, b := range cases {
			got, err := fmp4.AppendSamples(make([]media.Sample, 3, 9), b)
			if !errors.Is(err, fmp4.ErrFragment) || len(got) != 3 {
				t.Fatalf("%s at %d: %d samples and %v, want the 3 before and ErrFragment", name, n, len(got), err)
			}
		}
	}
}

func FuzzAppendSamples(f *testing.F) {
	f.Add(fmp4.AppendFragment(nil, bFrames()))
	f.Add(fmp4.AppendFragment(nil, audioUnits()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		samples, err := fmp4.AppendSamples(nil, b)
		if err != nil {
			return
		}
		n := 0
		for i := range samples {
			n += len(samples[i].Data)
		}
		if n > len(b) {
			t.Fatalf("%d bytes of media in %d", n, len(b))
		}
	})
}
