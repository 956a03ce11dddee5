package timeline_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"barrage/packager/media"
	"barrage/packager/timeline"
)

func video(fps float64) media.Track {
	return media.Track{Kind: media.Video, Codec: media.H264, TimeScale: 1000, FrameRate: fps}
}

func audio(rate uint32) media.Track {
	return media.Track{Kind: media.Audio, Codec: media.AAC, TimeScale: 1000, SampleRate: rate, Channels: 2}
}

func frame(ms int64, sync bool) media.Sample {
	return media.Sample{Kind: media.Video, DTS: ms, Sync: sync}
}

func leading(ms int64) media.Sample {
	return media.Sample{Kind: media.Video, DTS: ms, Leading: true}
}

func unit(ms int64) media.Sample { return media.Sample{Kind: media.Audio, DTS: ms} }

// millis returns when frame n of a rate is said to be, as encoders do it.
func millis(n int, r timeline.Rate, round bool) int64 {
	x := float64(n) * 1000 * float64(r.Den) / float64(r.Num)
	if round {
		return int64(math.Round(x))
	}
	return int64(x)
}

// Milliseconds become exact frame times, for every rate that encoders offer, with
// and without a promise, truncated or rounded.
func TestVideoGrid(t *testing.T) {
	for _, r := range []timeline.Rate{{30, 1}, {60, 1}, {25, 1}, {24, 1}, {50, 1}, {30000, 1001}, {60000, 1001}, {24000, 1001}, {15, 1}, {10, 1}, {120, 1}} {
		for _, round := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/%d round=%v", r.Num, r.Den, round), func(t *testing.T) {
				var times []int64
				for n := range 300 {
					times = append(times, millis(n, r, round))
				}
				got, ok := timeline.Detect(times, 1000, timeline.Rate{})
				if !ok || got != r {
					t.Fatalf("Detect = %v %v, want %v", got, ok, r)
				}
				line := timeline.New([]media.Track{video(0)}, got)
				for n, ms := range times {
					s, verdict := line.Place(frame(ms, n == 0), 0)
					if want := int64(n) * 90000 * r.Den / r.Num; s.DTS != want || verdict > timeline.Anchor {
						t.Fatalf("frame %d at %d ms: DTS %d verdict %d, want %d", n, ms, s.DTS, verdict, want)
					}
				}
			})
		}
	}
}

func TestDetect(t *testing.T) {
	at := func(ms ...int64) []int64 { return ms }
	for name, c := range map[string]struct {
		times   []int64
		promise float64
		want    timeline.Rate
		ok      bool
	}{
		"too few, promised":       {at(0, 33), 30, timeline.Rate{Num: 30, Den: 1}, true},
		"too few, nothing":        {at(0, 33), 0, timeline.Rate{}, false},
		"promise decides":         {at(0, 33, 66, 100, 133, 166, 200), 29.97, timeline.Rate{Num: 30000, Den: 1001}, true},
		"whole rate wins a tie":   {at(0, 33, 66, 100, 133, 166, 200), 0, timeline.Rate{Num: 30, Den: 1}, true},
		"promise is wrong":        {at(0, 40, 80, 120, 160, 200, 240), 30, timeline.Rate{Num: 25, Den: 1}, true},
		"a frame is missing":      {at(0, 33, 66, 133, 166, 200, 233), 0, timeline.Rate{Num: 30, Den: 1}, true},
		"odd but steady":          {at(0, 37, 74, 111, 148, 185, 222), 0, timeline.Rate{Num: 27, Den: 1}, true},
		"variable":                {at(0, 10, 55, 61, 120, 180, 190), 0, timeline.Rate{}, false},
		"all at once":             {at(5, 5, 5, 5, 5, 5, 5), 0, timeline.Rate{}, false},
		"two frames on one place": {at(0, 33, 33, 66, 100, 133, 166), 0, timeline.Rate{}, false},
	} {
		got, ok := timeline.Detect(c.times, 1000, timeline.Promise(c.promise))
		if name == "odd but steady" {
			ok = ok && math.Abs(got.Float()-27) < 0.1
			got = timeline.Rate{Num: 27, Den: 1}
		}
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: Detect(%v) = %v %v, want %v %v", name, c.times, got, ok, c.want, c.ok)
		}
	}
}

