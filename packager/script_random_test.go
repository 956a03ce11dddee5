package packager_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// FuzzScripts lets a publisher do anything, in any order: what no script may break
// must hold. Every byte is a choice, so that a failure shrinks to a short script,
// which the test prints.
func FuzzScripts(f *testing.F) {
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 1))
		choices := make([]byte, 12+random.IntN(60))
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 96 { // a minute or two of media
			return // longer than a script that a person would read
		}
		script := invent(choices)
		defer func() {
			if t.Failed() {
				t.Logf("the script:\n%s", strings.Join(script, "\n"))
			}
		}()
		t.Log(perform(t, script))
	})
}

// invent makes a script out of choices.
func invent(choices []byte) []string {
	next := func(n int) int { // one of n
		if len(choices) == 0 {
			return 0
		}
		c := int(choices[0])
		choices = choices[1:]
		return c % n
	}
	pick := func(of ...string) string { return of[next(len(of))] }
	video := func() string {
		return fmt.Sprintf("video h264 %s gop %s %s %s %s", pick("30", "25", "29.97", "60", "59.94", "24", "10", "15", "50"),
			pick("2s", "1s", "250", "45", "3s", "700ms", "12s", "0"), pick("", "reorder 3", "reorder 3 negative", "reorder 3 open 2"),
			pick("", "", "jitter 3", "jitter 12", "slowest 8", "round"), pick("", "unpromised"))
	}
	audio := func() string {
		return pick("audio aac 48000", "audio aac 44100", "audio aac 22050", "audio mp3 48000", "audio aac 16000")
	}
	var script []string
	say := func(lines ...string) { script = append(script, lines...) }
	switch next(6) {
	case 0:
		say(video())
	case 1:
		say(audio())
	case 2:
		say("expect audio", video())
	default:
		say(video(), audio())
	}
	say("for 3s")
	for len(choices) > 0 {
		if a := anything(next, pick, video, audio); a != "" {
			say(strings.Split(a, "\n")...)
		}
		say(fmt.Sprintf("for %dms", []int{100, 700, 2000, 3300, 5000}[next(5)]))
	}
	return script
}

// anything is one thing that publishers do.
func anything(next func(int) int, pick func(...string) string, video, audio func() string) string {
	switch next(14) {
	case 0:
		return "jump " + pick("", "video", "audio") + " " + pick("+1h", "-10s", "+3500ms", "+2s", "-300ms", "+40ms")
	case 1:
		return fmt.Sprintf("drop %d %s", 1+next(60), pick("pictures", "units"))
	case 2:
		return "freeze " + pick("500ms", "2s", "2900ms", "5s")
	case 3:
		return "held " + pick("500ms", "3s")
	case 4, 5:
		return "key"
	case 6:
		return "detach " + pick("lost", "clean") + "\nwait " + pick("0s", "1s", "8s", "70s") + "\nattach"
	case 7:
		return "config " + pick("1280x720", "1920x1080")
	case 8:
		return "gop " + pick("2s", "1s", "8s", "0")
	case 9:
		return "stop " + pick("audio", "video") + "\nfor " + pick("300ms", "2s", "8s", "12s") + "\nstart audio\nstart video"
	case 10:
		return "wall " + pick("+1h", "-1h")
	case 11:
		return video()
	case 12:
		return audio()
	}
	return ""
}
