//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
	"time"
)

var errBullet = errors.New("bullet")

// flight is what a page shows of one bullet.
type flight struct {
	Entered float64 `json:"entered"` // program date time at which its head was at the right edge, ms
	Top     float64 `json:"top"`     // px below the stage's edge
}

// watchBullets lets a page write down, frame by frame, where its bullets are. Where a bullet entered, and when,
// follows from its way between two frames; so a frame that comes late does not count as a bullet that is late.
const watchBullets = `(() => {
	window.flights = {};
	let before = {at: 0, now: 0};
	const look = (now) => {
		const media = window.barrage.playhead;
		const at = media === null ? null : media - (performance.now() - document.timeline.currentTime) * document.querySelector("video").playbackRate;
		// A picture that stalls or is sought says nothing of speed: measure anew.
		const steady = Math.abs(at - before.at - (now - before.now)) < 100;
		before = {at, now};
		const stage = document.querySelector('[data-testid="bullets"]').getBoundingClientRect();
		for (const e of document.querySelectorAll('[data-testid="bullet"]')) {
			const box = e.getBoundingClientRect();
			if (box.left > stage.right || box.right < stage.left) continue;
			const f = (window.flights[e.textContent] ??= {first: {at, x: box.left}});
			f.top = box.top - stage.top;
			if (!steady) f.first = {at, x: box.left};
			if (at - f.first.at < 500) continue;
			f.speed = (f.first.x - box.left) / (at - f.first.at);
			f.entered = at - (stage.right - box.left) / f.speed;
			f.first = {at, x: box.left};
		}
		requestAnimationFrame(look);
	};
	requestAnimationFrame(look);
})()`

// flight returns how the bullet with text flew; it is an error until that can be told.
func (p page) flight(ctx context.Context, text string) (f flight, err error) {
	var all map[string]flight
	if err = p.eval(ctx, "window.flights", &all); err != nil {
		return f, err
	}
	f = all[text]
	if f.Entered == 0 {
		return f, fmt.Errorf("%w: page %s has %d flights, none of %q for long enough", errBullet, p.name, len(all), text)
	}
	return f, nil
}

func (p page) playhead(ctx context.Context) (at float64, err error) {
	return at, p.eval(ctx, "window.barrage.playhead ?? 0", &at)
}

// fallBehind pauses, goes back and plays on.
func (p page) fallBehind(t *testing.T, seconds float64) {
	t.Helper()
	p.press(t, "body", " ")
	p.must(t, "eval", map[string]any{"code": fmt.Sprintf(`document.querySelector("video").currentTime -= %v`, seconds)})
	p.press(t, "body", " ")
}

// TestBulletsFlyAtTheMomentTheyWereWrittenAt has one viewer at the live edge, one who is held eight seconds behind,
// and a comment that both must see over the same picture, in the same lane.
// It measures milliseconds, so it does not run beside other tests.
func TestBulletsFlyAtTheMomentTheyWereWrittenAt(t *testing.T) {
	s := serve(t)
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	b := startBrowser(t)
	edge, behind := b.open(t, "edge", s.url("/r/"+room)), b.open(t, "behind", s.url("/r/"+room))
	for _, p := range []page{edge, behind} {
		p.plays(t, 20*time.Second)
		p.must(t, "eval", map[string]any{"code": watchBullets})
	}
	edge.goesOn(t, 10)
	behind.fallBehind(t, 8)
	behind.plays(t, 20*time.Second)

	writer := join(t, s.url(""), "writer")
	delay := float64(writer.Welcome.Policy.Delay)
	tick := float64(writer.Welcome.Policy.Tick)
	texts := []string{"the goal!", "你看到了吗", "third words, and longer ones"}
	for _, text := range texts {
		at, err := edge.playhead(t.Context()) // the writer sees what the page at the edge sees
		if err != nil {
			t.Fatal(err)
		}
		if _, err = writer.SendAt(text, int64(at)); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "the comment is shown", func() error { return writer.saw(text) })
	}
	soonest := math.Inf(1)
	for _, text := range texts {
		pdt := float64(writer.pdt(text))
		there := edge.flew(t, text, pdt-5000, pdt+5000) // a page whose picture stands still has no moment to wait for
		if late := there.Entered - pdt; late >= 0 {
			soonest = min(soonest, late)
		}
		here := behind.flew(t, text, pdt+delay-100, pdt+delay+100)
		t.Logf("%q: at the edge %+.0f ms after its moment, behind %+.0f ms", text, there.Entered-pdt, here.Entered-pdt)
		if there.Top != here.Top {
			t.Errorf("%q flew at %v px at the edge and at %v px behind, want one wall", text, there.Top, here.Top)
		}
	}
	// A comment on its way through a busy machine can miss its moment at the edge; nobody promises it a processor.
	if soonest > tick+400 {
		t.Errorf("at the live edge no bullet flew within %.0f ms of its moment: the first after %.0f", tick+400, soonest)
	}
	distance(t, edge, behind)
	if path := os.Getenv("BARRAGE_SCREENSHOT"); path != "" {
		behind.screenshot(t, path)
	}
	fliesAgain(t, behind, texts[0], float64(writer.pdt(texts[0]))+delay)
	standsWithThePicture(t, behind)
	edge.calm(t)
	behind.calm(t)
}