func TestPromise(t *testing.T) {
	for fps, want := range map[float64]timeline.Rate{
		30: {Num: 30, Den: 1}, 29.97: {Num: 30000, Den: 1001}, 23.976023976: {Num: 24000, Den: 1001}, 17.5: {Num: 17500, Den: 1000},
		0: {}, -1: {}, 1e9: {}, math.Inf(1): {},
	} {
		if got := timeline.Promise(fps); got != want {
			t.Errorf("Promise(%v) = %v, want %v", fps, got, want)
		}
	}
}

// An hour of audio is counted, not rounded: never a tick off, whatever the rate.
func TestAudioIsCounted(t *testing.T) {
	for _, rate := range []uint32{48000, 44100} {
		line := timeline.New([]media.Track{audio(rate)}, timeline.Rate{})
		for n := range 3600 * int(rate) / 1024 {
			s, verdict := line.Place(unit(int64(n)*1024*1000/int64(rate)), 0)
			if s.DTS != int64(n)*1024 || s.Duration != 1024 || !s.Sync || verdict > timeline.Anchor {
				t.Fatalf("%d Hz unit %d: %+v verdict %d", rate, n, s, verdict)
			}
		}
	}
}

func TestAudioUnit(t *testing.T) {
	for config, want := range map[string]int64{"1190": 1024, "1194": 960, "": 1024, "2b0a0800": 2048} {
		b, err := hex.DecodeString(config)
		if err != nil {
			t.Fatal(err)
		}
		tr := audio(48000)
		tr.Config = b
		if got := timeline.AudioUnit(tr); got != want {
			t.Errorf("AudioUnit(%s) = %d, want %d", config, got, want)
		}
	}
	for rate, want := range map[uint32]int64{48000: 1152, 44100: 1152, 32000: 1152, 24000: 576, 22050: 576, 8000: 576} {
		tr := audio(rate)
		tr.Codec = media.MP3
		if got := timeline.AudioUnit(tr); got != want {
			t.Errorf("AudioUnit(MP3 at %d Hz) = %d, want %d", rate, got, want)
		}
	}
	he := audio(44100)
	he.Config = []byte{0x2b, 0x8a, 0x08, 0x00} // 22.05 kHz core, doubled
	if got := timeline.AudioUnit(he); got != 2048 {
		t.Errorf("AudioUnit(HE-AAC) = %d, want 2048", got)
	}
}

// Pictures are shown when they should be, and audio starts with the first of them.
func TestReorderedFrames(t *testing.T) {
	line := timeline.New([]media.Track{video(30), audio(48000)}, timeline.Rate{})
	for _, c := range []struct {
		dts   int64
		cts   int32
		shown int64 // in frames
	}{ // decoded I P B B P, shown two frames later: I B B P
		{1000, 67, 2}, {1033, 133, 5}, {1067, 0, 2}, {1100, 33, 4}, {1133, 133, 8},
	} {
		s, _ := line.Place(media.Sample{Kind: media.Video, DTS: c.dts, CTS: c.cts, Sync: c.dts == 1000}, 0)
		if got := s.DTS + int64(s.CTS); got != c.shown*3000 || s.CTS < 0 {
			t.Errorf("at %d+%d ms: shown at tick %d, want %d", c.dts, c.cts, got, c.shown*3000)
		}
		if want := (c.dts - 1000 + 15) / 33 * 3000; s.DTS != want {
			t.Errorf("at %d ms: decoded at tick %d, want %d", c.dts, s.DTS, want)
		}
	}
	if got := line.Ahead().Round(time.Microsecond); got != 66667*time.Microsecond {
		t.Errorf("Ahead = %v, want two frames", got)
	}
	if _, verdict := line.Place(unit(1060), 0); verdict != timeline.DropEarly {
		t.Errorf("audio before the first picture: verdict %d", verdict)
	}
	if s, verdict := line.Place(unit(1081), 0); verdict != timeline.Keep || s.DTS != 81*48 {
		t.Errorf("audio after the first picture: verdict %d at %d, want it at %d", verdict, s.DTS, 81*48)
	}
}

// step is a line of a script: what comes and what becomes of it.
type step struct {
	in      media.Sample
	verdict timeline.Verdict
	dts     int64 // when kept
}

