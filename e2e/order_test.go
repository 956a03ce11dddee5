//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const commentRow = `[data-testid="comment"]`

// id selects by the name that pages give to things for tests.
func id(name string) string { return fmt.Sprintf(`[data-testid=%q]`, name) }

// list returns nil once the page's list of comments has (or has not) this text.
func (p page) lists(t *testing.T, text string, want bool) error {
	t.Helper()
	var all []string
	code := fmt.Sprintf(`[...document.querySelectorAll('%s .said')].map((e) => e.textContent)`, commentRow)
	if err := p.eval(t.Context(), code, &all); err != nil {
		return err
	}
	if got := strings.Contains(strings.Join(all, "\n"), text); got != want {
		return fmt.Errorf("%w: page %s lists %q: %v, want %v", errBrowser, p.name, text, got, want)
	}
	return nil
}

// snap keeps a screenshot where BARRAGE_SCREENSHOTS says.
func (p page) snap(t *testing.T, name string) {
	t.Helper()
	if dir := os.Getenv("BARRAGE_SCREENSHOTS"); dir != "" {
		p.screenshot(t, filepath.Join(dir, name+".png"))
	}
}

// TestOrderInTheRoom: with the keyboard alone a moderator, whose page is on one chat
// process, pins, deletes and mutes what comes over another; the studio shows it
// and takes it back.
func TestOrderInTheRoom(t *testing.T) {
	t.Parallel()
	s := startSplit(t)
	b := startBrowser(t)
	link := func(role, path string) string {
		return s.media.url(path + room + "#token=" + s.media.command(t, "token", room, "-role", role))
	}
	moderator := b.open(t, "moderator", link("moderator", "/r/"))
	viewer := b.open(t, "viewer", s.media.url("/r/"+room))
	for _, p := range []page{moderator, viewer} {
		p.hasCommentBox(t)
	}
	far := join(t, s.chat[1].url(""), "far")
	within := func(what string, ok func() error) {
		t.Helper()
		eventually(t, 5*time.Second, what, ok)
	}
	// menu opens the menu of the newest comment by keyboard.
	menu := func(text string) {
		t.Helper()
		within(text+" is there", func() error { return moderator.lists(t, text, true) })
		moderator.press(t, id("comment-list"), "ArrowUp")
		moderator.press(t, ".nick:focus", "Enter")
		within("the menu", func() error {
			_, err := moderator.text(t.Context(), id("row-menu"))
			return err
		})
	}
	act := func(text, button string) {
		t.Helper()
		menu(text)
		moderator.press(t, id(button), "Enter")
	}

	far.say(t, "what a good question")
	menu("what a good question")
	moderator.snap(t, "menu")
	moderator.press(t, id("mod-pin"), "Enter")
	within("the pinned comment", func() error {
		text, err := viewer.text(t.Context(), id("pinned"))
		if err == nil && !strings.Contains(text, "what a good question") {
			err = fmt.Errorf("%w: pinned is %q", errBrowser, text)
		}
		return err
	})

	far.say(t, "rude words")
	within("the rude words", func() error { return viewer.lists(t, "rude words", true) })
	act("rude words", "mod-delete")
	for _, p := range []page{viewer, moderator} {
		within("the rude words are gone from "+p.name, func() error { return p.lists(t, "rude words", false) })
	}
	within("the event on the other process", func() error {
		f, err := far.last("event")
		if err == nil && f.Kind != "delete" && f.Kind != "mute" {
			err = fmt.Errorf("%w: last event %q", errBrowser, f.Kind)
		}
		return err
	})

	far.say(t, "more of it")
	act("more of it", "mod-mute")
	within("muted on the other process", func() error {
		ack, err := far.acked(far.say(t, "again"))
		if err == nil && ack.Result != "rejected" {
			err = fmt.Errorf("%w: %+v", errBrowser, ack)
		}
		return err
	})

	studio := b.openAs(t, "studio", link("host", "/studio/"), map[string]any{"width": 1440, "height": 1000})
	within("the studio lists the muted", func() error {
		text, err := studio.text(t.Context(), id("desk-person"))
		if err == nil && !strings.Contains(text, "far") {
			err = fmt.Errorf("%w: %q", errBrowser, text)
		}
		return err
	})
	studio.fill(t, id("desk-notice"), "We start again at nine.")
	studio.press(t, id("desk-notice"), "Enter")
	studio.fill(t, id("desk-words"), "spoiler，剧透")
	studio.press(t, id("desk-words"), "Enter")
	studio.press(t, id("desk-slow"), "ArrowDown") // one comment in 3 s
	within("the notice", func() error {
		text, err := viewer.text(t.Context(), id("notice"))
		if err == nil && text != "We start again at nine." {
			err = fmt.Errorf("%w: %q", errBrowser, text)
		}
		return err
	})
	within("slow mode in the box", func() error {
		text, err := viewer.text(t.Context(), id("say-hint"))
		if err == nil && !strings.Contains(text, "3") {
			err = fmt.Errorf("%w: %q", errBrowser, text)
		}
		return err
	})
	studio.snap(t, "studio")
	comment(t, viewer, "near", "s p o i l e r")
	within("the blocked word", func() error {
		text, err := viewer.text(t.Context(), id("fate"))
		if err == nil && !strings.Contains(text, "word") {
			err = fmt.Errorf("%w: %q", errBrowser, text)
		}
		return err
	})
	viewer.snap(t, "viewer")
	studio.press(t, id("desk-undo"), "Enter")
	within("the muted may speak again", func() error {
		ack, err := far.acked(far.say(t, "thank you"))
		if far.counts()["thank you"] > 0 {
			return nil // one of them; the others come too soon for slow mode
		}
		return fmt.Errorf("%w: %+v, %w", errBrowser, ack, err)
	})
	for _, p := range []page{moderator, viewer, studio} {
		p.calm(t)
	}
}
