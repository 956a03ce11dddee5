package packager_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"barrage/packager"
)

// crowd publishes rooms of that many bytes a picture, one after the other, each for d,
// and returns how many were let in and what the first refusal was.
func (r *room) crowd(rooms, weight int, d time.Duration) (admitted int, refused error) {
	r.t.Helper()
	for i := range rooms {
		s, err := r.reg.Attach(fmt.Sprintf("room-%d", i))
		if err != nil {
			return admitted, err
		}
		admitted++
		other := *r
		other.stream = s
		other.tracks(videoTrack(r.t))
		(&source{fps: 30, gop: 60, weight: weight}).run(&other, d)
	}
	return admitted, nil
}

// Rooms are refused while those that are live will need all the memory, although it is
// not taken yet; who reconnects is not refused, and when a room ends another fits.
func TestFull(t *testing.T) {
	cfg := packager.DefaultConfig()
	cfg.TotalBytes = 64 << 20
	live(t, cfg, func(r *room) {
		// 10,000 bytes at 30 Hz are 36 MB in two minutes: the second room fits, since
		// what is needed then is still less than there is; the third does not.
		admitted, err := r.crowd(4, 10_000, 6*time.Second)
		if admitted != 2 || !errors.Is(err, packager.ErrFull) {
			t.Fatalf("%d rooms, then %v; want 2, then ErrFull", admitted, err)
		}
		if held := r.reg.Held(); held > 10<<20 {
			t.Errorf("%d bytes are held already: this tests what will be", held)
		}
		s, _ := r.reg.Stream("room-1")
		s.Detach(false)
		if s, err = r.reg.Attach("room-1"); err != nil {
			t.Fatalf("a reconnect: %v", err)
		}
		s.Detach(true)
		<-time.After(11 * time.Second) // the session ends
		if _, err := r.reg.Attach("room-2"); err != nil {
			t.Errorf("after a room has ended: %v", err)
		}
	})
}

// When more is needed than was foreseen, rooms drop their oldest media; all is given
// back at the end.
func TestBudgetHolds(t *testing.T) {
	cfg := packager.DefaultConfig()
	cfg.TotalBytes = 64 << 20
	live(t, cfg, func(r *room) {
		r.tracks(videoTrack(t))
		src := &source{fps: 30, gop: 60, weight: 1000}
		src.run(r, 4*time.Second)
		src.weight = 60_000 // 14 Mb/s: 216 MB in two minutes
		for range 12 {
			src.run(r, 5*time.Second)
			if held := r.reg.Held(); held > cfg.TotalBytes+2<<20 {
				t.Fatalf("%d bytes held, want %d at most", held, cfg.TotalBytes)
			}
		}
		if metric(t, r, "barrage_packager_shed_segments_total") == 0 {
			t.Error("nothing was dropped")
		}
		r.stream.Detach(true)
		<-time.After(3 * time.Minute)
		if held, needed := r.reg.Held(), metric(t, r, "barrage_packager_window_bytes_needed"); held != 0 || needed != 0 {
			t.Errorf("after the end %d bytes held, %v needed", held, needed)
		}
	})
}

// A publisher that never gets as far as an epoch gives back what it was expected to need.
func TestExpectedIsGivenBack(t *testing.T) {
	cfg := packager.DefaultConfig()
	cfg.TotalBytes = 64 << 20
	live(t, cfg, func(r *room) {
		for range 100 {
			r.stream.Detach(false)
			r.attach()
		}
		r.stream.Detach(false)
		if needed := metric(t, r, "barrage_packager_window_bytes_needed"); needed != 0 {
			t.Errorf("%v bytes needed by nobody", needed)
		}
	})
}

// A room holds no more than window_bytes, however many epochs of it can be watched, and
// whoever watches one that has ended still gets the end of it, also as MPEG-TS.
func TestRoomIsBounded(t *testing.T) {
	cfg := packager.DefaultConfig()
	cfg.WindowBytes = 48 << 20
	live(t, cfg, func(r *room) {
		r.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true, weight: 40_000} // 1.2 MB/s
		src.run(r, 10*time.Second)
		watched, ended := newOldPlayer(r), ""
		for epoch := range 6 {
			for range 24 {
				src.run(r, 1900*time.Millisecond)
				watched.poll()
				if ended != "" {
					r.get(ended + "ts.m3u8")
				}
				synctest.Wait()
				if held := r.reg.Held(); held > cfg.WindowBytes+1<<20 {
					t.Fatalf("epoch %d: %d bytes held, want %d at most", epoch, held, cfg.WindowBytes)
				}
				if needed := metric(t, r, "barrage_packager_window_bytes_needed"); needed > float64(cfg.WindowBytes+1<<20) {
					t.Fatalf("epoch %d: %v bytes foreseen, want %d at most", epoch, needed, cfg.WindowBytes)
				}
			}
			ended = r.folder()
			r.stream.Detach(false)
			r.attach()
			src = &source{fps: 30, gop: 60, audio: epoch%2 == 1, weight: 40_000}
			if r.tracks(videoTrack(t)); src.audio {
				r.tracks(audioTrack(t))
			}
			src.run(r, 8*time.Second)
			watched = newOldPlayer(r)
			for _, name := range []string{"v0", "ts"} {
				l := readPacked(t, r.body(ended+name+".m3u8"))
				if !l.ended || l.duration < 6 {
					t.Errorf("epoch %d: %s lists %v s of what has just ended, want three target durations", epoch, name, l.duration)
				}
				r.body(ended + l.segments[0])
			}
		}
		r.stream.Detach(true)
		<-time.After(3 * time.Minute)
		if held, needed := r.reg.Held(), metric(t, r, "barrage_packager_window_bytes_needed"); held != 0 || needed != 0 {
			t.Errorf("after the end %d bytes held, %v needed", held, needed)
		}
	})
}
