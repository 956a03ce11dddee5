package mpegts_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"barrage/packager/media"
	"barrage/packager/mpegts"
)

const base = 90000 // PTS of time 0

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// randomVideo makes n samples from tick at on, with delimiters of the encoder here and
// there, and empty NAL units.
func randomVideo(r *rand.Rand, at int64, n int) (out []media.Sample, end int64) {
	for i := range n {
		var units [][]byte
		if r.IntN(3) == 0 {
			units = append(units, []byte{9, 0xf0})
		}
		for range 1 + r.IntN(3) {
			units = append(units, nal(byte(0x61+r.IntN(5)), 1+r.IntN(400)))
		}
		// Beyond PES_packet_length. Only the last: go-astits loses a packet of unbounded
		// length when the one behind it fits into one transport packet.
		if i == n-1 && r.IntN(2) == 0 {
			units = append(units, nil, nal(0x41, 70000))
		}
		s := sample(at, int32(r.IntN(4)*3000), i == 0, units...)
		s.Duration = uint32(1500 + r.IntN(3000))
		at += int64(s.Duration)
		out = append(out, s)
	}
	return out, at
}

// randomAudio makes units up to tick end, one in twenty longer than it should be.
func randomAudio(r *rand.Rand, at, end int64) (out []media.Sample, next int64) {
	for at < end {
		s := sound(at, 1, 1+r.IntN(900))[0]
		if r.IntN(20) == 0 {
			s.Duration += r.Uint32N(2000)
		}
		at += int64(s.Duration)
		out = append(out, s)
	}
	return out, at
}

// Segments of any content come out of an independent demultiplexer as they went in,
// across the wrap of 2^33 ticks, with continuity counters unbroken.
func TestRoundTrip(t *testing.T) {
	p := program(t, videoTrack(t), audioTrack(t))
	for seed := range uint64(60) {
		r := newRand(seed)
		at := r.Int64N(1 << 50)
		if seed%2 == 0 {
			at = 1<<33 - r.Int64N(400000) // the wrap is inside
		}
		heard := at / 90000 * 48000
		var counters mpegts.Counters
		last := map[uint16]uint8{}
		for range 4 {
			var s mpegts.Segment
			s.Video, at = randomVideo(r, at, 1+r.IntN(40))
			s.Audio, heard = randomAudio(r, heard, at/15*8)
			var b []byte
			b, counters = p.AppendSegment(nil, counters, s)
			if len(b) != cap(b) {
				t.Fatalf("seed %d: %d bytes in a buffer of %d, want it measured exactly", seed, len(b), cap(b))
			}
			packetsOf(t, b, last)
			got := decode(t, b)
			compareVideo(t, seed, got.of(videoPID), s.Video)
			compareAudio(t, seed, got.of(audioPID), s.Audio)
			checkOrder(t, seed, got.units)
		}
	}
}

const mask = 1<<33 - 1

func compareVideo(t *testing.T, seed uint64, got []unit, want []media.Sample) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("seed %d: %d PES packets of video, want %d", seed, len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		dts := w.DTS + base
		if g.dts != dts&mask || g.pts != (dts+int64(w.CTS))&mask || g.pcr != (dts-9000)&mask || g.random != w.Sync || !g.aligned {
			t.Fatalf("seed %d, sample %d: %+v, want DTS %d masked, CTS %d, PCR 9000 before, sync %t", seed, i, g, dts, w.CTS, w.Sync)
		}
		header := 8 // behind PES_packet_length, with a PTS
		if w.CTS != 0 {
			header += 5
		}
		if fits := header+len(g.data) <= 65535; fits && int(g.length) != header+len(g.data) || !fits && g.length != 0 {
			t.Fatalf("seed %d, sample %d: PES_packet_length %d with %d bytes", seed, i, g.length, header+len(g.data))
		}
		var units [][]byte
		if w.Sync {
			units = [][]byte{unhex(t, avcHigh)[8:35], unhex(t, avcHigh)[38:42]}
		}
		compareUnits(t, nals(t, g.data), append([][]byte{{9, 0xf0}}, append(units, ownUnits(w)...)...))
	}
}

// ownUnits returns the NAL units of a sample that must come through.
func ownUnits(s media.Sample) [][]byte {
	var out [][]byte
	for b := s.Data; len(b) > 0; {
		n := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if u := b[4 : 4+n]; n > 0 && u[0] != 9 {
			out = append(out, u)
		}
		b = b[4+n:]
	}
	return out
}

