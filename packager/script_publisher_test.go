package packager_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"barrage/packager/media"
)

// avc720 is the avcC of x264 for 1280x720.
const avc720 = "0164001fffe1001a6764001facd9405005bb0110000003001000000303c0f183196001000668ebe3cb22c0fdf8f800"

// actor plays the publisher of a script: it turns lines into calls of the stream, in
// the order and with the milliseconds of an encoder behind RTMP. Everything in it is
// deterministic: two runs of a script make the same samples at the same moments.
type actor struct {
	*room
	look    func() // called whenever something may have changed
	stepped *atomic.Int64

	clock    time.Duration // of the encoder, since it connected
	instant  bool          // what was held up on the way comes at once
	attached bool
	video    pictures
	sound    sounds
	random   *rand.Rand
	sent     map[media.Kind]int
	weight   map[media.Kind]int // bytes of a sample, which is valid media then; 0: what the witness reads
}

// pictures are the video track of an encoder.
type pictures struct {
	track   media.Track
	on      bool
	num     int64 // num pictures in den seconds
	den     int64
	slowest float64 // of a rate that varies between this and num/den
	gop     int     // pictures; 0 = no sync sample but the first
	reorder int     // pictures between decoding and showing
	minus   bool    // composition offsets without the delay: some are negative
	open    int     // leading pictures behind a sync sample
	jitter  int64   // ± milliseconds
	round   bool    // times are rounded to milliseconds, not cut
	began   time.Duration
	n, key  int // pictures since it began; since the sync sample
	drop    int
	next    time.Duration // of a rate that varies
	offset  int64         // milliseconds that all times are off
}

func (v *pictures) due() time.Duration {
	if v.slowest > 0 {
		return v.next
	}
	return v.began + time.Duration(int64(v.n)*v.den*int64(time.Second)/v.num)
}

// sounds are the audio track of an encoder.
type sounds struct {
	track  media.Track
	on     bool
	began  time.Duration
	n      int
	unit   int
	drop   int
	offset int64
}

func (a *sounds) due() time.Duration {
	return a.began + time.Duration(a.n*a.unit)*time.Second/time.Duration(a.track.SampleRate)
}

func newActor(r *room, look func(), stepped *atomic.Int64) *actor {
	return &actor{room: r, look: look, stepped: stepped, random: rand.New(rand.NewPCG(1, 2)), sent: map[media.Kind]int{}}
}

// machine returns what time.Now returns on a machine that began at began and whose
// wall clock was set by step since: the monotonic reading that time.Time carries
// beside the wall clock, and that the clock of a synctest bubble lacks, goes on
// unmoved. Nothing in package time makes such a value, so it is laid out here as it
// is since Go 1.9: a flag, 33 bits of seconds since 1885 and 30 bits of nanoseconds
// in one word, the monotonic nanoseconds in the next.
func machine(began time.Time, step time.Duration) time.Time {
	now := time.Now()
	said := now.Add(step)
	t := said
	since1885 := said.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	*(*[2]uint64)(unsafe.Pointer(&t)) = [2]uint64{1<<63 | uint64(since1885)<<30 | uint64(said.Nanosecond()), uint64(now.Sub(began) + 1)}
	if !t.Round(0).Equal(said) || !strings.Contains(t.String(), " m=+") {
		panic("time.Time is not laid out as this helper believes")
	}
	return t
}

var errScript = errors.New("no such thing in a script")

// do follows one line of a script.
func (a *actor) do(line string) error {
	words := strings.Fields(line)
	verbs := map[string]func([]string) error{
		"attach": a.begin, "detach": a.end, "expect": a.expect, "video": a.setVideo, "audio": a.setAudio, "config": a.config,
		"for": a.runFor, "wait": a.wait, "held": a.held, "freeze": a.freeze, "jump": a.jump, "drop": a.drop, "wall": a.wall,
		"stop": func(w []string) error { return a.turn(w, false) }, "start": func(w []string) error { return a.turn(w, true) },
		"gop": a.setGOP, "key": func([]string) error { a.video.key = 0; return nil },
	}
	do, ok := verbs[words[0]]
	if !ok {
		return fmt.Errorf("%w: %q", errScript, line)
	}
	if err := do(words[1:]); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	a.look()
	return nil
}

func (a *actor) begin([]string) error {
	s, err := a.reg.Attach("live")
	if err != nil {
		return err
	}
	a.stream, a.attached, a.clock = s, true, 0
	for _, k := range []media.Kind{media.Video, media.Audio} { // encoders announce what they have, and count from zero
		if k == media.Video && a.video.on {
			a.video.began, a.video.n, a.video.key, a.video.next, a.video.offset = 0, 0, 0, 0, 0
			err = errors.Join(err, s.SetTrack(a.video.track))
		}
		if k == media.Audio && a.sound.on {
			a.sound.began, a.sound.n, a.sound.offset = 0, 0, 0
			err = errors.Join(err, s.SetTrack(a.sound.track))
		}
	}
	return err
}

