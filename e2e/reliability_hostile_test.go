//go:build reliability

package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"barrage/e2e/load"
)

// hostileTitle is what somebody with a host's token may call his room, at its longest.
const hostileTitle = `"><img src=x onerror=alert(1)></title><script>alert(2)</script>` + "\u202egnp.exe\u2066" + `{{.}}`

// hostile is what people may try to have run, or to break a page with, as nick and as text.
func hostile() []string {
	zalgo := "Z" + strings.Repeat("\u0300\u0316\u0489", 60) + "algo" + strings.Repeat("\u035c", 80)
	return []string{
		`<script>alert(1)</script>`,
		`<img src=x onerror=alert(1)>`,
		`<svg/onload=alert(1)>`,
		`"><iframe src="javascript:alert(1)">`,
		`'-alert(1)-'`,
		"`${alert(1)}`",
		`javascript:alert(1)`,
		`[click](javascript:alert(1))`,
		`<a href="https://evil.example/">prize</a>`,
		`&lt;script&gt;alert(1)&lt;/script&gt;`,
		`</script><script>alert(1)</script>`,
		`<style>*{display:none}</style>`,
		`<meta http-equiv="refresh" content="0;url=https://evil.example">`,
		`<base href="https://evil.example/">`,
		`<math><mtext></table><mglyph><style><img src onerror=alert(1)>`,
		`{{constructor.constructor("alert(1)")()}}`,
		`{"op":"tick","seq":1,"c":[]}`,
		"\u202egnp.exe evil\u202c",
		"\u2066\u2067\u2068 isolates \u2069 left \u200f\u200e open",
		"\u200b\u2060\ufeff\u00ad",
		zalgo,
		"a\u0000b\u0007c\u001b[31md\u0085e\u2028f\u2029g\nh\ri\tj",
		strings.Repeat("W", 200),
		strings.Repeat("﷽", 60),
		strings.Repeat("\U0001f468\u200d\U0001f469\u200d\U0001f467", 20),
		"ع" + strings.Repeat("ـ", 150),
		"constructor", "__proto__", "toString",
	}
}

// TestR15Hostile looks at every page with hostile names, comments and titles on it.
func TestR15Hostile(t *testing.T) {
	r := newRow(t, "R15", "XSS, bidi, zalgo, control characters, 10,000 characters: in nick, comment and title, on every page")
	s := serve(t, openMode, "BARRAGE_CHAT_RATE=100/s", "BARRAGE_CHAT_BURST=100", "BARRAGE_CHAT_MAX_SHOWN_PER_SECOND=200", "BARRAGE_WEB_EMBED_ORIGINS=*")
	host := s.command(t, "token", room, "-role", "host")
	publish(t, "rtmp://"+s.addrs.RTMP+"/live/"+room, card{})
	s.waitPhase(t, "live", 20*time.Second)
	s.describe(t, host)
	b := startBrowser(t)
	const traps = `window.ran = []; for (const f of ["alert", "confirm", "prompt", "open"]) window[f] = (x) => window.ran.push(f + x);`
	pages := map[string]page{}
	for name, path := range map[string]string{
		"room": "/r/" + room, "studio": "/studio/" + room + "#token=" + host, "directory": "/", "embed": "/embed/" + room, "overlay": "/overlay/" + room,
	} {
		pages[name] = b.openAs(t, name, s.url(path), map[string]any{"script": traps})
	}
	narrow := b.openAs(t, "narrow", s.url("/r/"+room), map[string]any{"script": traps, "width": 390, "height": 800})
	pages["narrow"] = narrow
	reads := map[string]bool{"room": true, "narrow": true, "studio": false}
	for name := range reads {
		pages[name].shows(t, "h1, [data-testid=room-name]", "onerror=alert(1)")
	}

	said, taken := 0, 0
	corpus := hostile()
	for i, nick := range corpus {
		for _, mode := range []string{"scroll", "top"} {
			text := corpus[(i+len(mode))%len(corpus)]
			ok, err := s.tries(t, nick, text, mode, i)
			if err != nil {
				t.Errorf("nick %.40q, text %.40q: %v", nick, text, err)
			}
			said++
			if ok {
				taken++
			}
		}
	}
	s.tooLong(t)
	r.measured("%d nicks and comments, %d shown, the others refused; 3,000 characters of nick are cut, 10,000 closed with 1009", said, taken)

	dir := t.ArtifactDir()
	bullets := 0
	for name, p := range pages {
		if name == "room" || name == "narrow" {
			p.shows(t, `[data-testid="comment-list"]`, `<script>alert(1)</script>`)
		}
		if name != "directory" && name != "studio" {
			eventually(t, 10*time.Second, name+" has bullets", func() error {
				n, err := p.count(t, `[data-testid="bullet"]`)
				if err == nil && n == 0 {
					err = errBrowser
				}
				bullets = max(bullets, n)
				return err
			})
		}
		p.screenshot(t, filepath.Join(dir, name+".png"))
		p.harmless(t)
		p.calm(t)
	}
	r.measured("%d pages: nothing ran, nothing was loaded from elsewhere, nothing is wider than its page", len(pages))
	s.preview(t)
	r.measured("HTML for link previews: the title is text")
	for _, bad := range []string{"\x1b[31m", "\u202e", "\x00", "<script>"} {
		if strings.Contains(s.log.String(), bad) {
			t.Errorf("the server's log holds %q", bad)
		}
	}
}