func compareUnits(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d NAL units, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("NAL unit %d is %x, want %x", i, got[i][:min(len(got[i]), 16)], want[i][:min(len(want[i]), 16)])
		}
	}
}

// compareAudio checks every unit and its time, as a decoder counts it from its PES packet.
func compareAudio(t *testing.T, seed uint64, got []unit, want []media.Sample) {
	t.Helper()
	i := 0
	for _, g := range got {
		packets := adtsOf(t, g.data)
		if g.length == 0 || int(g.length) != len(g.data)+8 {
			t.Fatalf("seed %d: PES_packet_length %d with %d bytes of audio", seed, g.length, len(g.data))
		}
		if n := len(packets); n > 4 {
			t.Fatalf("seed %d: %d units in one PES packet, want at most 100 ms", seed, n)
		}
		for k, a := range packets {
			w := want[i]
			heard := g.pts + int64(k)*1024*15/8
			if off := (heard - w.DTS*15/8 - base) & mask; off > 1 && off < mask {
				t.Fatalf("seed %d, unit %d: heard at %d, want %d", seed, i, heard, w.DTS*15/8+base)
			}
			if !bytes.Equal(a.AU, w.Data) || a.SampleRate != 48000 || a.ChannelConfig != 2 {
				t.Fatalf("seed %d, unit %d: %d bytes at %d Hz, want %d at 48000", seed, i, len(a.AU), a.SampleRate, len(w.Data))
			}
			i++
		}
	}
	if i != len(want) {
		t.Fatalf("seed %d: %d units, want %d", seed, i, len(want))
	}
}

// checkOrder demands that decoding times never fall, nor lie before the clock.
func checkOrder(t *testing.T, seed uint64, units []unit) {
	t.Helper()
	const half = 1 << 32
	late := func(a, b int64) bool { d := (b - a) & mask; return d > half } // b before a
	for i := 1; i < len(units); i++ {
		// go-astits gives a packet when the next of its PID starts, so compare a PID with itself.
		for k := i - 1; k >= 0; k-- {
			if units[k].pid == units[i].pid {
				if late(units[k].dts, units[i].dts) {
					t.Fatalf("seed %d: DTS %d behind %d", seed, units[i].dts, units[k].dts)
				}
				break
			}
		}
	}
}

// Audio and video leave in the order of their decoding times.
func TestInterleaving(t *testing.T) {
	video, end := randomVideo(newRand(1), 0, 60)
	audio, _ := randomAudio(newRand(2), 0, end/15*8)
	b, _ := program(t, videoTrack(t), audioTrack(t)).AppendSegment(nil, mpegts.Counters{}, mpegts.Segment{Video: video, Audio: audio})
	var starts []uint16
	for _, p := range decode(t, b).packets {
		if p.Header.PayloadUnitStartIndicator && p.Header.PID >= videoPID && p.Header.PID <= audioPID {
			starts = append(starts, p.Header.PID)
		}
	}
	units := map[uint16][]unit{videoPID: decode(t, b).of(videoPID), audioPID: decode(t, b).of(audioPID)}
	newest := int64(0)
	for i, pid := range starts {
		u := units[pid][0]
		units[pid] = units[pid][1:]
		if u.dts < newest {
			t.Fatalf("PES packet %d: decoded at %d, behind one of %d", i, u.dts, newest)
		}
		newest = u.dts
	}
}

// Cutting the same samples into segments elsewhere changes no counter and no payload.
func TestCountersGoOn(t *testing.T) {
	p := program(t, videoTrack(t))
	video, _ := randomVideo(newRand(3), 0, 40)
	for n := range len(video) {
		var c mpegts.Counters
		last := map[uint16]uint8{}
		var b []byte
		b, c = p.AppendSegment(nil, c, mpegts.Segment{Video: video[:n]})
		packetsOf(t, b, last)
		before := maps.Clone(last)
		b, _ = p.AppendSegment([]byte("before"), c, mpegts.Segment{Video: video[n:]})
		packetsOf(t, bytes.TrimPrefix(b, []byte("before")), last)
		again, _ := p.AppendSegment(nil, c, mpegts.Segment{Video: video[n:]})
		if !bytes.Equal(b[len("before"):], again) {
			t.Fatalf("segment behind %d samples differs when made again", n)
		}
		if n > 0 && before[videoPID] == last[videoPID] && len(video[n:]) == 1 {
			t.Fatal("the counter stands still")
		}
	}
}

