//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"
	"time"
)

// TestBulletsOfAMomentBeforeThePageWasHere opens pages 24 seconds after a comment, whose bullet neither the ticks nor
// the history can bring: one at a link to that moment, one at the live edge that goes back.
// It measures milliseconds, so it does not run beside other tests.
func TestBulletsOfAMomentBeforeThePageWasHere(t *testing.T) {
	s := serve(t, "BARRAGE_CHAT_RATE=100/s", "BARRAGE_CHAT_BURST=100")
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	writer := join(t, s.url(""), "writer")
	delay := float64(writer.Welcome.Policy.Delay)

	var first, moment int64
	eventually(t, 30*time.Second, "the room has pictures of some seconds", func() error {
		r, err := s.room(t.Context())
		if err != nil {
			return err
		}
		if first == 0 {
			first = r.PDT
		}
		if moment = r.PDT; first == 0 || moment < first+8000 {
			return fmt.Errorf("%w: %d ms of picture", errBullet, moment-first)
		}
		return nil
	})
	const text = "the goal!"
	for i, said := range []string{text, "The goal", "THE GOAL!!!"} {
		if _, err := writer.SendAt(said, moment); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			eventually(t, 5*time.Second, "the comment is shown", func() error { return writer.saw(text) })
		}
	}
	due := float64(writer.pdt(text)) + delay
	for i := range 60 { // more than the history of a room that one enters
		writer.say(t, fmt.Sprint("filler ", i))
	}
	eventually(t, 40*time.Second, "the moment has gone", func() error {
		r, err := s.room(t.Context())
		if err == nil && r.PDT < moment+24_000 {
			err = fmt.Errorf("%w: %d ms have passed", errBullet, r.PDT-moment)
		}
		return err
	})

	b := startBrowser(t)
	back := b.open(t, "back", s.url("/r/"+room))
	link := b.open(t, "link", s.url(fmt.Sprintf("/r/%s?t=%.0f", room, due-3000)))
	for _, p := range []page{back, link} {
		p.plays(t, 20*time.Second)
		p.must(t, "eval", map[string]any{"code": watchBullets})
	}
	back.goesOn(t, 5)
	at, err := back.playhead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	back.fallBehind(t, (at-due+1500)/1000)
	for _, p := range []page{link, back} {
		f := p.flew(t, text+"×3", due-100, due+100)
		t.Logf("page %s: the bullet entered %+.0f ms after its moment", p.name, f.Entered-due)
		var bullets int
		if err := p.eval(t.Context(), `[...document.querySelectorAll('[data-testid="bullet"]')].filter((e) => e.textContent.includes("goal")).length`, &bullets); err != nil || bullets > 1 {
			t.Errorf("page %s: %d bullets say it, %v, want one", p.name, bullets, err)
		}
		p.calm(t)
	}
}