// OBS sends the sound that belongs to the first picture with the same milliseconds.
// They were cut off, and the picture's were put on the grid.
func TestSoundOfTheFirstPicture(t *testing.T) {
	for sound, want := range map[int64]int64{66: 3200, 65: 3200, 67: 3216} {
		line := timeline.New([]media.Track{video(30), audio(48000)}, timeline.Rate{Num: 30, Den: 1})
		first := frame(0, true)
		first.CTS = 66 // 66.7: two frames
		line.Place(first, 0)
		s, verdict := line.Place(unit(sound), 0)
		if verdict != timeline.Keep || s.DTS != want {
			t.Errorf("sound at %d ms: tick %d, verdict %d, want tick %d", sound, s.DTS, verdict, want)
		}
		if s, _ = line.Place(unit(sound+21), 0); s.DTS != want+1024 {
			t.Errorf("the sound behind it: tick %d, want %d", s.DTS, want+1024)
		}
	}
}

func kept(in media.Sample, dts int64) step { return step{in, timeline.Keep, dts} }

func TestScripts(t *testing.T) {
	for name, steps := range map[string][]step{
		"video starts at a sync sample, audio with it": {
			{unit(0), timeline.DropEarly, 0},
			{frame(0, false), timeline.DropEarly, 0},
			{unit(21), timeline.DropEarly, 0},
			{frame(33, true), timeline.Anchor, 0},
			{unit(30), timeline.DropEarly, 0},
			kept(unit(43), 480), kept(unit(64), 1504), kept(frame(66, false), 3000),
		},
		"leading pictures of the first sync sample are not decodable, of later ones they are": {
			{frame(0, true), timeline.Anchor, 0},
			{leading(33), timeline.DropEarly, 0},
			{leading(67), timeline.DropEarly, 0},
			kept(frame(100, false), 9000), kept(frame(133, true), 12000), kept(leading(167), 15000),
			{frame(9_000_000, true), timeline.Anchor, 900_000},
			{leading(9_000_033), timeline.DropEarly, 0},
			kept(frame(9_000_067, false), 906_000),
		},
		"a small step back is clamped": {
			{frame(0, true), timeline.Anchor, 0},
			kept(frame(33, false), 3000), kept(frame(67, false), 6000),
			kept(frame(20, false), 6001), kept(frame(133, false), 11970), kept(frame(167, false), 14970),
		},
		"equal times rise": {
			{frame(0, true), timeline.Anchor, 0}, kept(frame(0, false), 1), kept(frame(0, false), 2),
		},
		"lost frames leave their place": {
			{frame(0, true), timeline.Anchor, 0}, kept(frame(33, false), 3000), kept(frame(133, false), 12000), kept(frame(167, false), 15000),
		},
		"a jump of an hour waits for the next sync sample, and takes the audio along": {
			{frame(0, true), timeline.Anchor, 0},
			kept(unit(0), 0), kept(frame(33, false), 3000), kept(unit(21), 1024),
			{frame(3_600_000, false), timeline.DropEarly, 0},
			{unit(43), timeline.DropEarly, 0},
			{frame(3_600_033, true), timeline.Anchor, 900_000},
			{unit(64), timeline.DropStray, 0},
			kept(unit(3_600_033), 480_000), kept(frame(3_600_067, false), 903_000),
		},
		"a jump back of ten seconds": {
			{frame(20_000, true), timeline.Anchor, 0},
			kept(frame(20_033, false), 3000),
			{frame(10_000, true), timeline.Anchor, 900_000},
			kept(frame(10_033, false), 903_000), kept(unit(10_021), 481_008),
		},
		"audio lost and audio too much": {
			{frame(0, true), timeline.Anchor, 0},
			kept(unit(0), 0), kept(unit(21), 1024), kept(unit(242), 11616), kept(unit(264), 12640),
			{unit(170), timeline.DropExcess, 0},
			kept(unit(285), 13664),
		},
	} {
		t.Run(name, func(t *testing.T) {
			line := timeline.New([]media.Track{video(30), audio(48000)}, timeline.Rate{})
			for i, st := range steps {
				end := time.Duration(0)
				if i > 0 {
					end = 10 * time.Second
				}
				got, verdict := line.Place(st.in, end*time.Duration(min(1, anchors(steps[:i]))))
				if verdict != st.verdict {
					t.Fatalf("step %d, %s at %d: verdict %d, want %d", i, st.in.Kind, st.in.DTS, verdict, st.verdict)
				}
				if verdict <= timeline.Anchor && got.DTS != st.dts {
					t.Fatalf("step %d, %s at %d: DTS %d, want %d", i, st.in.Kind, st.in.DTS, got.DTS, st.dts)
				}
			}
		})
	}
}

