package segmenter_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"barrage/packager/media"
	"barrage/packager/segmenter"
)

const frame30 = 3000

func rules(target time.Duration) segmenter.Rules {
	return segmenter.NewRules(500*time.Millisecond, 530*time.Millisecond, 500*time.Millisecond, 2*time.Second, target, 90000)
}

// frames makes n pictures of d ticks, a sync sample every gop.
func frames(n, gop int, d int64) []media.Sample {
	var out []media.Sample
	for i := range n {
		out = append(out, media.Sample{Kind: media.Video, DTS: int64(i) * d, Duration: uint32(d), Sync: i%gop == 0})
	}
	return out
}

func push(l *segmenter.Leader, samples []media.Sample) []segmenter.Cut {
	var cuts []segmenter.Cut
	for _, s := range samples {
		cuts = l.Push(cuts, s)
	}
	return cuts
}

// story writes cuts as text: the frames of each part, I for a part that starts with
// a sync sample, | for the end of a segment, ! for a forced one.
func story(cuts []segmenter.Cut) string {
	var b strings.Builder
	for _, c := range cuts {
		if len(c.Samples) > 0 {
			if c.Samples[0].Sync {
				b.WriteByte('I')
			}
			fmt.Fprintf(&b, "%d ", len(c.Samples))
		}
		if c.Ends && c.Forced {
			b.WriteString("! ")
		} else if c.Ends {
			b.WriteString("| ")
		}
	}
	return strings.TrimSpace(b.String())
}

