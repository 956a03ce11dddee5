package ingest_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"barrage/ingest"
)

func TestTakeover(t *testing.T) {
	r := start(t, nil)
	first := r.publisher(r.key)
	r.next("attach live")
	second := r.publisher(r.key)
	r.next("detach live clean=false", "attach live")
	first.rest()
	second.audio(0, aacHeader)
	r.next("track audio")
	if got := r.metric("takeovers_total", ""); got != 1 {
		t.Errorf("%v takeovers, want 1", got)
	}
	if got := r.metric("connections_ended_total", "takeover"); got != 1 {
		t.Errorf("%v connections ended by takeover, want 1", got)
	}
	second.conn.Close()
	r.next("detach live clean=false")
}

// A planned hand-over: the second encoder has a key of its own for the same room.
func TestHandOver(t *testing.T) {
	r := start(t, nil)
	day, err := r.keys.Mint("live", 24*time.Hour)
	if err != nil || day == r.key {
		t.Fatalf("second key of the room: %v", err)
	}
	first := r.publisher(r.key)
	r.next("attach live")
	second := r.publisher(day)
	r.next("detach live clean=false", "attach live")
	first.rest()
	second.audio(0, aacHeader)
	r.next("track audio")
}

// A publisher whose connection is half open sends nothing and closes nothing. What
// is no media, such as acknowledgements, does not keep it.
func TestHalfOpen(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.Timeouts.Media = 300 * time.Millisecond })
	c := r.publisher(r.key)
	r.next("attach live")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c.rest()
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		_ = c.message(3, 0, 0, []byte{0, 0, 1, 0}) // Acknowledgement; fails when it was closed
		select {
		case <-gone:
			r.next("detach live clean=false")
			return
		case <-tick.C:
		}
		if time.Since(began) > clientTimeout {
			t.Fatal("a publisher without media was kept")
		}
	}
}

// Many encoders with one key: one at a time, and the room is free in the end.
func TestTakeoverStorm(t *testing.T) {
	held := make(chan struct{}, 1)
	r := start(t, func(_ *ingest.Config, r *rig) {
		r.onAttach = func(string) error {
			select {
			case held <- struct{}{}:
				return nil
			default:
				t.Error("attached while another publisher was attached")
				return errors.New("busy")
			}
		}
		r.onDetach = func() { <-held }
	})
	var all sync.WaitGroup
	left := make(chan struct{}, 15)
	for range 15 {
		c := dial(t, r.Addr()).connect("live", "")
		all.Go(func() {
			c.command(1, amfText("publish"), amfNumber(3), amfNull, amfText(r.key), amfText("live"))
			c.rest()
			left <- struct{}{}
		})
	}
	for range 14 {
		<-left
	}
	if !r.Kick("live") {
		t.Error("nobody holds the room after the storm")
	}
	all.Wait()
	r.publisher(r.key)
}

// A successor does not wait for ever for a predecessor whose sink hangs, and the
// room stays with that one.
func TestTakeoverGivesUp(t *testing.T) {
	hang := make(chan struct{})
	r := start(t, func(c *ingest.Config, r *rig) {
		c.Timeouts.Takeover = 50 * time.Millisecond
		r.onDetach = func() { <-hang }
	})
	r.publisher(r.key)
	r.next("attach live")
	code, text := dial(t, r.Addr()).connect("live", "").publish(r.key)
	if code != "NetStream.Publish.BadName" || !strings.Contains(text, "try again in a few seconds") {
		t.Errorf("publish beside a predecessor that hangs: %s %q, want NetStream.Publish.BadName with advice", code, text)
	}
	if _, on := r.Health("live"); !on {
		t.Error("the room is free while its predecessor still holds it")
	}
	close(hang)
	r.next("detach live clean=false")
	r.publisher(r.key)
	r.next("attach live")
}

func TestAttachRefused(t *testing.T) {
	r := start(t, func(_ *ingest.Config, r *rig) {
		r.onAttach = func(string) error { return errors.New("the server is full, 100 rooms are live") }
	})
	c := dial(t, r.Addr()).connect("live", "")
	if code, text := c.publish(r.key); code != "NetStream.Publish.BadName" || text != "the server is full, 100 rooms are live" {
		t.Errorf("publish: %s %q, want NetStream.Publish.BadName with the error of Attach", code, text)
	}
	c.rest()
	if h, on := r.Health("live"); on || h.Refused == nil || h.Refused.Code != "NetStream.Publish.BadName" {
		t.Errorf("Health = %+v, %v, want the refusal", h, on)
	}
}