func anchors(steps []step) (n int) {
	for _, st := range steps {
		if st.verdict == timeline.Anchor {
			n++
		}
	}
	return n
}

// Audio three hours ahead of the video for ever is a clock of its own: it is laid
// beside the video after a second.
func TestAudioOnAnotherClock(t *testing.T) {
	line := timeline.New([]media.Track{video(30), audio(48000)}, timeline.Rate{})
	first := int64(-1)
	for n := range 90 {
		line.Place(frame(int64(n)*1000/30, n == 0), 0)
		if s, verdict := line.Place(unit(10_800_000+int64(n)*1000/30), 0); verdict == timeline.Keep && first < 0 {
			first = s.DTS
		}
	}
	if first < 48000 || first > 50000 {
		t.Errorf("audio starts at tick %d, want one second (48000) after the video", first)
	}
}

func TestVariableRate(t *testing.T) {
	line := timeline.New([]media.Track{video(30)}, timeline.Rate{})
	rnd := rand.New(rand.NewPCG(1, 2))
	ms, prev := int64(0), int64(-1)
	for n := range 500 {
		s, _ := line.Place(frame(ms, n == 0), 0)
		if s.DTS <= prev {
			t.Fatalf("frame %d: DTS %d after %d", n, s.DTS, prev)
		}
		if off := s.DTS - ms*90; off < -200 || off > 200 {
			t.Fatalf("frame %d at %d ms: DTS %d is %d ticks off", n, ms, s.DTS, off)
		}
		if s.Duration == 0 {
			t.Fatalf("frame %d has no duration", n)
		}
		prev = s.DTS
		ms += 5 + rnd.Int64N(70)
	}
	if r := line.Rate(); r.Known() {
		t.Errorf("Rate = %v, want unknown", r)
	}
}

// A promise that is wrong is found out, and the true grid taken up.
func TestWrongPromise(t *testing.T) {
	line := timeline.New([]media.Track{video(25)}, timeline.Rate{})
	for n := range 300 {
		line.Place(frame(millis(n, timeline.Rate{Num: 30, Den: 1}, false), n == 0), 0)
	}
	if got := line.Rate(); got != (timeline.Rate{Num: 30, Den: 1}) {
		t.Errorf("Rate = %v, want 30", got)
	}
}

func TestTicks(t *testing.T) {
	for _, scale := range []uint32{90000, 48000, 44100, 22050} {
		for _, n := range []int64{0, 1, 1023, 44100, 1 << 40} {
			if got := timeline.Ticks(timeline.Duration(n, scale), scale); got != n {
				t.Errorf("%d ticks of %d come back as %d", n, scale, got)
			}
		}
	}
}

// Whatever a publisher says, times rise between two anchors and start where they should.
func FuzzPlace(f *testing.F) {
	f.Add([]byte{0x80, 1, 0x40, 1, 0x01, 33, 0x41, 21, 0x81, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		line := timeline.New([]media.Track{video(30), audio(48000)}, timeline.Rate{})
		last, now, end := map[media.Kind]int64{}, map[media.Kind]int64{}, time.Duration(0)
		for i := 0; i+1 < len(script); i += 2 {
			kind := media.Video
			if script[i]&0x40 != 0 {
				kind = media.Audio
			}
			step := int64(int8(script[i+1]))
			if script[i]&0x20 != 0 {
				step *= 1000
			}
			now[kind] += step
			s, verdict := line.Place(media.Sample{Kind: kind, Sync: script[i]&0x80 != 0, DTS: now[kind], CTS: int32(script[i] & 0x1f)}, end)
			if verdict > timeline.Anchor {
				continue
			}
			if verdict == timeline.Anchor {
				clear(last)
			}
			if prev, ok := last[kind]; ok && s.DTS <= prev {
				t.Fatalf("%s: DTS %d after %d", kind, s.DTS, prev)
			}
			if s.DTS < 0 || s.Duration == 0 {
				t.Fatalf("%s: DTS %d duration %d", kind, s.DTS, s.Duration)
			}
			last[kind] = s.DTS
			if kind == media.Video {
				end = max(end, timeline.Duration(s.DTS+int64(s.Duration), timeline.VideoScale))
			}
		}
	})
}