func (a *actor) end(words []string) error {
	a.stream.Detach(words[0] == "clean")
	a.attached = false
	return nil
}

func kindOf(word string) media.Kind {
	if word == "video" {
		return media.Video
	}
	return media.Audio
}

func (a *actor) expect(words []string) error {
	a.stream.Expect(kindOf(words[0]))
	return nil
}

// setVideo: video CODEC RATE [gop 2s|60|none] [reorder N] [negative] [open N] [jitter N] [round] [slowest RATE] [unpromised].
func (a *actor) setVideo(words []string) error {
	v := pictures{track: videoTrack(a.t), on: true, began: a.clock, next: a.clock}
	if words[0] == "hevc" {
		v.track = hevcTrack(a.t)
	}
	rate, err := strconv.ParseFloat(words[1], 64)
	if err != nil {
		return err
	}
	v.num, v.den = int64(math.Round(rate)), 1
	if math.Abs(rate-math.Round(rate)) > 0.01 {
		v.num, v.den = int64(math.Round(rate))*1000, 1001
	}
	v.track.FrameRate = float64(v.num) / float64(v.den)
	for i := 2; i < len(words); i++ {
		n, value := 0, ""
		if i+1 < len(words) {
			value = words[i+1]
			n, _ = strconv.Atoi(value)
		}
		switch words[i] {
		case "gop":
			v.gop = v.pictures(value)
		case "reorder":
			v.reorder = n
		case "negative":
			v.minus = true
		case "open":
			v.open = n
		case "jitter":
			v.jitter = int64(n)
		case "round":
			v.round = true
		case "slowest":
			v.slowest = float64(n)
		case "unpromised":
			v.track.FrameRate = 0
		}
	}
	a.video = v
	return a.stream.SetTrack(v.track)
}

func (v *pictures) pictures(s string) int {
	if d, err := time.ParseDuration(s); err == nil {
		return int(math.Round(d.Seconds() * float64(v.num) / float64(v.den)))
	}
	n, _ := strconv.Atoi(s)
	return n
}

func (a *actor) setGOP(words []string) error {
	if a.video.num > 0 {
		a.video.gop = a.video.pictures(words[0])
	}
	return nil
}

// setAudio: audio CODEC RATE.
func (a *actor) setAudio(words []string) error {
	s := sounds{track: audioTrack(a.t), on: true, began: a.clock, unit: 1024}
	if words[0] == "mp3" {
		s.track, s.unit = mp3Track(a.t), 1152
	}
	rate, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	s.track.SampleRate = uint32(rate)
	if words[0] == "aac" {
		index := map[int]byte{48000: 3, 44100: 4, 32000: 5, 24000: 6, 22050: 7, 16000: 8}[rate]
		s.track.Config = []byte{2<<3 | index>>1, index<<7 | 2<<3} // AAC-LC, stereo (14496-3, 1.6.2.1)
	}
	a.sound = s
	return a.stream.SetTrack(s.track)
}

// config: config WIDTHxHEIGHT: the encoder sends another sequence header, or the same again.
func (a *actor) config(words []string) error {
	w, h, _ := strings.Cut(words[0], "x")
	t := videoTrack(a.t)
	t.FrameRate = a.video.track.FrameRate
	t.Width, _ = strconv.Atoi(w)
	t.Height, _ = strconv.Atoi(h)
	if t.Width == 1280 {
		t.Config = config(a.t, avc720)
	}
	a.video.track = t
	return a.stream.SetTrack(t)
}

func (a *actor) turn(words []string, on bool) error {
	if words[0] == "video" && a.video.num > 0 {
		a.video.on, a.video.began, a.video.n, a.video.next, a.video.key = on, a.clock, 0, a.clock, 0
	} else if words[0] == "audio" && a.sound.unit > 0 {
		a.sound.on, a.sound.began, a.sound.n = on, a.clock, 0
	}
	return nil
}

func (a *actor) drop(words []string) error {
	n, err := strconv.Atoi(words[0])
	if words[1] == "units" {
		a.sound.drop = n
	} else {
		a.video.drop = n
	}
	return err
}

// jump: jump [video|audio] +1h: the times are other ones from now on.
func (a *actor) jump(words []string) error {
	d, err := time.ParseDuration(words[len(words)-1])
	if words[0] != "audio" {
		a.video.offset += d.Milliseconds()
	}
	if words[0] != "video" {
		a.sound.offset += d.Milliseconds()
	}
	return err
}

