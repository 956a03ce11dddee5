package origin

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

const plainHead = "GET /hls/live/1x2y/v0.m3u8?_HLS_msn=7&_HLS_part=2 HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\n" +
	"accept-encoding: gzip, br\r\nRange: bytes=0-\r\nCMCD-Session: sid=\"a\",cid=\"b\"\r\nConnection: keep-alive\r\nX-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2\r\nCookie: \r\n\r\n"

func TestParseHead(t *testing.T) {
	h, ok := parseHead(plainHead)
	want := head{
		method: "GET", path: "/hls/live/1x2y/v0.m3u8", query: "_HLS_msn=7&_HLS_part=2",
		accepts: "gzip, br", ranges: "bytes=0-", session: `sid="a",cid="b"`, agent: "Mozilla/5.0 (X11; Linux)", forwarded: []string{"192.0.2.1", "192.0.2.2"},
	}
	if !ok || h.method != want.method || h.path != want.path || h.query != want.query || h.accepts != want.accepts || h.ranges != want.ranges ||
		h.session != want.session || h.agent != want.agent || strings.Join(h.forwarded, " ") != strings.Join(want.forwarded, " ") {
		t.Errorf("read %+v, %v; want %+v", h, ok, want)
	}
	if h, ok := parseHead("HEAD /hls/live/index.m3u8 HTTP/1.1\r\nhost:[::1]:80\r\n\r\n"); !ok || h.method != "HEAD" || h.path != "/hls/live/index.m3u8" {
		t.Errorf("the least there is: %+v, %v", h, ok)
	}
}

// Whatever can be read in two ways, and whatever changes how what follows is read.
func TestNotForTheLane(t *testing.T) {
	for name, change := range map[string][2]string{
		"another method":       {"GET", "POST"},
		"a method in small":    {"GET", "get"},
		"HTTP/1.0":             {"HTTP/1.1", "HTTP/1.0"},
		"HTTP/2":               {"HTTP/1.1", "HTTP/2.0"},
		"no version":           {" HTTP/1.1", ""},
		"two blanks":           {"GET ", "GET  "},
		"more than a version":  {"HTTP/1.1", "HTTP/1.1 "},
		"another place":        {"/hls/", "/api/"},
		"the folder":           {"/hls/live/1x2y/v0.m3u8", "/hls"},
		"a whole address":      {"/hls/live", "http://localhost/hls/live"},
		"an escape":            {"live", "l%69ve"},
		"two slashes":          {"live/", "live//"},
		"a way up":             {"live/", "live/../"},
		"a way nowhere":        {"live/", "live/./"},
		"a fragment":           {"_part=2", "_part=2#x"},
		"a blank in the query": {"_part=2", "_part=2 3"},
		"letters beyond ASCII": {"live", "livé"},
		"a folded line":        {"Range", " Range"},
		"a blank before colon": {"Range:", "Range :"},
		"no colon":             {"Range: ", "Range "},
		"no name":              {"Range:", ":"},
		"a line feed alone":    {"Range: bytes=0-\r\n", "Range: bytes=0-\n"},
		"a return alone":       {"bytes=0-", "bytes\r=0-"},
		"a null":               {"bytes=0-", "bytes\x00=0-"},
		"a value beyond ASCII": {"Linux", "Lïnux"},
		"no host":              {"Host: localhost:8080\r\n", ""},
		"two hosts":            {"Host: localhost:8080\r\n", "Host: localhost:8080\r\nHost: localhost:8080\r\n"},
		"a bad host":           {"localhost", "local/host"},
		"a length":             {"Cookie: ", "Content-Length: 0"},
		"chunks":               {"Cookie: ", "Transfer-Encoding: chunked"},
		"a trailer":            {"Cookie: ", "Trailer: x"},
		"an upgrade":           {"Cookie: ", "Upgrade: websocket"},
		"a question before":    {"Cookie: ", "Expect: 100-continue"},
		"the last request":     {"keep-alive", "close"},
		"two options":          {"keep-alive", "keep-alive, upgrade"},
		"a field twice":        {"Cookie: ", "Range: bytes=1-"},
		"an empty field":       {"bytes=0-", ""},
		"no end":               {"\r\n\r\n", "\r\n"},
		"more than a head":     {"\r\n\r\n", "\r\n\r\nx"},
	} {
		text := strings.Replace(plainHead, change[0], change[1], 1)
		if text == plainHead {
			t.Errorf("%s: nothing was changed", name)
		}
		if h, ok := parseHead(text); ok {
			t.Errorf("%s: read as %+v", name, h)
		}
	}
}

// What the lane reads net/http reads alike.
func FuzzHead(f *testing.F) {
	f.Add(plainHead)
	f.Add("HEAD /hls/live/index.m3u8?x HTTP/1.1\r\nHost:a\r\nRange:\t bytes=1-2 \t\r\n\r\n")
	f.Add("GET /hls/a/b HTTP/1.1\r\nHost: [::1]:80\r\nRange: \r\nrange: bytes=2-\r\nConnection: Keep-Alive\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, ok := parseHead(text)
		if !ok {
			return
		}
		in := bufio.NewReader(strings.NewReader(text + "rest"))
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q is read as %+v, and not by net/http: %v", text, h, err)
		}
		if rest, _ := io.ReadAll(in); string(rest) != "rest" {
			t.Fatalf("%q: net/http leaves %q", text, rest)
		}
		theirs := head{
			method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, accepts: r.Header.Get("Accept-Encoding"),
			ranges: r.Header.Get("Range"), session: r.Header.Get("CMCD-Session"), agent: r.UserAgent(), forwarded: r.Header.Values("X-Forwarded-For"),
		}
		if h.method != theirs.method || h.path != theirs.path || h.query != theirs.query || h.accepts != theirs.accepts || h.ranges != theirs.ranges ||
			h.session != theirs.session || h.agent != theirs.agent || strings.Join(h.forwarded, "\n") != strings.Join(theirs.forwarded, "\n") {
			t.Errorf("%q:\nread %+v\nnet/http %+v", text, h, theirs)
		}
		if r.ContentLength != 0 || r.Close || r.Body != http.NoBody || r.URL.Fragment != "" || len(r.TransferEncoding) != 0 {
			t.Errorf("%q: net/http sees more: %+v", text, r)
		}
	})
}