// flew waits until a page shows that the bullet entered between from and until. It is measured again and again while
// it flies: on a machine that cannot keep up the picture stumbles, and what is measured just then says nothing.
func (p page) flew(t *testing.T, text string, from, until float64) (f flight) {
	t.Helper()
	eventually(t, 20*time.Second, "a bullet flies at its moment", func() (err error) {
		f, err = p.flight(t.Context(), text)
		if err == nil && (f.Entered < from || f.Entered > until) {
			err = fmt.Errorf("%w: page %s: %q entered %+.0f ms after the earliest, want 0 to %.0f", errBullet, p.name, text, f.Entered-from, until-from)
		}
		return err
	})
	return f
}

// distance fails the test when behind is not behind.
func distance(t *testing.T, edge, behind page) {
	t.Helper()
	there, err := edge.playhead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	here, err := behind.playhead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if there-here < 5000 {
		t.Errorf("one viewer is %.0f ms behind the other, want seconds", there-here)
	}
}

// fliesAgain goes back to a moment whose bullet has gone.
func fliesAgain(t *testing.T, p page, text string, due float64) {
	t.Helper()
	eventually(t, 20*time.Second, "the bullet has gone", func() error {
		at, err := p.playhead(t.Context())
		if err == nil && at < due+9000 {
			err = fmt.Errorf("%w: the playhead is %.0f ms after it", errBullet, at-due)
		}
		return err
	})
	p.must(t, "eval", map[string]any{"code": fmt.Sprintf(`window.flights = {}, document.querySelector("video").currentTime -= (window.barrage.playhead - %v) / 1000`, due+2000)})
	p.flew(t, text, due-100, due+100)
}

// standsWithThePicture pauses, and looks whether anything moves.
func standsWithThePicture(t *testing.T, p page) {
	t.Helper()
	p.press(t, "body", " ")
	var moved float64
	if err := p.eval(t.Context(), `new Promise((done) => {
		const places = () => [...document.querySelectorAll('[data-testid="bullet"]')].map((e) => e.getBoundingClientRect().left);
		const frames = (n, then) => requestAnimationFrame(() => n > 0 ? frames(n - 1, then) : then());
		frames(5, () => {
			const before = places();
			frames(30, () => done(before.length === 0 ? -1 : Math.max(...places().map((x, i) => Math.abs(x - before[i])))));
		});
	})`, &moved); err != nil {
		t.Fatal(err)
	}
	if moved != 0 {
		t.Errorf("bullets moved %v px while the picture stood, want 0 (-1: there were none)", moved)
	}
	p.press(t, "body", " ")
}

// TestBulletsAsTheReaderWants goes through the settings by keyboard.
func TestBulletsAsTheReaderWants(t *testing.T) {
	t.Parallel()
	s := serve(t)
	b := startBrowser(t)
	p := b.open(t, "reader", s.url("/r/"+room))
	calm := b.openAs(t, "calm", s.url("/r/"+room), map[string]any{"reducedMotion": "reduce"})
	writer := join(t, s.url(""), "writer")
	for _, page := range []page{p, calm} {
		page.hasCommentBox(t)
		_ = page.flies(t.Context(), "") // start watching
	}

	p.press(t, "body", "d")
	p.fill(t, `[data-testid="block-word"]`, "Spoiler")
	p.press(t, `[data-testid="block-word"]`, "Enter")
	p.press(t, `[data-testid="set-size-1"]`, "ArrowRight")
	p.press(t, `[data-testid="set-opacity"]`, "Home")
	p.press(t, `[data-testid="set-opacity"]`, "Escape")
	var kept string
	if err := p.eval(t.Context(), `[localStorage["barrage:bullets"], document.activeElement.dataset.testid].join(" ")`, &kept); err != nil {
		t.Fatal(err)
	}
	if want := `{"on":true,"opacity":0.2,"area":0.75,"size":1.3,"speed":"normal","density":"normal","words":["Spoiler"],"people":[]} bullets-tune`; kept != want {
		t.Errorf("settings and focus after the panel: %s, want %s", kept, want)
	}

	writer.say(t, "no SPOILERS please")
	writer.say(t, "good evening")
	eventually(t, 10*time.Second, "a bullet flies", func() error { return p.flies(t.Context(), "good evening") })
	if p.flies(t.Context(), "no SPOILERS please") == nil {
		t.Error("a comment with a blocked word flew")
	}
	for _, c := range []struct {
		page page
		want string
	}{{p, "good evening"}, {calm, "no SPOILERS please good evening"}} {
		var said string
		if err := c.page.eval(t.Context(), `[...document.querySelectorAll(".comment .said")].filter((e) => e.checkVisibility()).map((e) => e.textContent).join(" ")`, &said); err != nil {
			t.Fatal(err)
		}
		if said != c.want {
			t.Errorf("page %s lists %q, want %q", c.page.name, said, c.want)
		}
	}
	if err := calm.flies(t.Context(), "good evening"); err == nil {
		t.Error("a bullet flew for somebody who asked for less motion")
	}
	p.calm(t)
	calm.calm(t)
}