// wall: the wall clock of the machine is set.
func (a *actor) wall(words []string) error {
	d, err := time.ParseDuration(words[0])
	a.stepped.Add(int64(d))
	return err
}

func (a *actor) wait(words []string) error {
	d, err := time.ParseDuration(words[0])
	for until := time.Now().Add(d); time.Now().Before(until); a.look() {
		select {
		case <-a.reg.Changed():
		case <-time.After(time.Until(until)):
		}
	}
	return err
}

// freeze: the encoder stands still, and its clock goes on.
func (a *actor) freeze(words []string) error {
	d, err := time.ParseDuration(words[0])
	a.clock += d
	a.video.began += d
	a.video.next += d
	a.sound.began += d
	return errors.Join(err, a.wait(words))
}

// held: the network holds everything up for a while, and then delivers it at once.
func (a *actor) held(words []string) error {
	err := a.wait(words)
	a.instant = true
	err = errors.Join(err, a.runFor(words))
	a.instant = false
	return err
}

func (a *actor) runFor(words []string) error {
	d, err := time.ParseDuration(words[0])
	if err != nil {
		return err
	}
	for until := a.clock + d; ; a.look() {
		next, kind := until, media.Kind(0)
		if a.video.on && a.video.due() < next {
			next, kind = a.video.due(), media.Video
		}
		if a.sound.on && a.sound.due() < next {
			next, kind = a.sound.due(), media.Audio
		}
		if !a.instant && next > a.clock {
			<-time.After(next - a.clock)
		}
		a.clock = max(a.clock, next)
		switch kind {
		case media.Video:
			err = a.picture()
		case media.Audio:
			err = a.unit()
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (a *actor) picture() error {
	v := &a.video
	s := media.Sample{Kind: media.Video, Sync: v.key == 0, Leading: v.n > v.key && v.key > 0 && v.key <= v.open}
	at := v.due()
	frame := time.Duration(v.den * int64(time.Second) / v.num)
	s.DTS = v.millis(at) + v.offset
	shift := v.order()
	s.CTS = int32(v.millis(at+time.Duration(shift)*frame) - v.millis(at))
	if v.jitter > 0 {
		s.DTS += a.random.Int64N(2*v.jitter+1) - v.jitter
	}
	v.n++
	v.key++
	if v.gop > 0 && v.key >= v.gop {
		v.key = 0
	}
	if v.slowest > 0 {
		fastest := float64(v.num) / float64(v.den)
		v.next += time.Duration(float64(time.Second) / (v.slowest + a.random.Float64()*(fastest-v.slowest)))
	}
	first := v.n-1 < v.open+1 && s.CTS == 0 && v.open > 0 // nothing leads to the very first sync sample
	if v.drop > 0 || first {
		v.drop = max(0, v.drop-1)
		return nil
	}
	return a.write(s)
}

// order returns how many pictures later than decoded this one is shown: the pattern
// is I P b b P b b, each P being decoded before the b in front of it.
func (v *pictures) order() int {
	if v.reorder == 0 {
		return 0
	}
	shift := 1 + v.open
	if v.key > 0 {
		shift = 0
		if v.key > v.open && (v.key-v.open)%3 == 1 {
			shift = 3
		}
	}
	if v.minus {
		shift--
	}
	return shift
}

func (v *pictures) millis(at time.Duration) int64 {
	if v.round {
		at += time.Millisecond / 2
	}
	return int64(at / time.Millisecond)
}

func (a *actor) unit() error {
	u := &a.sound
	s := media.Sample{Kind: media.Audio, Sync: true, DTS: int64(u.due()/time.Millisecond) + u.offset}
	u.n++
	if u.drop > 0 {
		u.drop--
		return nil
	}
	return a.write(s)
}

// write hands on a sample that says in its bytes which it is and when it is shown.
func (a *actor) write(s media.Sample) error {
	a.sent[s.Kind]++
	if n := a.weight[s.Kind]; n > 0 {
		s.Data = a.valid(s, n)
		return a.stream.WriteSample(s)
	}
	s.Data = binary.BigEndian.AppendUint32(nil, uint32(a.sent[s.Kind]))
	s.Data = binary.BigEndian.AppendUint64(s.Data, uint64(s.DTS+int64(s.CTS)))
	return a.stream.WriteSample(s)
}

// valid makes a sample of n bytes: a picture is one NAL unit behind its length, a slice.
func (a *actor) valid(s media.Sample, n int) []byte {
	data := bytes.Repeat([]byte{0xab}, n)
	binary.BigEndian.PutUint32(data[n-4:], uint32(a.sent[s.Kind]))
	if s.Kind == media.Video {
		binary.BigEndian.PutUint32(data, uint32(n-4))
		data[4] = 0x41
		if s.Sync {
			data[4] = 0x65
		}
	}
	return data
}
