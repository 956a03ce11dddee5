package load_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"barrage/e2e/load"
)

// scripted answers every connection with frames, then records what it hears
// until the client leaves or a frame says stop.
func scripted(t *testing.T, frames ...string) (url string, heard <-chan string) {
	t.Helper()
	said := make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upgrader := websocket.Upgrader{Subprotocols: []string{"barrage.v1"}, CheckOrigin: func(r *http.Request) bool {
			return r.Header.Get("Origin") != "https://evil.example"
		}}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.Close() }()
		said <- r.URL.Path + " " + ws.Subprotocol()
		for i := 0; ; i++ {
			_, text, err := ws.ReadMessage()
			if err != nil {
				return
			}
			said <- string(text)
			if i < len(frames) {
				if err = ws.WriteMessage(websocket.TextMessage, []byte(frames[i])); err != nil {
					return
				}
				continue
			}
			bye := websocket.FormatCloseMessage(4001, "restart")
			if err = ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, said
}

func TestConversation(t *testing.T) {
	url, heard := scripted(t,
		`{"op":"welcome","epoch":"e1","seq":7,"you":{"id":"g1","nick":"mia","role":"viewer","token":"T"},"history":[["a",1,"g0","ben","hi"]]}`,
		`{"op":"tick","seq":8,"viewers":2,"likes":3,"c":[["b",1763690000000,"g1","mia","你好","scroll","#ffffff","viewer","new field"]],"k":[],"rest":4}`,
	)
	conn, err := load.Dial(t.Context(), url, "live", load.Who{Nick: "mia", Token: "T"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if w := conn.Welcome; w.Epoch != "e1" || w.You.Token != "T" || len(w.History) != 1 || w.History[0].Text != "hi" {
		t.Errorf("welcome = %+v", w)
	}
	cid, err := conn.Send("你好")
	if err != nil {
		t.Fatal(err)
	}
	tick, err := conn.Next()
	if err != nil {
		t.Fatal(err)
	}
	want := load.Comment{ID: "b", PDT: 1_763_690_000_000, Author: "g1", Nick: "mia", Text: "你好"}
	if tick.Seq != 8 || tick.Viewers != 2 || tick.Likes != 3 || tick.Rest != 4 || !slices.Equal(tick.Shown, []load.Comment{want}) {
		t.Errorf("tick = %+v, want comment %+v", tick, want)
	}
	if err = conn.Like(5); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Next()
	if closed := (*websocket.CloseError)(nil); !errors.As(err, &closed) || closed.Code != 4001 {
		t.Errorf("at the end: %v, want close code 4001", err)
	}
	for _, want := range []string{
		"/chat/v1/rooms/live/ws barrage.v1", `{"nick":"mia","op":"hello","token":"T"}`,
		`{"cid":"` + cid + `","op":"send","text":"你好"}`, `{"n":5,"op":"like"}`,
	} {
		if got := <-heard; got != want {
			t.Errorf("the server heard %s, want %s", got, want)
		}
	}
}

func TestDialRefused(t *testing.T) {
	url, _ := scripted(t, `{"op":"bye","code":4003,"reason":"token","retry_ms":0}`)
	if _, err := load.Dial(t.Context(), url, "live", load.Who{Nick: "mia"}); !errors.Is(err, load.ErrProtocol) {
		t.Errorf("no welcome: %v, want ErrProtocol", err)
	}
	_, err := load.Dial(t.Context(), url, "live", load.Who{Nick: "mia", Origin: "https://evil.example"})
	if err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("refused upgrade: %v, want its status", err)
	}
}

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       load.Ack
		bad        bool
	}{
		{"shown", `["1","id1","shown"]`, load.Ack{CID: "1", ID: "id1", Result: "shown"}, false},
		{"rejected", `["1","","rejected","too_long"]`, load.Ack{CID: "1", Result: "rejected", Reason: "too_long"}, false},
		{"null", `["1",null,"held"]`, load.Ack{CID: "1", Result: "held"}, false},
		{"short", `["1"]`, load.Ack{CID: "1"}, false},
		{"no array", `{"cid":"1"}`, load.Ack{}, true},
		{"wrong type", `[1,"id1","shown"]`, load.Ack{}, true},
	} {
		var got load.Ack
		if err := json.Unmarshal([]byte(c.text), &got); (err != nil) != c.bad || (err == nil && got != c.want) {
			t.Errorf("%s: %+v, %v, want %+v, error %v", c.name, got, err, c.want, c.bad)
		}
	}
}
