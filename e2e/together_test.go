//go:build e2e || players

package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

var errTogether = errors.New("together")

// line is a network between a page and the server.
type line struct {
	latency int // ms that every answer takes longer
	down    int // kbit/s; 0 = as fast as it goes
}

// sight is what one page shows at one instant.
type sight struct {
	Behind   float64 `json:"behind"` // ms from the picture to the clock of this machine, which all pages share
	Union    string  `json:"union"`
	Late     float64 `json:"late"` // s behind the room, as the page itself sees it
	Distance float64 `json:"distance"`
	Fastest  float64 `json:"fastest"` // rates since the page was opened
	Slowest  float64 `json:"slowest"`
	Waits    []wait  `json:"waits"`
	Reloads  int     `json:"reloads"`
}

// wait is a picture that stood still because nothing was left to show.
type wait struct {
	At     float64 `json:"at"`     // s since the page was opened
	Rate   float64 `json:"rate"`   // it had until then
	Buffer float64 `json:"buffer"` // s that were there and not shown
}

// observe notes how fast a page plays and when it stands still, from its first picture on.
const observe = `(() => {
	const seen = window.seen = {fastest: 1, slowest: 1, waits: []};
	document.addEventListener("ratechange", ({target}) => {
		seen.fastest = Math.max(seen.fastest, target.playbackRate);
		seen.slowest = Math.min(seen.slowest, target.playbackRate);
	}, true);
	document.addEventListener("waiting", ({target}) => {
		if (!target.seeking && target.currentTime > 0) {
			const {buffered, currentTime: at} = target;
			const ahead = [...Array(buffered.length).keys()].filter((i) => buffered.start(i) <= at + 0.1 && buffered.end(i) > at).map((i) => buffered.end(i) - at);
			seen.waits.push({at: performance.now() / 1000, rate: target.playbackRate, buffer: ahead[0] ?? 0});
		}
	}, true);
})()`

const look = `(() => {
	const {playhead, union, late, distance, reloads} = window.barrage;
	return {behind: Date.now() - playhead, union, late, distance, reloads, ...window.seen};
})()`

// smallCard publishes a picture that many decoders of one machine can show.
func smallCard(t *testing.T, s *server) {
	t.Helper()
	start(t, nil, "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "warning", "-re",
		"-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "20", "-b:v", "100k", "-threads", "1",
		"-c:a", "aac", "-b:a", "64k", "-ac", "2", "-f", "flv", s.publishURL(t))
	s.waitPhase(t, "live", 15*time.Second)
}

// audience opens one page for each line, over HTTP/2.
func audience(t *testing.T, s *server, lines []line) []page {
	t.Helper()
	b := startBrowser(t)
	pages := make([]page, len(lines))
	for i, l := range lines {
		p := b.openAs(t, fmt.Sprintf("viewer %d", i+1), "about:blank", map[string]any{"width": 240, "height": 180, "script": observe})
		p.must(t, "network", map[string]any{"latency": l.latency, "down": l.down})
		p.must(t, "eval", map[string]any{"code": fmt.Sprintf("void (location.href = %q)", "https://"+s.addrs.HTTPS+"/embed/"+room)})
		pages[i] = p
	}
	return pages
}

// sights reads every page, and says how far the one that is most off is from the middle one.
func sights(t *testing.T, pages []page) (all []sight, off float64, err error) {
	t.Helper()
	var behind []float64
	for _, p := range pages {
		var s sight
		value, failed := p.b.do(t.Context(), "eval", map[string]any{"page": p.name, "code": look})
		if failed != nil {
			return nil, 0, failed
		}
		if failed = json.Unmarshal(value, &s); failed != nil {
			return nil, 0, failed
		}
		if s.Behind > 1e6 {
			return nil, 0, fmt.Errorf("%w: %s has no picture that moves", errTogether, p.name)
		}
		all, behind = append(all, s), append(behind, s.Behind)
	}
	slices.Sort(behind)
	middle := behind[len(behind)/2]
	return all, max(behind[len(behind)-1]-middle, middle-behind[0]), nil
}

// meet waits until no page is further than near ms from the middle one.
func meet(t *testing.T, pages []page, near float64, within time.Duration) []sight {
	t.Helper()
	var all []sight
	eventually(t, within, "all pages show the same picture", func() (err error) {
		var off float64
		all, off, err = sights(t, pages)
		if err == nil && off > near {
			err = fmt.Errorf("%w: one is %.0f ms off: %+v", errTogether, off, all)
		}
		return err
	})
	return all
}

// inaudible fails the test when a page changed its rate so that somebody could hear it, or ran out of media by being fast.
func inaudible(t *testing.T, all []sight) {
	t.Helper()
	for i, s := range all {
		if s.Fastest > 1.05001 || s.Slowest < 0.94999 {
			t.Errorf("page %d played at rates from %v to %v, want 0.95 to 1.05", i+1, s.Slowest, s.Fastest)
		}
		for _, w := range s.Waits {
			if w.Rate > 1 {
				t.Errorf("page %d stood still at %.1f s after it played at %v, with %.2f s in the buffer", i+1, w.At, w.Rate, w.Buffer)
			}
		}
	}
}
