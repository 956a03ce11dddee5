package ingest_test

import (
	"errors"
	"testing"
	"time"

	"barrage/ingest"
)

// What a connection is woken for follows its rate: ten milliseconds of data at most,
// and the whole of a message that has begun.
func TestLowWater(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, c := range []struct {
		name                        string
		perSecond                   int // bytes
		between, begun, almost, big int
	}{
		{"64 kb/s of sound: every byte", 8_000, 1, 1, 1, 1},
		{"a still picture at 200 kb/s", 25_000, 1, 1, 1, 1},
		{"400 kb/s", 50_000, 500, 3000, 7, 16384},
		{"4 Mb/s", 500_000, 1024, 3000, 7, 16384},
	} {
		got := 1
		w := ingest.NewLowWater(func(n int) error { got = n; return nil })
		await := func(missing, want int) {
			t.Helper()
			if w.Await(missing); got != want {
				t.Errorf("%s, %d bytes missing: woken for %d, want %d", c.name, missing, got, want)
			}
		}
		await(3000, 1) // nothing is known yet
		w.Read(start, 1)
		w.Read(start.Add(time.Second), c.perSecond)
		await(0, c.between)
		await(3000, c.begun)
		await(7, c.almost)
		await(1<<20, c.big)
		w.Reset()
		if got != 1 {
			t.Errorf("%s: after a reset woken for %d bytes, want 1", c.name, got)
		}
		await(3000, 1)
	}
}

// Nothing is set that is set already, and a system that refuses is not asked again.
func TestLowWaterIsSetSeldom(t *testing.T) {
	calls, refuse := 0, false
	w := ingest.NewLowWater(func(int) error {
		calls++
		if refuse {
			return errors.New("no such option")
		}
		return nil
	})
	w.Read(time.Unix(1, 0), 1)
	w.Read(time.Unix(2, 0), 500_000)
	for range 5 {
		w.Await(0)
	}
	if calls != 1 {
		t.Errorf("set %d times, want once", calls)
	}
	refuse = true
	for n := range 5 {
		w.Await(100 + n)
	}
	if calls != 2 {
		t.Errorf("asked %d times, want no more after the first refusal", calls-1)
	}
}

// After much has come a short message that nothing follows is served nevertheless, and
// so is the goodbye.
func TestNothingIsLeftLying(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.Timeouts.Media = 2 * time.Second })
	c := r.publisher(r.key)
	c.video(0, avcHeader)
	c.audio(0, aacHeader)
	r.next("attach live", "track video", "track audio")
	r.advance(2 * time.Second) // no ping is on its way
	turn := time.NewTicker(5 * time.Millisecond)
	defer turn.Stop()
	for at := range uint32(80) { // 400 ms at 3 Mb/s
		c.video(at*5, picture(nalIDR, 0, 2000))
		r.next("sample video")
		<-turn.C
	}
	c.audio(400, aacFrame)
	r.next("sample audio")
	for at := range uint32(80) {
		c.video(400+at*5, picture(nalIDR, 0, 2000))
		r.next("sample video")
		<-turn.C
	}
	c.audio(800, aacFrame)
	successor := r.publisher(r.key)
	r.next("sample audio", "detach live clean=false", "attach live")
	c = successor
	c.command(0, amfText("deleteStream"), amfNumber(5), amfNull, amfNumber(1))
	r.next("detach live clean=true")
}
