//go:build players

package e2e_test

import (
	"fmt"
	"testing"
	"time"
)

// TestPlayersGoOnLong: longer and rarer than [TestPlayersGoOn].
func TestPlayersGoOnLong(t *testing.T) {
	t.Parallel()
	for _, c := range []change{
		{name: "away 30 s", away: 30 * time.Second, slack: 2},
		{name: "another H.264 profile", after: film{profile: "baseline"}, slack: 2},
		{name: "sound at another rate", after: film{rate: 44100}, slack: 2},
		{name: "server killed", server: true, slack: 10, reloads: "shaka"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// TestPlayersOtherTracks: another codec, or a track more or less, is another stream
// epoch at other addresses. Players that are there see the old one end; who loads the
// multivariant playlist again, as our room page does, sees the new one. The sound goes
// here: no two codecs that the server takes can be played by every Chromium.
func TestPlayersOtherTracks(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := newFront(t, s)
	publisher := send(t, s, film{seconds: 40}.make(t))
	second := film{silent: true, seconds: 60}.make(t)
	s.waitPhase(t, "live", 15*time.Second)
	b := startBrowser(t)
	for _, engine := range engines() {
		f.watch(t, b, engine, engine).until(t, settle, 40*time.Second)
	}
	before, err := s.room(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	publisher.kill()
	send(t, s, second)
	eventually(t, 20*time.Second, "another epoch", func() error {
		now, err := s.room(t.Context())
		if err == nil && (now.Epoch == before.Epoch || now.Phase != "live") {
			err = fmt.Errorf("it is %+v", now)
		}
		return err
	})
	for _, engine := range engines() {
		p := page{b: b, name: engine}
		eventually(t, 30*time.Second, engine+" comes to the end", func() error {
			w, err := p.watched(t.Context())
			if err == nil && !w.Ended {
				err = fmt.Errorf("played %.1f s, stalls %v, errors %q", w.Playing, w.Stalls, w.Errors)
			}
			return err
		})
		w := p.mustWatched(t)
		t.Logf("| no sound any longer | %s | ended after %.1f s | %s |", engine, w.Playing, tally(w.Errors))
		w = f.watch(t, b, engine+" again", engine).until(t, settle, 40*time.Second)
		t.Logf("| no sound any longer, loaded again | %s | plays | %s |", engine, tally(w.Errors))
	}
}