// describe gives the room its title and tags.
func (s *server) describe(t *testing.T, host string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"title": hostileTitle, "tags": []string{`<img src=x>`, `"onload="`}, "language": "en"})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url("/api/v1/rooms/"+room), strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+host)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the title is refused: %s", resp.Status)
	}
}

// tries says one comment as somebody new, and reports whether it was taken.
func (s *server) tries(t *testing.T, nick, text, mode string, i int) (taken bool, err error) {
	t.Helper()
	c, err := load.Dial(t.Context(), s.url(""), room, load.Who{Nick: nick})
	if err != nil {
		return false, err
	}
	defer func() { _ = c.Close() }()
	if n := []rune(c.Welcome.You.Nick); len(n) > 32 || strings.ContainsAny(c.Welcome.You.Nick, "\u202e\u2066\u2067\u0000\u001b\n\u200b") {
		t.Errorf("nick %q became %q", nick, c.Welcome.You.Nick)
	}
	frame, err := json.Marshal(map[string]any{"op": "send", "cid": strconv.Itoa(i), "text": text, "mode": mode})
	if err != nil {
		return false, err
	}
	if err = c.WriteRaw(frame); err != nil {
		return false, err
	}
	for {
		f, err := c.Next()
		if err != nil {
			return false, err
		}
		for _, a := range f.Acks {
			if a.Result == "rejected" && a.Reason != "empty" && a.Reason != "too_long" {
				err = fmt.Errorf("%w: %+v", load.ErrProtocol, a)
			}
			return a.Result != "rejected", err
		}
	}
}

// tooLong introduces itself with names that no frame or no list can hold.
func (s *server) tooLong(t *testing.T) {
	t.Helper()
	c, err := load.Dial(t.Context(), s.url(""), room, load.Who{Nick: strings.Repeat("名", 1000)})
	if err != nil {
		t.Fatal(err)
	}
	if n := len([]rune(c.Welcome.You.Nick)); n != 32 {
		t.Errorf("a nick of 1,000 has %d characters", n)
	}
	_ = c.Close()
	raw, _, err := knock(t.Context(), s, "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.say(wsText, `{"op":"hello","nick":"`+strings.Repeat("n", 10_000)+`"}`) // fails when the server has seen enough
	if code := raw.stay(nil); code != 1009 {
		t.Errorf("a nick of 10,000: closed with %d, want 1009", code)
	}
}

// shows waits until the page shows text somewhere in one of the elements.
func (p page) shows(t *testing.T, selector, text string) {
	t.Helper()
	eventually(t, 15*time.Second, p.name+" shows "+text, func() error {
		var all []string
		code := fmt.Sprintf(`[...document.querySelectorAll(%q)].filter((e) => e.checkVisibility()).map((e) => e.innerText)`, selector)
		err := p.eval(t.Context(), code, &all)
		if err == nil && !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, text) }) {
			err = fmt.Errorf("%w: it says %.300q", errBrowser, all)
		}
		return err
	})
}

