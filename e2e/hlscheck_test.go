//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
	"time"

	"barrage/e2e/hlscheck"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// notHere are the rules that a short watch of one publisher cannot evaluate, and why.
func notHere() map[string]string {
	return map[string]string{
		"discontinuity-sequence": "nobody reconnects",
		"hint-abandoned-404":     "the last hint may be of the last part",
		"ts-plain":               "fragmented MP4", "ts-tables-first": "fragmented MP4", "ts-continuity": "fragmented MP4", "ts-pts-follows-pdt": "fragmented MP4",
	}
}

// TestConformance holds a stream of ffmpeg against the rules of HLS from its first
// playlist to its end.
func TestConformance(t *testing.T) {
	s := serve(t, "BARRAGE_PACKAGER_WINDOW=16s")
	publisher := publish(t, s.publishURL(t), card{seconds: 42})
	result, err := hlscheck.Watch(t.Context(), hlscheck.Options{
		URL: s.url("/hls/" + room + "/index.m3u8"), For: 90 * time.Second,
		Jitter: 3 * time.Second, // ffmpeg shares this machine with other tests
		Decode: decodeStrictly,
	})
	if err != nil {
		t.Fatal(err)
	}
	publisher.wait(t, 5*time.Second)
	var b strings.Builder
	if err = result.Print(&b); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", b.String())
	if !result.Ended {
		t.Error("the end of the stream was not seen")
	}
	excused := notHere()
	for _, r := range result.Tallies {
		why, ok := excused[r.Rule.Name]
		switch {
		case r.Violations > 0 && r.Rule.Level == hlscheck.Must:
			t.Errorf("%s (%s) is broken %d times: %s", r.Rule.Name, r.Rule.Ref, r.Violations, strings.Join(r.Examples, "\n"))
		case r.Evaluated == 0 && !ok:
			t.Errorf("%s was never evaluated: it needs %s", r.Rule.Name, r.Rule.Needs)
		case r.Evaluated == 0:
			t.Logf("%s does not apply: %s", r.Rule.Name, why)
		}
	}
}

// decodeStrictly is a decoder that is not ours. It cannot take parts in the first
// segment of a playlist, so the very first states of a stream go without.
func decodeStrictly(text string) error {
	if part := strings.Index(text, "#EXT-X-PART:"); part >= 0 && part < strings.Index(text, "#EXTINF") {
		return nil
	}
	_, _, err := m3u8.DecodeFrom(strings.NewReader(text), true)
	return err
}