func TestNewProgram(t *testing.T) {
	audio, video := audioTrack(t), videoTrack(t)
	with := func(tr media.Track, codec media.Codec, config string) media.Track {
		tr.Codec, tr.Config = codec, unhex(t, config)
		return tr
	}
	cases := map[string]struct {
		tracks []media.Track
		says   string // in the error; empty: none
		codec  bool   // ErrCodec
	}{
		"video and audio":   {tracks: []media.Track{video, audio}},
		"he-aac":            {tracks: []media.Track{with(audio, media.AAC, aacHE)}},
		"hevc":              {[]media.Track{with(video, media.HEVC, ""), audio}, "hevc", true},
		"mp3":               {[]media.Track{video, with(audio, media.MP3, "fffb0000")}, "mp3", true},
		"nothing":           {nil, "without tracks", false},
		"short avcC":        {[]media.Track{with(video, media.H264, "0164")}, "avcC of 2 bytes", false},
		"avcC without PPS":  {[]media.Track{with(video, media.H264, avcHigh[:70])}, "ends before its PPS", false},
		"avcC in the SPS":   {[]media.Track{with(video, media.H264, avcHigh[:40])}, "inside a parameter set", false},
		"empty config":      {[]media.Track{with(audio, media.AAC, "")}, "aac", false},
		"960 samples":       {[]media.Track{with(audio, media.AAC, "1194")}, "short frames true", false},
		"layout of its own": {[]media.Track{with(audio, media.AAC, "118004c844002000c4")}, "channel configuration 0", false},
		"46000 Hz":          {[]media.Track{with(audio, media.AAC, "178059d810")}, "46000 Hz", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := mpegts.NewProgram(c.tracks...)
			switch {
			case c.says == "" && err != nil:
				t.Errorf("NewProgram = %v, want no error", err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, mpegts.ErrCodec) != c.codec):
				t.Errorf("NewProgram = %v, want one that says %q, ErrCodec %t", err, c.says, c.codec)
			}
		})
	}
}

// HE-AAC lasts twice as long by its track's clock, and ADTS tells the core's rate.
func TestSpectralBandReplication(t *testing.T) {
	tr := audioTrack(t)
	tr.Config, tr.TimeScale, tr.SampleRate = unhex(t, aacHE), 44100, 44100
	var s mpegts.Segment
	for i := range int64(5) {
		s.Audio = append(s.Audio, media.Sample{DTS: i * 2048, Duration: 2048, Sync: true, Data: []byte{1, 2, 3}})
	}
	b, _ := program(t, tr).AppendSegment(nil, mpegts.Counters{}, s)
	units := decode(t, b).of(audioPID)
	if len(units) != 3 { // of 46.4 ms: two fit into 100 ms
		t.Fatalf("%d PES packets, want 3", len(units))
	}
	if a := adtsOf(t, units[0].data); len(a) != 2 || a[0].SampleRate != 22050 {
		t.Errorf("%d units at %d Hz, want 2 at 22050", len(a), a[0].SampleRate)
	}
}

// What nobody can write is left out, and nothing else.
func TestWhatDoesNotFit(t *testing.T) {
	audio := sound(0, 3, 100)
	audio[0].Data = make([]byte, 8185) // one more than aac_frame_length can say
	b, _ := program(t, audioTrack(t)).AppendSegment(nil, mpegts.Counters{}, mpegts.Segment{
		Audio: append(audio, audio[0]), Video: []media.Sample{sample(0, 0, true, nal(0x65, 9))},
	})
	units := decode(t, b).of(audioPID)
	if len(units) != 1 || len(adtsOf(t, units[0].data)) != 2 {
		t.Errorf("%d PES packets, want one with the two units that fit", len(units))
	}
	audio[0].Data = make([]byte, 8184)
	b, _ = program(t, audioTrack(t)).AppendSegment(nil, mpegts.Counters{}, mpegts.Segment{Audio: audio[:1]})
	if got := decode(t, b).of(audioPID)[0].data; len(got) != 8191 || got[3]&3 != 3 || got[4] != 0xff || got[5]>>5 != 7 {
		t.Errorf("%d bytes behind the header %x, want 8191 and that in it", len(got), got[:7])
	}
}

