package packager_test

import (
	"testing"
	"time"

	"barrage/packager"
)

// TestPDTNow asks for the program date time of now while the publisher's line is
// steady, unsteady, and seconds late.
func TestPDTNow(t *testing.T) {
	t.Parallel()
	live(t, packager.DefaultConfig(), func(r *room) {
		r.tracks(videoTrack(t))
		s := &source{fps: 30, gop: 60}
		// off is how far PDTNow is from the clock that dates the session.
		off := func() time.Duration { return time.Until(r.stream.Status().PDTNow) }
		near := func(what string, want, tolerance time.Duration) {
			t.Helper()
			if got := off(); (got - want).Abs() > tolerance {
				t.Errorf("%s: PDTNow is %v from the clock, want %v ± %v", what, got, want, tolerance)
			}
		}
		if st := r.stream.Status(); !st.PDTNow.IsZero() {
			t.Errorf("PDTNow before the first sample = %v, want none", st.PDTNow)
		}
		s.run(r, 10*time.Second)
		steady := off()
		near("steady", 0, 100*time.Millisecond)

		// Half a second late each, then all at once: nobody who steers by it may notice.
		for range 4 {
			<-time.After(500 * time.Millisecond)
			near("between two bursts", steady, 50*time.Millisecond)
			for range 15 {
				if err := r.stream.WriteSample(s.video()); err != nil {
					t.Fatal(err)
				}
			}
			near("after a burst", steady, 50*time.Millisecond)
		}

		// A line that holds everything up by three seconds from now on: follow it at
		// a pace that players can follow.
		<-time.After(3 * time.Second)
		s.run(r, 20*time.Second)
		near("20 s into the delay", steady-1150*time.Millisecond, 200*time.Millisecond)
		s.run(r, 60*time.Second)
		near("80 s into it", steady-3*time.Second, 100*time.Millisecond)
	})
}
