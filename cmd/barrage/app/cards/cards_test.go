package cards_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"barrage/cmd/barrage/app/cards"
)

func TestParse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("弹", cards.MaxTitle)
	for _, c := range []struct {
		what, body string
		want       cards.Card
		valid      bool
	}{
		{"everything", `{"title":"Night walk","tags":["walk","城市"],"language":"zh-Hans"}`, cards.Card{Title: "Night walk", Tags: []string{"walk", "城市"}, Language: "zh-Hans"}, true},
		{"nothing", `{}`, cards.Card{}, true},
		{"markup is text", `{"title":"<script>alert(1)</script>"}`, cards.Card{Title: "<script>alert(1)</script>"}, true},
		{"bidi and zero width", `{"title":"a\u202eb\u200bc","tags":["\u2066x\u2069"]}`, cards.Card{Title: "abc", Tags: []string{"x"}}, true},
		{"zalgo", `{"title":"x` + strings.Repeat(`\u0322`, 40) + `"}`, cards.Card{Title: "x\u0322\u0322"}, true},
		{"lines become one", `{"title":" a\r\nb "}`, cards.Card{Title: "a  b"}, true},
		{"tags: signs, doubles, empty ones", `{"tags":["#Go","go","＃ 猫","","\u200b"]}`, cards.Card{Tags: []string{"Go", "猫"}}, true},
		{"longest title", `{"title":"` + long + `"}`, cards.Card{Title: long}, true},
		{"title too long", `{"title":"` + long + `x"}`, cards.Card{}, false},
		{"tag too long", `{"tags":["` + strings.Repeat("x", cards.MaxTag+1) + `"]}`, cards.Card{}, false},
		{"too many tags", `{"tags":["a","b","c","d","e","f","g","h","i"]}`, cards.Card{}, false},
		{"no language", `{"language":"klingon language"}`, cards.Card{}, false},
		{"markup as language", `{"language":"\"><b>"}`, cards.Card{}, false},
		{"endless language", `{"language":"en` + strings.Repeat("-abcdefgh", 9) + `"}`, cards.Card{}, false},
		{"unknown key", `{"html":"x"}`, cards.Card{}, false},
		{"not JSON", `title`, cards.Card{}, false},
		{"wrong type", `{"tags":"a"}`, cards.Card{}, false},
	} {
		got, err := cards.Parse([]byte(c.body))
		if (err == nil) != c.valid || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: Parse(%s) = %+v, %v, want %+v, valid %v", c.what, c.body, got, err, c.want, c.valid)
		}
		if err != nil && !errors.Is(err, cards.ErrInvalid) {
			t.Errorf("%s: error %v is not ErrInvalid", c.what, err)
		}
	}
}

func open(t *testing.T, folder string) *cards.Store {
	t.Helper()
	s, err := cards.Open(folder, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestCardsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "rooms")
	first := open(t, folder)
	want := cards.Card{Title: "Night walk", Tags: []string{"walk"}, Language: "en"}
	for _, c := range []cards.Card{{Title: "older"}, want} {
		if err := first.Put("live", c); err != nil {
			t.Fatal(err)
		}
	}
	if got := open(t, folder).Card("live"); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart the card is %+v, want %+v", got, want)
	}
	if got := first.Card("other"); !reflect.DeepEqual(got, cards.Card{}) {
		t.Errorf("a room nobody described has %+v", got)
	}
	if err := first.Put("../keys", want); err == nil {
		t.Error("Put outside of the folder = nil")
	}
}

func TestABrokenFileIsOneRooms(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, body := range map[string]string{
		"broken.json": "{", "good.json": `{"title":"good"}`, "UPPER.json": `{"title":"x"}`, ".good.json.new": "half",
		"huge.json": `{"title":"` + strings.Repeat(" ", 9<<10) + `x"}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, folder)
	for room, want := range map[string]string{"good": "good", "broken": "", "huge": "", "UPPER": ""} {
		if got := s.Card(room).Title; got != want {
			t.Errorf("room %s has the title %q, want %q", room, got, want)
		}
	}
	if err := s.Put("broken", cards.Card{Title: "mended"}); err != nil || s.Card("broken").Title != "mended" {
		t.Errorf("Put over a broken file = %v", err)
	}
}
