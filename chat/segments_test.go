package chat_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barrage/chat"
)

const span = 10_000 // ms of a segment

func segmentPath(room string, t int64) string {
	return fmt.Sprintf("/chat/v1/rooms/%s/segments/%d.json", room, t-t%span)
}

// ask sends one request to the node's handler. header is name, value, name, value.
func (n *node) ask(t *testing.T, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	n.hub.Handler().ServeHTTP(w, r)
	return w
}

// texts are what a segment shows, with the totals of combos: "バルス×3".
func segmentTexts(t *testing.T, body []byte) (said []string) {
	t.Helper()
	var s struct {
		C [][]any  `json:"c"`
		K [][2]any `json:"k"`
	}
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatalf("segment %s: %v", body, err)
	}
	for _, c := range s.C {
		said = append(said, c[4].(string))
		for _, k := range s.K {
			if k[0] == c[0] {
				said[len(said)-1] = fmt.Sprint(c[4], "×", k[1])
			}
		}
	}
	return said
}

func wantSegment(t *testing.T, n *node, at int64, want ...string) {
	t.Helper()
	w := n.ask(t, http.MethodGet, segmentPath("live", at))
	if w.Code != http.StatusOK {
		t.Fatalf("segment of %d: %d %s", at, w.Code, w.Body)
	}
	if got := segmentTexts(t, w.Body.Bytes()); !slices.Equal(got, want) {
		t.Errorf("segment of %d shows %q, want %q", at, got, want)
	}
}

// onAir tells chat that the room is live and its newest sample is of pdt.
func onAir(t *testing.T, b chat.Broker, room string, pdt int64) {
	t.Helper()
	s := chat.RoomState{Room: room, Session: "s1", Epoch: "e", Phase: "live", Live: true, PDT: pdt, Window: 60_000}
	if err := b.Rooms().PutState(t.Context(), s, time.Hour); err != nil {
		t.Fatal(err)
	}
}

func TestSegments(t *testing.T) { synctest.Test(t, testSegments) }

func testSegments(t *testing.T) {
	const now int64 = 1_790_000_005_000
	broker := newMemory(t)
	onAir(t, broker, "live", now)
	n, other := start(t, setup{broker: broker, pipes: true}), start(t, setup{broker: broker, pipes: true})
	p, q := n.join(t, "live", nil), other.join(t, "live", nil)
	at := func(p *page, cid, text string, pdt int64) {
		p.send(map[string]any{"op": "send", "cid": cid, "text": text, "pdt": pdt})
		p.ack(cid)
	}
	at(p, "1", "now", now)
	at(q, "2", "バルス", now+1)
	at(p, "3", "twelve seconds ago", now-12_000)
	at(p, "4", "バルス!!", now+2) // the same shout
	at(q, "5", "too old, clamped", now-300_000)
	synctest.Wait() // every node has every tick

	for _, node := range []*node{n, other} {
		wantSegment(t, node, now, "now", "バルス×2")
		wantSegment(t, node, now-12_000, "twelve seconds ago")
		wantSegment(t, node, now-60_000, "too old, clamped")
		wantSegment(t, node, now-30_000)
	}
	a, b := n.ask(t, http.MethodGet, segmentPath("live", now)), other.ask(t, http.MethodGet, segmentPath("live", now))
	if !bytes.Equal(a.Body.Bytes(), b.Body.Bytes()) || a.Header().Get("ETag") != b.Header().Get("ETag") || a.Header().Get("ETag") == "" {
		t.Errorf("two nodes answer differently: %v %s and %v %s", a.Header(), a.Body, b.Header(), b.Body)
	}
	if got := a.Header().Get("Cache-Control"); got != "max-age=2" {
		t.Errorf("inside the window: Cache-Control %q", got)
	}
	if a.Header().Get("Set-Cookie") != "" || a.Header().Get("Content-Type") != "application/json" {
		t.Errorf("header %v", a.Header())
	}
	for path, code := range map[string]string{
		segmentPath("live", now+10_000):                          "not_yet",
		segmentPath("live", now-3_600_000):                       "no_such_segment",
		segmentPath("nobody", now):                               "no_such_segment",
		"/chat/v1/rooms/live/segments/1790000000001.json":        "bad_segment",
		"/chat/v1/rooms/live/segments/01790000000000.json":       "bad_segment",
		"/chat/v1/rooms/live/segments/-10000.json":               "bad_segment",
		"/chat/v1/rooms/live/segments/1790000000000":             "bad_segment",
		"/chat/v1/rooms/live/segments/..%2f..%2ftoken.json":      "bad_segment",
		"/chat/v1/rooms/%2e%2e%2fetc/segments/10000.json":        "no_such_room",
		"/chat/v1/rooms/live/segments/99999999999999999990.json": "bad_segment",
	} {
		w := n.ask(t, http.MethodGet, path)
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `"code":"`+code+`"`) {
			t.Errorf("%s: %d %s, want 404 %s", path, w.Code, w.Body, code)
		}
	}
	if w := n.ask(t, http.MethodGet, "/chat/v1/rooms"); strings.Contains(w.Body.String(), "nobody") {
		t.Errorf("asking for a segment opened a room that nobody has: %s", w.Body)
	}
	time.Sleep(2 * time.Minute) //nolint:forbidigo // fake time
	synctest.Wait()
	w := n.ask(t, http.MethodGet, segmentPath("live", now+60_000))
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "max-age=2" {
		t.Errorf("a silent segment: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w = n.ask(t, http.MethodGet, segmentPath("live", now)); w.Code != http.StatusNotFound {
		t.Errorf("without a disk a segment is kept for ever: %d", w.Code)
	}
}