func TestLeader(t *testing.T) {
	without := func(s []media.Sample, from, to int) []media.Sample { return slices.Delete(slices.Clone(s), from, to) }
	for name, c := range map[string]struct {
		target  time.Duration
		samples []media.Sample
		want    string
	}{
		"two-second GOPs at 30": {2 * time.Second, frames(181, 60, frame30), "I15 15 15 15 | I15 15 15 15 | I15 15 15 15 |"},
		"a GOP of 55 frames":    {2 * time.Second, frames(111, 55, frame30), "I15 15 15 10 | I15 15 15 10 |"},
		"one-second GOPs: the first segment is the first GOP, later ones two": {
			2 * time.Second, frames(151, 30, frame30), "I15 15 | I15 15 I15 15 | I15 15 I15 15 |",
		},
		"GOPs of 1.5 s do not double": {2 * time.Second, frames(136, 45, frame30), "I15 15 15 | I15 15 15 | I15 15 15 |"},
		"GOP of 250 frames": {
			9 * time.Second, frames(501, 250, frame30), strings.Repeat("I15"+strings.Repeat(" 15", 15)+" 10 | ", 2),
		},
		"a GOP beyond the target is cut without a sync sample": {
			2 * time.Second, frames(150, 1000, frame30), "I15 15 15 15 14 ! 15 15 15 15 14 !",
		},
		"and the next sync sample starts a segment": {
			2 * time.Second, frames(121, 90, frame30), "I15 15 15 15 14 ! 15 1 | I15 15",
		},
		"a lost frame inside a part":     {2 * time.Second, without(frames(61, 60, frame30), 5, 6), "I14 15 15 15 |"},
		"a lost frame between two parts": {2 * time.Second, without(frames(61, 60, frame30), 15, 16), "I15 14 15 15 |"},
		"a second is lost":               {2 * time.Second, without(frames(61, 60, frame30), 20, 50), "I15 5 1 9 |"},
		"10 fps":                         {2 * time.Second, frames(21, 20, 9000), "I5 5 5 5 |"},
		"120 fps":                        {2 * time.Second, frames(241, 240, 750), "I60 60 60 60 |"},
		"frames longer than a part":      {2 * time.Second, frames(3, 2, 90000), "I1 1 | I1"},
	} {
		t.Run(name, func(t *testing.T) {
			cuts := push(segmenter.NewLeader(rules(c.target), 0), c.samples)
			if got := story(cuts); got != strings.TrimSpace(c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if name != "frames longer than a part" {
				check(t, cuts, rules(c.target))
			}
		})
	}
}

// check asserts what holds for every run of cuts between two restarts.
func check(t *testing.T, cuts []segmenter.Cut, r segmenter.Rules) {
	t.Helper()
	end, segment := int64(0), int64(0)
	if len(cuts) > 0 {
		end, segment = cuts[0].Start, cuts[0].Start
	}
	for i, c := range cuts {
		if c.Start != end {
			t.Fatalf("cut %d starts at %d, the one before ended at %d", i, c.Start, end)
		}
		at := c.Start
		for _, s := range c.Samples {
			if s.DTS != at || s.Duration == 0 {
				t.Fatalf("cut %d: sample at %d for %d, want it at %d", i, s.DTS, s.Duration, at)
			}
			at += int64(s.Duration)
		}
		if at != c.End {
			t.Fatalf("cut %d ends at %d, its samples at %d", i, c.End, at)
		}
		if len(c.Samples) > 1 && c.End-c.Start > r.PartTarget {
			t.Fatalf("cut %d lasts %d, more than the part target %d", i, c.End-c.Start, r.PartTarget)
		}
		end = c.End
		if c.Ends {
			if d := end - segment; d >= r.Target+r.Half {
				t.Fatalf("segment of %d ticks rounds above the target %d", d, r.Target)
			}
			segment = end
		}
	}
}

// A picture is shown when it should be although its decoding time was moved.
func TestShownWhenSaid(t *testing.T) {
	l := segmenter.NewLeader(rules(2*time.Second), 0)
	in := slices.Delete(frames(121, 60, frame30), 20, 53)
	said, n := map[int64]bool{}, 0
	for _, s := range in {
		said[s.DTS] = true
	}
	for _, c := range push(l, in) {
		for _, s := range c.Samples {
			if n++; !said[s.DTS+int64(s.CTS)] {
				t.Errorf("a picture is shown at %d, where there was none", s.DTS+int64(s.CTS))
			}
		}
	}
	if n < 80 {
		t.Errorf("%d pictures were cut, want nearly %d", n, len(in))
	}
}

func units(n int, from int64) []media.Sample {
	var out []media.Sample
	for i := range n {
		out = append(out, media.Sample{Kind: media.Audio, DTS: from + int64(i)*1024, Duration: 1024, Sync: true})
	}
	return out
}

func audioRules() segmenter.Rules {
	return segmenter.NewRules(500*time.Millisecond, 530*time.Millisecond, 500*time.Millisecond, 2*time.Second, 2*time.Second, 48000)
}

// The audio is cut at the unit nearest to where the video was, with the sample that
// reaches it, whichever of the two comes first.
func TestFollower(t *testing.T) {
	for _, lead := range []int{0, 5, 40} { // units of audio that come before the video
		f := segmenter.NewFollower(audioRules(), 1024, 0)
		var cuts []segmenter.Cut
		all, sent := units(200, 0), 0
		for n := 1; n <= 8; n++ {
			at := int64(n) * 24000
			for sent < len(all) && all[sent].DTS < at-24000+int64(lead)*1024 {
				cuts = f.Push(cuts, all[sent])
				sent++
			}
			cuts = f.Mark(cuts, at, n%4 == 0)
		}
		for ; sent < len(all); sent++ {
			cuts = f.Push(cuts, all[sent])
		}
		if got, want := story(cuts), "I23 I24 I23 I24 | I23 I24 I23 I23 |"; got != want {
			t.Errorf("%d units ahead: got %s, want %s", lead, got, want)
		}
		check(t, cuts, audioRules())
		for i, c := range cuts {
			if off := c.End - int64(i+1)*24000; off < -512 || off > 512 {
				t.Errorf("cut %d ends %d ticks from the video's", i, off)
			}
		}
	}
}

func TestFollowerEnds(t *testing.T) {
	f := segmenter.NewFollower(audioRules(), 1024, 0)
	var cuts []segmenter.Cut
	for _, s := range units(100, 480) { // starts a little after the video
		cuts = f.Push(cuts, s)
	}
	cuts = f.Mark(cuts, 24000, false)
	cuts = f.Mark(cuts, 24000, true) // the segment ends where the part did
	cuts = f.Mark(cuts, 30000, false)
	cuts = f.Flush(cuts, 36000)
	// The mark at 30000 would make a part of a quarter, which only the last may be.
	if got, want := story(cuts), "I23 | I12 |"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	check(t, cuts, audioRules())
	if cuts[0].Start != 480 {
		t.Errorf("starts at %d, want 480: where the audio does", cuts[0].Start)
	}
	f.Restart(audioRules(), 1024, 96000)
	cuts = f.Push(nil, units(1, 96100)[0])
	if cuts = f.Flush(cuts, 200000); story(cuts) != "I1 |" || cuts[0].Start != 96100 {
		t.Errorf("after a restart: %s at %d", story(cuts), cuts[0].Start)
	}
	if cuts = f.Flush(nil, 300000); len(cuts) != 0 {
		t.Errorf("an empty follower flushes %s", story(cuts))
	}
}

// A second of audio is lost: parts go on, each with something in it.
func TestFollowerHole(t *testing.T) {
	f := segmenter.NewFollower(audioRules(), 1024, 0)
	var cuts []segmenter.Cut
	all := slices.Delete(units(200, 0), 30, 80)
	for i, n := 0, 1; n <= 8; n++ {
		cuts = f.Mark(cuts, int64(n)*24000, n%4 == 0)
		for ; i < len(all) && all[i].DTS < int64(n)*24000; i++ {
			cuts = f.Push(cuts, all[i])
		}
	}
	check(t, cuts, audioRules())
	if end := cuts[len(cuts)-1].End; end < 7*24000 {
		t.Errorf("the audio ends at %d, want it to have caught up with the video", end)
	}
}

// Whatever the leader's cuts are that are allowed, and however long the units, no part
// but the last of a segment lasts less than 85 % of the target.
func TestFollowerParts(t *testing.T) {
	const scale = 48000
	for name, c := range map[string]struct {
		unit, late, part int64 // ticks
	}{
		"AAC at 22.05 kHz":                {2229, 0, 24000},
		"the leader's are short":          {1024, 0, 21700},
		"and units long":                  {2229, 0, 21700},
		"longer than 15 % of a part":      {6144, 0, 24000},
		"the same, and short":             {6144, 0, 21700},
		"audio begins a little later":     {2229, 9000, 24000},
		"audio begins almost a part late": {1024, 23000, 24000},
	} {
		t.Run(name, func(t *testing.T) {
			longest := time.Duration((24000+c.unit-1)/c.unit*c.unit) * time.Second / scale
			target := max(530*time.Millisecond, longest.Truncate(time.Millisecond)+time.Millisecond)
			r := segmenter.NewRules(500*time.Millisecond, target, 500*time.Millisecond, 2*time.Second, 2*time.Second, scale)
			f := segmenter.NewFollower(r, c.unit, 0)
			var cuts []segmenter.Cut
			at := c.late
			for n := int64(1); n <= 40; n++ {
				for ; at < n*c.part; at += c.unit {
					cuts = f.Push(cuts, media.Sample{Kind: media.Audio, DTS: at, Duration: uint32(c.unit), Sync: true})
				}
				cuts = f.Mark(cuts, n*c.part, false)
				if n%4 == 0 {
					cuts = f.Mark(cuts, n*c.part, true)
				}
			}
			cuts = f.Flush(cuts, 40*c.part)
			check(t, cuts, r)
			for i, cut := range cuts {
				last := cut.Ends || i+1 < len(cuts) && len(cuts[i+1].Samples) == 0
				if d := cut.End - cut.Start; len(cut.Samples) > 0 && !last && d < r.PartLeast {
					t.Errorf("part %d lasts %d ticks, at least %d: %s", i, d, r.PartLeast, story(cuts))
				}
			}
		})
	}
}

func TestFlush(t *testing.T) {
	l := segmenter.NewLeader(rules(2*time.Second), 0)
	if cuts := l.Flush(nil); len(cuts) != 0 {
		t.Errorf("an empty leader flushes %s", story(cuts))
	}
	push(l, frames(20, 60, frame30))
	if got := story(l.Flush(nil)); got != "5 |" {
		t.Errorf("Flush = %s, want a part and the end of its segment", got)
	}
	if got := story(l.Flush(nil)); got != "" {
		t.Errorf("Flush again = %s, want nothing", got)
	}
}

func FuzzLeader(f *testing.F) {
	f.Add([]byte{33, 33, 33, 34, 161, 33, 2, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		r := rules(2 * time.Second)
		l := segmenter.NewLeader(r, 0)
		var cuts []segmenter.Cut
		at := int64(0)
		for i, b := range script {
			cuts = l.Push(cuts, media.Sample{Kind: media.Video, DTS: at, Duration: frame30, Sync: i == 0 || b&0x80 != 0})
			at += int64(b&0x7f) * 90 * int64(1+b%3)
		}
		check(t, l.Flush(cuts), r)
	})
}
