//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// What the tests look for in the page.
const (
	bullet     = `[data-testid="bullet"]`
	nickBox    = `[data-testid="nick-input"]`
	commentBox = `[data-testid="comment-input"]`
)

// stats is what the page says of its player.
type stats struct {
	Latency     *float64 `json:"latency"`
	Target      *float64 `json:"targetLatency"`
	LowLatency  bool     `json:"lowLatency"`
	Parts       int      `json:"partsLoaded"`
	FatalErrors int      `json:"fatalErrors"`
	Errors      []string `json:"errors"`
	Reloads     int      `json:"reloads"`
}

func (p page) stats(ctx context.Context) (s stats, err error) {
	return s, p.eval(ctx, `(({latency, targetLatency, lowLatency, partsLoaded, fatalErrors, errors, reloads}) =>
		({latency, targetLatency, lowLatency, partsLoaded, fatalErrors, errors, reloads}))(window.barrage)`, &s)
}

func (p page) currentTime(ctx context.Context) (at float64, err error) {
	return at, p.eval(ctx, `document.querySelector("video")?.currentTime ?? -1`, &at)
}

// plays waits until the picture moves, and returns how long that took.
func (p page) plays(t *testing.T, within time.Duration) time.Duration {
	t.Helper()
	begin, from := time.Now(), -1.0
	eventually(t, within, "the picture moves", func() error {
		at, err := p.currentTime(t.Context())
		if err != nil {
			return err
		}
		if from < 0 || at < from {
			from = at
		}
		if at < from+0.2 {
			return fmt.Errorf("currentTime is %v, was %v", at, from)
		}
		return nil
	})
	return time.Since(begin)
}

// goesOn waits until the picture has moved on by so many seconds.
func (p page) goesOn(t *testing.T, seconds float64) {
	t.Helper()
	before, err := p.currentTime(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Duration(seconds*3)*time.Second, "the picture goes on", func() error {
		at, err := p.currentTime(t.Context())
		if err == nil && at < before+seconds {
			err = fmt.Errorf("currentTime %v, was %v", at, before)
		}
		return err
	})
}

// promises waits until the page says what FAULTS.md promises for a fault.
func (p page) promises(t *testing.T, within time.Duration, fault string) {
	t.Helper()
	eventually(t, within, fault, func() error {
		text, err := p.text(t.Context(), "body")
		if err != nil {
			return err
		}
		return says(t, fault, text)
	})
}

func (p page) hasCommentBox(t *testing.T) {
	t.Helper()
	eventually(t, 5*time.Second, "the comment box", func() error {
		_, err := p.text(t.Context(), commentBox)
		return err
	})
}

// comment asks for a nickname and says the first comment: two actions.
func comment(t *testing.T, p page, nick, text string) {
	t.Helper()
	p.hasCommentBox(t)
	p.fill(t, nickBox, nick)
	again(t, p, text)
}

// again says one more comment.
func again(t *testing.T, p page, text string) {
	t.Helper()
	p.fill(t, commentBox, text)
	p.press(t, commentBox, "Enter")
}

// flies returns nil once a bullet with text is on the picture.
func (p page) flies(ctx context.Context, text string) error {
	var texts []string
	if err := p.eval(ctx, fmt.Sprintf(`(window.flown ??= (() => {
		const all = new Set();
		const look = () => { for (const e of document.querySelectorAll('%s')) all.add(e.textContent); };
		new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
		look();
		return () => [...all];
	})())()`, bullet), &texts); err != nil {
		return err
	}
	if slices.Contains(texts, text) {
		return nil
	}
	return fmt.Errorf("%d bullets flew, not %q", len(texts), text)
}

func TestPagePlaysAndBulletsFly(t *testing.T) {
	t.Parallel()
	s := serve(t)
	b := startBrowser(t)

	// The page is open before the stream, and says so.
	viewer := b.open(t, "viewer", s.url("/r/"+room))
	viewer.promises(t, 5*time.Second, "page opened before the stream")
	anna := b.open(t, "anna", s.url("/r/"+room))
	ben := b.open(t, "ben", s.url("/r/"+room))
	comment(t, anna, "anna", "before the picture")

	publisher := publish(t, s.publishURL(t), card{})
	t.Logf("playing %v after ffmpeg was started", viewer.plays(t, 20*time.Second).Round(10*time.Millisecond))

	_ = viewer.flies(t.Context(), "") // start watching for bullets
	comment(t, ben, "ben", "ben sees it too")
	again(t, anna, "弹幕飞过")
	for _, text := range []string{"ben sees it too", "弹幕飞过"} {
		eventually(t, 10*time.Second, "a bullet flies", func() error { return viewer.flies(t.Context(), text) })
	}
	if path := os.Getenv("BARRAGE_SCREENSHOT"); path != "" {
		viewer.screenshot(t, path)
	}

	viewer.goesOn(t, 5)
	st, err := viewer.stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.FatalErrors != 0 || st.Reloads != 0 {
		t.Errorf("hls.js: %d fatal errors %q, %d reloads, want none", st.FatalErrors, st.Errors, st.Reloads)
	}
	if !st.LowLatency || st.Parts == 0 || st.Latency == nil {
		t.Errorf("hls.js is not in low-latency mode: %+v", st)
	} else {
		t.Logf("latency %.2f s (target %.2f s), %d parts loaded", *st.Latency, *st.Target, st.Parts)
	}
	viewer.calm(t)

	// The publisher dies without a word, and comes back.
	publisher.kill()
	viewer.promises(t, 20*time.Second, "publisher killed")
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	viewer.plays(t, 20*time.Second)
	viewer.goesOn(t, 3)
	if st, err = viewer.stats(t.Context()); err != nil || st.Reloads != 0 {
		t.Errorf("the page loaded its source again %d times, fatal errors %q, %v: want it to go on", st.Reloads, st.Errors, err)
	}
}

// TestPageSurvivesARestart stops the server under an open page.
func TestPageSurvivesARestart(t *testing.T) {
	t.Parallel()
	addr := fmt.Sprintf("BARRAGE_HTTP_ADDR=127.0.0.1:%d", freePort(t))
	s := serve(t, addr)
	b := startBrowser(t)
	publisher := publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	p := b.open(t, "viewer", s.url("/r/"+room))
	p.plays(t, 15*time.Second)

	s.stop(t)
	publisher.wait(t, 15*time.Second)
	p.promises(t, 30*time.Second, "server restarted")
	s = startServer(t, "serve", s.state, addr)
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	p.plays(t, 30*time.Second)
	comment(t, p, "mia", "still here")
	eventually(t, 10*time.Second, "a bullet after the restart", func() error { return p.flies(t.Context(), "still here") })
}
