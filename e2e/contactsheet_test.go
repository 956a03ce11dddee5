//go:build players

package e2e_test

import (
	"fmt"
	"html"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barrage/e2e/load"
)

// sheet takes pictures of pages, to be looked at side by side.
type sheet struct {
	t     *testing.T
	b     *browser
	dir   string
	views []view
	rows  []string // names of states, in the order they were seen
}

// view is a size and a language, with the pages it has open.
type view struct {
	name  string
	wish  map[string]any
	pages map[string]page
}

func newSheet(t *testing.T) *sheet {
	t.Helper()
	s := &sheet{t: t, b: startBrowser(t), dir: filepath.Join(root, "bin", "contact-sheet")}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, lang := range []string{"zh", "en"} {
		for size, at := range map[string][2]int{"1440x900": {1440, 900}, "390x844": {390, 844}} {
			wish := map[string]any{"width": at[0], "height": at[1], "locale": map[string]string{"zh": "zh-CN", "en": "en-US"}[lang]}
			s.views = append(s.views, view{size + "-" + lang, wish, map[string]page{}})
		}
	}
	return s
}

// open opens a page in every view.
func (s *sheet) open(name, url, script string) {
	s.t.Helper()
	for _, v := range s.views {
		wish := map[string]any{"script": script}
		maps.Copy(wish, v.wish)
		v.pages[name] = s.b.openAs(s.t, name+" "+v.name, url, wish)
	}
}

func (s *sheet) close(name string) {
	s.t.Helper()
	for _, v := range s.views {
		v.pages[name].must(s.t, "close", map[string]any{})
		delete(v.pages, name)
	}
}

// each calls do with the page in every view.
func (s *sheet) each(name string, do func(p page)) {
	for _, v := range s.views {
		do(v.pages[name])
	}
}

// take keeps what the page shows in every view once it shows selector.
func (s *sheet) take(state, name, selector string) {
	s.t.Helper()
	s.rows = append(s.rows, state)
	for _, v := range s.views {
		p := v.pages[name]
		eventually(s.t, 60*time.Second, state+": "+p.name, func() error {
			_, err := p.text(s.t.Context(), selector)
			return err
		})
		p.screenshot(s.t, filepath.Join(s.dir, state+"-"+v.name+".png"))
	}
}

// press types a key in every view.
func (s *sheet) press(name, key string) {
	s.t.Helper()
	s.each(name, func(p page) { p.press(s.t, ":focus, body", key) })
}

// write makes one page of all pictures.
func (s *sheet) write() {
	s.t.Helper()
	var out strings.Builder
	out.WriteString(`<!doctype html><meta charset="utf-8"><title>barrage</title><style>body{background:#222;color:#ddd;font:16px system-ui}
td{vertical-align:top;padding:6px}img{height:300px;display:block;border-radius:4px}</style><table>`)
	for _, state := range s.rows {
		fmt.Fprintf(&out, "<tr><th>%s</th>", html.EscapeString(state))
		for _, v := range s.views {
			fmt.Fprintf(&out, `<td><img loading="lazy" src="contact-sheet/%s-%s.png"></td>`, state, v.name)
		}
		out.WriteString("</tr>\n")
	}
	if err := os.WriteFile(s.dir+".html", []byte(out.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// dusk is a picture worth looking at.
func dusk(t *testing.T, s *server) *process {
	t.Helper()
	return start(t, nil, "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", "-re",
		"-f", "lavfi", "-i", "gradients=size=640x360:rate=15:nb_colors=5:seed=7:speed=0.004:c0=0x12092b:c1=0x3b1a6e:c2=0x8e2a7c:c3=0xd9575b:c4=0x1b2a5e",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "120", "-b:v", "800k", "-threads", "1",
		"-c:a", "aac", "-b:a", "64k", "-ac", "2", "-f", "flv", s.publishURL(t))
}

// party has people say something and like the show.
func party(t *testing.T, s *server, said map[string]string) {
	t.Helper()
	for nick, text := range said {
		conn, err := load.Dial(t.Context(), s.url(""), room, load.Who{Nick: nick})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				if _, ended := conn.Next(); ended != nil {
					return
				}
			}
		}()
		t.Cleanup(func() {
			_ = conn.Close()
			<-done
		})
		if _, err = conn.Send(text); err != nil {
			t.Fatal(err)
		}
		if err = conn.Like(4); err != nil {
			t.Fatal(err)
		}
	}
}

const noMSE = `for (const name of ["MediaSource", "ManagedMediaSource", "WebKitMediaSource"]) delete window[name]`

// TestContactSheet takes a picture of every page in every state, in two sizes and two
// languages: bin/contact-sheet.html.
func TestContactSheet(t *testing.T) {
	s := serve(t, "BARRAGE_INGEST_GRACE=20s")
	c := newSheet(t)
	defer c.write()
	studio := "/studio/" + room + "#token=" + s.command(t, "token", room, "-role", "host")
	for state, path := range map[string]string{"directory-empty": "/", "not-found": "/r/No", "studio-idle": studio, "studio-no-token": "/studio/" + room} {
		c.open(state, s.url(path), "")
		c.take(state, state, "h1, .lost")
		c.close(state)
	}
	c.open("unsupported", s.url("/r/"+room), noMSE)
	c.take("room-unsupported", "unsupported", `[data-screen="unsupported"]`)
	c.close("unsupported")

	c.open("room", s.url("/r/"+room), "")
	c.take("room-offline", "room", `[data-screen="offline"]`)
	publisher := dusk(t, s)
	c.take("room-starting", "room", `[data-screen="starting"], [data-screen="live"]`)
	c.take("room-first", "room", `[data-screen="live"] [data-testid="unmute"]`)
	c.each("room", func(p page) {
		p.must(t, "eval", map[string]any{"code": `document.querySelector('[data-testid="unmute"]').click()`})
	})
	first := map[string]string{
		"mia": "here we go!", "小雨": "晚上好", "Ben": "hello from the sofa", "阿哲": "这个颜色好漂亮", "tomo": "wwwwwww", "lena": "first time here, hi all", "老王": "来了来了",
		"kim": "that was amazing", "Ana": "encore!", "j": "好耶",
	}
	party(t, s, first)
	c.take("room-live", "room", `[data-testid="bullet"]`)
	for state, keys := range map[string]string{"room-bullets": "d", "room-playback": "s", "room-keys": "?"} {
		c.press("room", keys)
		c.take(state, "room", `.panel[open], .keys-help:not([hidden])`)
		c.press("room", "Escape")
	}
	c.each("room", func(p page) {
		p.must(t, "eval", map[string]any{"code": `document.querySelector('[data-testid="share"]').click()`})
	})
	c.take("room-share", "room", `[data-testid="share-qr"]`)
	c.press("room", "Escape")
	c.press("room", "ArrowLeft")
	c.press("room", "ArrowLeft")
	c.take("room-behind", "room", `[data-testid="go-live"].late`)
	c.press("room", "l")

	for state, path := range map[string]string{"directory-live": "/", "studio-live": studio, "embed-live": "/embed/" + room} {
		c.open(state, s.url(path), "")
		c.take(state, state, `[data-testid="room-card"], [data-screen="live"]`)
		c.close(state)
	}
	publisher.kill()
	c.take("room-away", "room", `[data-screen="away"]`)
	c.take("room-ended", "room", `[data-screen="ended"]`)
	s.stop(t)
	c.take("room-unreachable", "room", `[data-screen="unreachable"]`)
}
