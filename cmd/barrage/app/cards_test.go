package app

import (
	"net/http"
	"strings"
	"testing"
)

func TestHostDescribesTheRoom(t *testing.T) {
	cfg := local(t)
	a := start(t, cfg)
	base := "http://" + a.Addrs().HTTP
	state := []string{"-state-dir", cfg.StateDir}
	host := command1(t, append([]string{"token", "live", "-role", "host"}, state...)...)
	moderator := command1(t, append([]string{"token", "live", "-role", "moderator"}, state...)...)
	other := command1(t, append([]string{"token", "other", "-role", "host"}, state...)...)
	const room, good = "/api/v1/rooms/live", `{"title":"Night\u202e <b>walk</b>","tags":["#walk"],"language":"en"}`
	for _, c := range []struct {
		what, bearer, body string
		status             int
		want               string
	}{
		{"nobody", "", good, 401, "bad_token"},
		{"a moderator", moderator, good, 403, "forbidden"},
		{"another room's host", other, good, 403, "forbidden"},
		{"a title too long", host, `{"title":"` + strings.Repeat("x", 81) + `"}`, 400, "at most 80"},
		{"too much", host, `{"title":"` + strings.Repeat("x", 9000) + `"}`, 413, "too_long"},
		{"the host", host, good, 200, `"title":"Night \u003cb\u003ewalk\u003c/b\u003e","tags":["walk"],"language":"en"`},
	} {
		if status, body := request(t, http.MethodPut, base+room, c.bearer, c.body); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("PUT by %s = %d %s, want %d with %q", c.what, status, body, c.status, c.want)
		}
	}
	if status, body := get(t, base+room, ""); status != 200 || !strings.Contains(body, `"tags":["walk"]`) {
		t.Errorf("GET %s = %d %s, want the tags", room, status, body)
	}
	// What is shared is the page: it carries the title, as text.
	if _, body := get(t, base+"/r/live", ""); strings.Contains(body, "<b>") {
		t.Errorf("the title became markup:\n%s", body)
	}
	if status, body := request(t, http.MethodPut, base+room, host, `{}`); status != 200 || strings.Contains(body, "title") {
		t.Errorf("PUT of an empty card = %d %s, want none", status, body)
	}
}