func (p page) count(t *testing.T, selector string) (n int, err error) {
	t.Helper()
	return n, p.eval(t.Context(), fmt.Sprintf(`document.querySelectorAll(%q).length`, selector), &n)
}

// harmless fails the test when something ran, was loaded or stands out.
func (p page) harmless(t *testing.T) {
	t.Helper()
	var found struct {
		Ran, Elements, Foreign, Wide []string
		Width, Window                int
		Title                        string
	}
	err := p.eval(t.Context(), `(() => {
		const all = [...document.querySelectorAll("body *")];
		const name = (e) => e.outerHTML.slice(0, 120);
		return {
			ran: window.ran,
			// None of these is ours in the body, but for the page's own script and the pictures of cards.
			elements: all.filter((e) => /^(script|iframe|style|object|embed|meta|base|link|math|mglyph)$/i.test(e.tagName) && !(e.tagName === "SCRIPT" && e.src.startsWith(location.origin)) ||
				[...e.attributes].some((a) => a.name.startsWith("on")) || /^(javascript|data):/i.test(e.getAttribute("href") ?? "") ||
				e.tagName === "IMG" && !e.src.startsWith(location.origin)).map(name),
			foreign: performance.getEntriesByType("resource").map((r) => r.name).filter((u) => !u.startsWith(location.origin) && !u.startsWith("blob:") && !u.startsWith("data:")),
			// What is cut off by its parent stands out nowhere; bullets fly in from outside of their stage, which cuts them off.
			wide: all.filter((e) => e.checkVisibility() && !e.closest("[data-testid=bullets], [data-testid=bullet], [data-testid=measure]")).filter((e) => {
				const r = e.getBoundingClientRect();
				if (r.width === 0 || r.right <= innerWidth + 1) return false;
				for (let a = e.parentElement; a; a = a.parentElement) if (getComputedStyle(a).overflowX !== "visible" && a !== document.body && a !== document.documentElement) return false;
				return true;
			}).map(name),
			width: document.documentElement.scrollWidth, window: innerWidth, title: document.title,
		};
	})()`, &found)
	if err != nil {
		t.Fatal(errors.Join(errBrowser, err))
	}
	if len(found.Ran)+len(found.Elements)+len(found.Foreign)+len(found.Wide) > 0 || found.Width > found.Window {
		t.Errorf("page %s: %+v", p.name, found)
	}
	if p.name == "room" && !strings.Contains(found.Title, `<script>alert(2)</script>`) {
		t.Errorf("the title of the room's tab is %q", found.Title)
	}
}

// preview reads the page as what makes a preview of a link does.
func (s *server) preview(t *testing.T) {
	t.Helper()
	body, err := get(t.Context(), s.url("/r/"+room))
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	if strings.Contains(text, "<script>alert") || strings.Contains(text, "<img src=x") || strings.Count(text, "</title>") != 1 || strings.Contains(text, "\u202e") {
		t.Errorf("the title stands in the HTML as it is:\n%.2000s", text)
	}
	if !strings.Contains(text, "og:title") || !strings.Contains(text, "&lt;script&gt;alert(2)") {
		t.Errorf("the title is not in the HTML:\n%.2000s", text)
	}
}