func TestSegmentsForCaches(t *testing.T) {
	some := start(t, setup{config: func(c *chat.Config) { c.AllowedOrigins = []string{"https://fans.example"} }})
	all := start(t, setup{config: func(c *chat.Config) { c.AllowedOrigins = []string{"*"} }})
	moment := time.Now().UnixMilli()
	path := segmentPath("live", moment)
	for _, n := range []*node{some, all} {
		p := n.join(t, "live", nil)
		for i := range 12 {
			p.send(map[string]any{"op": "send", "cid": cid(i), "text": fmt.Sprint(strings.Repeat("long ", 20), i), "pdt": moment})
			p.ack(cid(i))
		}
	}
	plain := some.ask(t, http.MethodGet, path)
	packed := some.ask(t, http.MethodGet, path, "Accept-Encoding", "br, gzip;q=0.5")
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatalf("%v: %v", packed.Header(), err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, plain.Body.Bytes()) {
		t.Errorf("unpacked: %s, %v, want %s", got, err, plain.Body)
	}
	tag, packedTag := plain.Header().Get("ETag"), packed.Header().Get("ETag")
	if tag == packedTag || plain.Header().Get("Content-Encoding") != "" {
		t.Errorf("tags %s and %s, encoding %q", tag, packedTag, plain.Header().Get("Content-Encoding"))
	}
	for _, c := range []struct {
		what, method string
		header       []string
		status       int
		body         bool
	}{
		{"known", http.MethodGet, []string{"If-None-Match", `"other", W/` + tag}, 304, false},
		{"known, packed", http.MethodGet, []string{"If-None-Match", packedTag, "Accept-Encoding", "gzip"}, 304, false},
		{"of the other encoding", http.MethodGet, []string{"If-None-Match", packedTag}, 200, true},
		{"gzip unwelcome", http.MethodGet, []string{"Accept-Encoding", "gzip;q=0"}, 200, true},
		{"head", http.MethodHead, nil, 200, false},
		{"head, known", http.MethodHead, []string{"If-None-Match", "*"}, 304, false},
	} {
		w := some.ask(t, c.method, path, c.header...)
		if w.Code != c.status || (w.Body.Len() > 0) != c.body || w.Header().Get("ETag") == "" || w.Header().Get("Cache-Control") != "max-age=2" {
			t.Errorf("%s: %d, %d bytes, %v, want %d", c.what, w.Code, w.Body.Len(), w.Header(), c.status)
		}
		if c.status == 200 && w.Header().Get("Content-Length") != fmt.Sprint(plain.Body.Len()) {
			t.Errorf("%s: Content-Length %s, want %d", c.what, w.Header().Get("Content-Length"), plain.Body.Len())
		}
	}
	if w := some.ask(t, http.MethodPost, path); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	for _, c := range []struct {
		n            *node
		origin, want string
		vary         []string
	}{
		{some, "https://fans.example", "https://fans.example", []string{"Origin", "Accept-Encoding"}},
		{some, "https://evil.example", "", []string{"Origin", "Accept-Encoding"}},
		{all, "https://evil.example", "*", []string{"Accept-Encoding"}},
	} {
		h := c.n.ask(t, http.MethodGet, path, "Origin", c.origin).Header()
		if h.Get("Access-Control-Allow-Origin") != c.want || !slices.Equal(h.Values("Vary"), c.vary) {
			t.Errorf("%s: %q, Vary %q, want %q, %q", c.origin, h.Get("Access-Control-Allow-Origin"), h.Values("Vary"), c.want, c.vary)
		}
	}
}

// TestSegmentsOfARoomThatOpens asks a node on which nobody is.
func TestSegmentsOfARoomThatOpens(t *testing.T) { synctest.Test(t, testSegmentsOpen) }

func testSegmentsOpen(t *testing.T) {
	const now int64 = 1_790_000_005_000
	broker := newMemory(t)
	onAir(t, broker, "live", now)
	a, b := start(t, setup{broker: broker, pipes: true}), start(t, setup{broker: broker, pipes: true})
	p := a.join(t, "live", nil)
	begin := time.Now()
	for i := range 300 { // more than the ring of ticks has
		p.say(cid(i), fmt.Sprint("text ", i))
		p.ack(cid(i))
	}
	onAir(t, broker, "live", now+time.Since(begin).Milliseconds()) // as video says every two seconds
	seen := 0
	for at := now; at < now+60_000; at += span {
		if w := b.ask(t, http.MethodGet, segmentPath("live", at)); w.Code == http.StatusOK {
			seen += len(segmentTexts(t, w.Body.Bytes()))
		}
	}
	if seen != 300 {
		t.Errorf("a node that has just opened the room shows %d comments, want 300", seen)
	}
}
