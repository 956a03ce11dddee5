//go:build reliability

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// recording is how long the publishers of these tests send; enough for a listed
// segment before the odd moment, which comes after oddMoment, and some after it.
const (
	recording = 24 * time.Second
	oddMoment = 9 * time.Second
)

// story is one publisher with an odd clock and what must come of it.
type story struct {
	name            string
	w               warp   // a synthetic publisher, or
	ffmpeg          string // what -output_ts_offset says
	discontinuities [2]int // at least, at most
	loses           time.Duration
}

func TestR05Timestamps(t *testing.T) {
	whole := func(name string, n int64) story { return story{name: name, w: offset(n), loses: 6 * time.Second} }
	lead := oddMoment.Milliseconds()
	masked := func(tag flvTag) (time.Duration, int64) {
		return tag.due(), (tag.at + 1<<31 - lead) & (1<<31 - 1)
	}
	stories := []story{
		whole("raw across 0xffffff", 0xffffff-lead),
		whole("raw across 2^31", 1<<31-lead),
		{name: "raw masked to 31 bits", w: masked, loses: 6 * time.Second},
		whole("raw across 2^32", 1<<32-lead),
	}
	for _, seconds := range []string{"16776", "16780", "2147480", "4294960"} {
		stories = append(stories, story{name: "ffmpeg +" + seconds + " s", ffmpeg: seconds, loses: 6 * time.Second})
	}
	tell(t, "R05", "timestamps", stories)
}

func TestR06Jumps(t *testing.T) {
	once := [2]int{1, 1}
	tell(t, "R06", "clock", []story{
		{name: "+1 h", w: jump(oddMoment, 3_600_000), discontinuities: once, loses: 9 * time.Second},
		{name: "-10 s", w: jump(oddMoment, -10_000), discontinuities: once, loses: 9 * time.Second},
		{name: "freeze 5 s", w: freeze(oddMoment, 5*time.Second), discontinuities: once, loses: 9 * time.Second},
		{name: "audio 3 s ahead", w: audioAhead(3000), discontinuities: [2]int{0, 1}, loses: 9 * time.Second},
	})
}

// tell runs all stories side by side, one room each, and adds a row for each.
func tell(t *testing.T, id, what string, stories []story) {
	t.Helper()
	s := serve(t, openMode, "BARRAGE_LOG_LEVEL=debug")
	file := record(t, recording)
	tags := parseFLV(t, file)
	t.Run("stories", func(t *testing.T) {
		for i, st := range stories {
			t.Run(st.name, func(t *testing.T) {
				t.Parallel()
				r := newRow(t, id, what+": "+st.name)
				st.tell(t, r, s, "story-"+strconv.Itoa(i), file, tags)
			})
		}
	})
}

func (st story) tell(t *testing.T, r *row, s *server, room, file string, tags []flvTag) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sent := make(chan error, 1)
	if st.w != nil {
		go func() { sent <- replay(ctx, s.addrs.RTMP, room, tags, st.w) }()
	} else {
		p := start(t, nil, "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "warning", "-re", "-i", file, "-c", "copy",
			"-output_ts_offset", st.ffmpeg, "-f", "flv", "rtmp://"+s.addrs.RTMP+"/live/"+room)
		go func() {
			<-p.done
			if p.code != 0 {
				sent <- fmt.Errorf("ffmpeg ended with %d: %s", p.code, tail(p.log.String(), 5))
			}
			close(sent)
		}()
	}
	watched := make(chan map[string]*timeline, 1)
	go func() { watched <- s.watch(ctx, room) }()
	select {
	case err := <-sent:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * recording):
		t.Errorf("the publisher still sends after %v", 2*recording)
	}
	cancel()
	seen := <-watched
	if len(seen) != 2 {
		t.Fatalf("%d renditions were listed, want video and audio", len(seen))
	}
	st.judge(t, r, seen)
}

// judge wants of every rendition nearly all that was sent, in order.
func (st story) judge(t *testing.T, r *row, seen map[string]*timeline) {
	t.Helper()
	least, most, count, worst := recording, 0, 0, time.Duration(0)
	for uri, w := range seen {
		long, n, hole := w.verdict()
		least, most, worst, count = min(least, long), max(most, n), max(worst, hole), count+len(w.faults)
		if n < st.discontinuities[0] || n > st.discontinuities[1] {
			t.Errorf("%s: %d discontinuities, want %d to %d", uri, n, st.discontinuities[0], st.discontinuities[1])
		}
		if long < recording-st.loses {
			t.Errorf("%s: %v listed of %v, want all but %v", uri, long, recording, st.loses)
		}
		slices.Sort(w.faults)
		for _, fault := range slices.Compact(w.faults) {
			t.Errorf("%s: %s", uri, fault)
		}
	}
	r.measured("%.1f s of %.0f s in finished segments, %d discontinuities, longest hole in PDT %v, target duration kept: %v",
		least.Seconds(), recording.Seconds(), most, worst.Round(time.Millisecond), count == 0)
}

// TestR09HalfOpen stops an encoder without closing its connection.
func TestR09HalfOpen(t *testing.T) {
	r := newRow(t, "R09", "a publisher whose machine hangs (SIGSTOP)")
	s := serve(t, openMode)
	file := record(t, 2*time.Minute)
	hang := func(room string) *process {
		p := start(t, nil, "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "warning", "-re", "-i", file, "-c", "copy",
			"-f", "flv", "rtmp://"+s.addrs.RTMP+"/live/"+room)
		eventually(t, 15*time.Second, "ffmpeg publishes "+room, func() error {
			_, err := s.playlists(t.Context(), room)
			return err
		})
		if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }) // a stopped process hears no SIGTERM
		return p
	}
	hang("half-open")
	stopped := time.Now()
	eventually(t, 15*time.Second, "the server finds the half-open publisher", func() error {
		if s.metric(t, `barrage_ingest_connections_ended_total{reason="media_timeout"}`) != 1 {
			return errors.New("it is still connected")
		}
		return nil
	})
	found := time.Since(stopped)
	r.measured("found after %.1f s", found.Seconds())
	if found > 12*time.Second {
		t.Error("want 10 s, and at most 12")
	}
	hang("taken-over")
	c, took, err := publisher(t.Context(), s.addrs.RTMP, "", "taken-over")
	if err != nil {
		t.Fatalf("takeover: %v", err)
	}
	defer c.Close()
	r.measured("taken over with the same key in %v", took.Round(time.Millisecond))
	if took > honestLimit {
		t.Errorf("want under %v", honestLimit)
	}
	if n := s.metric(t, "barrage_ingest_takeovers_total"); n != 1 {
		t.Errorf("%v takeovers counted, want 1", n)
	}
}
