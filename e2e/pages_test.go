//go:build e2e

package e2e_test

import (
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// site is a page of somebody else that frames whatever its address asks for.
func site(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>fans</title><iframe src="%s" width="640" height="360" allow="autoplay; fullscreen"></iframe>`,
			r.URL.Query().Get("frame"))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestEmbeddedPlayer(t *testing.T) {
	t.Parallel()
	listed, stranger := site(t), site(t)
	s := serve(t, "BARRAGE_WEB_EMBED_ORIGINS="+listed.URL)
	b := startBrowser(t)
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)

	fans := b.open(t, "fans", listed.URL+"/?frame="+s.url("/embed/"+room))
	embed := fans.in("/embed/" + room)
	eventually(t, 10*time.Second, "the frame is there", func() error {
		_, err := embed.text(t.Context(), `[data-testid="stage"]`)
		return err
	})
	embed.plays(t, 20*time.Second)
	_ = embed.flies(t.Context(), "") // start watching for bullets
	join(t, s.url(""), "anna").say(t, "hello frame")
	eventually(t, 15*time.Second, "a bullet flies in the frame", func() error { return embed.flies(t.Context(), "hello frame") })
	fans.calm(t)

	// Nobody else may frame it, and nobody at all any other page.
	for name, url := range map[string]string{
		"stranger":   stranger.URL + "/?frame=" + s.url("/embed/"+room),
		"whole room": listed.URL + "/?frame=" + s.url("/r/"+room),
		"studio":     listed.URL + "/?frame=" + s.url("/studio/"+room),
	} {
		refused := b.open(t, name, url).in("chrome-error")
		eventually(t, 10*time.Second, name+" is refused", func() error {
			var stages int
			err := refused.eval(t.Context(), `document.querySelectorAll('[data-testid="stage"]').length`, &stages)
			if err == nil && stages > 0 {
				t.Errorf("%s: the page is in the frame", name)
			}
			return err
		})
	}
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	s := serve(t)
	b := startBrowser(t)
	overlay := b.open(t, "obs", s.url("/overlay/"+room+"?size=1.6&speed=slow"))
	_ = overlay.flies(t.Context(), "") // start watching for bullets
	anna := join(t, s.url(""), "anna")

	// Without any picture, and with one that is seconds old: at once.
	anna.say(t, "before the show")
	eventually(t, 5*time.Second, "a bullet before the show", func() error { return overlay.flies(t.Context(), "before the show") })
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	anna.say(t, "弹幕来了")
	eventually(t, 5*time.Second, "a bullet during the show", func() error { return overlay.flies(t.Context(), "弹幕来了") })

	eventually(t, 5*time.Second, "bullets on nothing", func() error {
		free, drawn, err := coverage(t, overlay)
		if err == nil && (drawn == 0 || free < 0.9) {
			err = fmt.Errorf("%w: %d pixels drawn, %.0f %% of all clear", errBrowser, drawn, free*100)
		}
		return err
	})
	var others int
	if err := overlay.eval(t.Context(), `document.querySelectorAll("video, audio, button, a, input").length`, &others); err != nil || others > 0 {
		t.Errorf("the overlay holds %d things that are no bullets, %v", others, err)
	}
	overlay.calm(t)
}

// coverage takes a picture of the page as OBS does: how much of it is free, and how many pixels are not.
func coverage(t *testing.T, p page) (free float64, drawn int, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "overlay.png")
	p.must(t, "screenshot", map[string]any{"path": path, "transparent": true})
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	img, err := png.Decode(f)
	if err != nil {
		return 0, 0, err
	}
	size := img.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			if _, _, _, alpha := img.At(x, y).RGBA(); alpha > 0 {
				drawn++
			}
		}
	}
	return 1 - float64(drawn)/float64(size.Dx()*size.Dy()), drawn, nil
}

func TestLinkToAMoment(t *testing.T) {
	t.Parallel()
	s := serve(t)
	b := startBrowser(t)
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	first, err := s.room(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	moment := first.PDT + 1000
	eventually(t, 40*time.Second, "the show goes on", func() error {
		r, failed := s.room(t.Context())
		if failed == nil && r.PDT < moment+12_000 {
			failed = fmt.Errorf("%w: %d ms since", errBrowser, r.PDT-moment)
		}
		return failed
	})
	friend := b.open(t, "friend", s.url(fmt.Sprintf("/r/%s?t=%d", room, moment)))
	friend.plays(t, 20*time.Second)
	// The picture goes on while the test looks: where it began is where it is less what was played.
	const began = `window.barrage?.playhead - [...Array(document.querySelector("video").played.length).keys()]
		.reduce((sum, i) => sum + document.querySelector("video").played.end(i) - document.querySelector("video").played.start(i), 0) * 1000`
	eventually(t, 5*time.Second, "the picture began at the moment of the link", func() error {
		var at float64
		failed := friend.eval(t.Context(), began, &at)
		if off := at - float64(moment); failed == nil && (off < -500 || off > 1500) {
			failed = fmt.Errorf("%w: it began %.0f ms after it", errBrowser, off)
		}
		return failed
	})
	if text, hidden := friend.text(t.Context(), `[data-testid="moment-strip"]`); hidden == nil {
		t.Errorf("the page complains: %q", text)
	}
	friend.calm(t)

	late := b.open(t, "late", s.url(fmt.Sprintf("/r/%s?t=%d", room, first.PDT-3_600_000)))
	late.plays(t, 20*time.Second)
	if text, err := late.text(t.Context(), `[data-testid="moment-strip"]`); err != nil || !strings.Contains(text, "no longer on offer") {
		t.Errorf("a moment that is gone: the page says %q, %v", text, err)
	}
}

func TestHostNamesTheRoom(t *testing.T) {
	t.Parallel()
	s := serve(t)
	b := startBrowser(t)
	const title = `Night <b>walk</b> & "friends"`
	studio := b.open(t, "studio", s.url("/studio/"+room+"#token="+s.command(t, "token", room, "-role", "host")))
	eventually(t, 10*time.Second, "the studio opens", func() error {
		_, err := studio.text(t.Context(), `[data-testid="about"]`)
		return err
	})
	studio.fill(t, `[data-testid="about-title"]`, title)
	studio.fill(t, `[data-testid="about-tags"]`, "walk，#城市")
	studio.press(t, `[data-testid="about-title"]`, "Enter")
	shows := func(p page, selector, want string) {
		t.Helper()
		eventually(t, 15*time.Second, p.name+" shows the title", func() error {
			text, err := p.text(t.Context(), selector)
			if err == nil && !strings.Contains(text, want) {
				err = fmt.Errorf("%w: %s says %q", errBrowser, selector, text)
			}
			return err
		})
	}
	shows(studio, `[data-testid="about-said"]`, "Saved")
	shows(studio, "h1", title)
	shows(b.open(t, "viewer", s.url("/r/"+room)), `[data-testid="room-name"]`, title)

	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	list := b.open(t, "list", s.url("/?q=%E5%9F%8E%E5%B8%82"))
	shows(list, `[data-testid="room-card"]`, title)
	list.fill(t, `[data-testid="rooms-search"]`, "museum")
	shows(list, `[data-testid="rooms-found"]`, "No room")
	list.calm(t)
}
