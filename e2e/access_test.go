//go:build e2e

package e2e_test

import (
	"encoding/json"
	"testing"
	"time"
)

// accessible fails the test when axe finds something serious on the page as it is now.
func (p page) accessible(t *testing.T, state string) {
	t.Helper()
	value, err := p.b.do(t.Context(), "axe", map[string]any{"page": p.name})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	if err = json.Unmarshal(value, &found); err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("%s, %s: %s", p.name, state, f)
	}
}

// TestPagesAreAccessible lets axe read every page: before and during a show, large and
// small, with everything open that can be opened.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	s := serve(t)
	b := startBrowser(t)
	paths := map[string]string{
		"directory": "/", "room": "/r/" + room, "embed": "/embed/" + room, "overlay": "/overlay/" + room, "lost": "/r/No",
		"studio": "/studio/" + room + "#token=" + s.command(t, "token", room, "-role", "host"), "studio without a token": "/studio/" + room,
	}
	pages := map[string]page{}
	for name, path := range paths {
		pages[name] = b.openAs(t, name, s.url(path), map[string]any{"reducedMotion": "reduce"}) // colours that fade in have no contrast yet
		pages[name+", phone"] = b.openAs(t, name+", phone", s.url(path), map[string]any{"width": 390, "height": 844, "locale": "zh-CN", "reducedMotion": "reduce"})
	}
	shows := func(p page, selector string) {
		t.Helper()
		eventually(t, 15*time.Second, p.name+" shows "+selector, func() error {
			_, err := p.text(t.Context(), selector)
			return err
		})
	}
	for _, p := range pages {
		shows(p, "h1, .bullets, .stage, .lost, main")
		p.accessible(t, "before the show")
	}
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	join(t, s.url(""), "anna").say(t, "good evening")
	for _, name := range []string{"room", "room, phone"} {
		p := pages[name]
		p.plays(t, 20*time.Second)
		p.accessible(t, "during the show")
		for key, selector := range map[string]string{"d": `[data-testid="bullet-settings"]`, "s": `[data-testid="viewing"]`, "?": `[data-testid="keys-help"]`} {
			p.press(t, "body", key)
			shows(p, selector)
			p.accessible(t, selector)
			p.press(t, ":focus, body", "Escape")
		}
		p.must(t, "eval", map[string]any{"code": `document.querySelector('[data-testid="share"]').click()`})
		shows(p, `[data-testid="share-qr"]`)
		p.accessible(t, "with the links")
	}
	for _, name := range []string{"directory", "studio", "embed"} {
		pages[name].accessible(t, "during the show")
	}
}