// Lengths of NAL units may have one byte, and lie.
func TestLengthSizes(t *testing.T) {
	tr := videoTrack(t)
	tr.Config = bytes.Clone(tr.Config)
	tr.Config[4] = 0xfc // lengths of one byte
	s := media.Sample{Data: []byte{2, 0x41, 7, 0, 1, 0x41, 200, 1, 2}}
	b, _ := program(t, tr).AppendSegment(nil, mpegts.Counters{}, mpegts.Segment{Video: []media.Sample{s}})
	compareUnits(t, nals(t, decode(t, b).of(videoPID)[0].data), [][]byte{{9, 0xf0}, {0x41, 7}, {0x41}})
}

func FuzzAppendSegment(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0x65}, []byte{1, 2}, int64(0), int32(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 9}, []byte{}, int64(1<<33), int32(-1<<31))
	f.Add(make([]byte, 300), make([]byte, 9000), int64(1<<60), int32(1<<30))
	p := program(f, videoTrack(f), audioTrack(f))
	f.Fuzz(func(t *testing.T, video, audio []byte, at int64, cts int32) {
		s := mpegts.Segment{
			Video: []media.Sample{{DTS: at, CTS: cts, Sync: true, Data: video}, {DTS: at, Data: video}},
			Audio: []media.Sample{{DTS: at, Data: audio}, {DTS: at + 1024, Data: audio}, {DTS: at, Data: audio}},
		}
		b, _ := p.AppendSegment(nil, mpegts.Counters{}, s)
		if len(b) != cap(b) {
			t.Fatalf("%d bytes in a buffer of %d", len(b), cap(b))
		}
		if got := len(decode(t, b).of(videoPID)); got != 2 {
			t.Fatalf("%d PES packets of video, want 2", got)
		}
	})
}

// twoSeconds is a segment as 5 Mb/s at 30 fps and 128 kb/s give it.
func twoSeconds(r *rand.Rand) (s mpegts.Segment, payload int64) {
	for i := range int64(60) {
		s.Video = append(s.Video, sample(i*3000, 3000, i == 0, nal(0x41, 19000+r.IntN(4000))))
	}
	s.Audio = sound(0, 94, 341)
	for _, x := range append(append([]media.Sample(nil), s.Video...), s.Audio...) {
		payload += int64(len(x.Data))
	}
	return s, payload
}

func TestAllocations(t *testing.T) {
	s, _ := twoSeconds(newRand(1))
	p := program(t, videoTrack(t), audioTrack(t))
	if n := testing.AllocsPerRun(20, func() { p.AppendSegment(nil, mpegts.Counters{}, s) }); n > 1 {
		t.Errorf("%v allocations into nil, want 1", n)
	}
	dst, _ := p.AppendSegment(nil, mpegts.Counters{}, s)
	if n := testing.AllocsPerRun(20, func() { dst, _ = p.AppendSegment(dst[:0], mpegts.Counters{}, s) }); n != 0 {
		t.Errorf("%v allocations into a buffer that fits, want 0", n)
	}
}

// The speed is that of the payload.
func BenchmarkAppendSegment(b *testing.B) {
	s, payload := twoSeconds(newRand(1))
	p := program(b, videoTrack(b), audioTrack(b))
	samples := float64(len(s.Video) + len(s.Audio))
	b.Run("fresh", func(b *testing.B) {
		b.SetBytes(payload)
		size := 0
		allocs := testing.AllocsPerRun(10, func() {
			out, _ := p.AppendSegment(nil, mpegts.Counters{}, s)
			size = cap(out)
		})
		for b.Loop() {
			p.AppendSegment(nil, mpegts.Counters{}, s)
		}
		b.ReportMetric(allocs/samples, "allocs/sample")
		b.ReportMetric(float64(size)/float64(payload), "B/payloadB")
	})
	b.Run("reused", func(b *testing.B) {
		b.SetBytes(payload)
		dst, _ := p.AppendSegment(nil, mpegts.Counters{}, s)
		for b.Loop() {
			dst, _ = p.AppendSegment(dst[:0], mpegts.Counters{}, s)
		}
	})
}
