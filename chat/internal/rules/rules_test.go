package rules_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"barrage/chat/internal/rules"
	"barrage/chat/internal/text"
	"barrage/internal/token"
)

const now = int64(1_800_000_000_000)

// book applies orders, which must succeed, to an empty book.
func book(t *testing.T, orders ...rules.Order) rules.Book {
	t.Helper()
	var b rules.Book
	for _, o := range orders {
		var err error
		if o.At == 0 {
			o.At = now
		}
		if b, err = b.Apply(o, ""); err != nil {
			t.Fatalf("Apply(%+v): %v", o, err)
		}
	}
	return b
}

func TestWhoIsMutedAndBanned(t *testing.T) {
	viewer, moderator, host := token.RoleViewer, token.RoleModerator, token.RoleHost
	addr := netip.MustParseAddr
	for _, c := range []struct {
		what    string
		order   rules.Order
		person  rules.Person
		when    rules.When
		session string
		muted   bool
		banned  bool
	}{
		{"muted for good", rules.Order{Do: rules.Mute, Who: "a"}, rules.Person{ID: "a", Role: viewer}, rules.When{Now: now + 1e12}, "", true, false},
		{"another one", rules.Order{Do: rules.Mute, Who: "a"}, rules.Person{ID: "b", Role: viewer}, rules.When{Now: now}, "", false, false},
		{"muted for a minute", rules.Order{Do: rules.Mute, Who: "a", Seconds: 60}, rules.Person{ID: "a", Role: viewer}, rules.When{Now: now + 59_999}, "", true, false},
		{"the minute is over", rules.Order{Do: rules.Mute, Who: "a", Seconds: 60}, rules.Person{ID: "a", Role: viewer}, rules.When{Now: now + 60_000}, "", false, false},
		{"for this show", rules.Order{Do: rules.Mute, Who: "a", Session: "s1"}, rules.Person{ID: "a", Role: viewer}, rules.When{Now: now, Session: "s1"}, "s1", true, false},
		{"after this show", rules.Order{Do: rules.Mute, Who: "a", Session: "s1"}, rules.Person{ID: "a", Role: viewer}, rules.When{Now: now}, "s1", true, false},
		{"the next show", rules.Order{Do: rules.Mute, Who: "a", Session: "s1"}, rules.Person{ID: "a", Role: viewer}, rules.When{Now: now, Session: "s2"}, "s1", false, false},
		{"a host is never muted", rules.Order{Do: rules.Mute, Who: "a", Host: true}, rules.Person{ID: "a", Role: host}, rules.When{Now: now}, "", false, false},
		{"a moderator by a moderator", rules.Order{Do: rules.Ban, Who: "a"}, rules.Person{ID: "a", Role: moderator}, rules.When{Now: now}, "", false, false},
		{"a moderator by a host", rules.Order{Do: rules.Ban, Who: "a", Host: true}, rules.Person{ID: "a", Role: moderator}, rules.When{Now: now}, "", false, true},
		{"banned", rules.Order{Do: rules.Ban, Who: "a", Seconds: 9}, rules.Person{ID: "a", Role: viewer}, rules.When{Now: now}, "", false, true},
		{"network", rules.Order{Do: rules.Ban, CIDR: "203.0.113.0/24"}, rules.Person{ID: "x", Role: viewer, Addr: addr("203.0.113.77")}, rules.When{Now: now}, "", false, true},
		{"mapped address", rules.Order{Do: rules.Ban, CIDR: "203.0.113.7"}, rules.Person{ID: "x", Role: viewer, Addr: addr("::ffff:203.0.113.7")}, rules.When{Now: now}, "", false, true},
		{"beside the network", rules.Order{Do: rules.Ban, CIDR: "203.0.113.7/24"}, rules.Person{ID: "x", Role: viewer, Addr: addr("203.0.114.1")}, rules.When{Now: now}, "", false, false},
		{"a /64", rules.Order{Do: rules.Ban, CIDR: "2001:db8:1:2::/64"}, rules.Person{ID: "x", Role: viewer, Addr: addr("2001:db8:1:2:9::1")}, rules.When{Now: now}, "", false, true},
		{"a moderator in the network", rules.Order{Do: rules.Ban, CIDR: "203.0.113.0/24", Host: true}, rules.Person{ID: "x", Role: moderator, Addr: addr("203.0.113.7")}, rules.When{Now: now}, "", false, false},
	} {
		c.order.At = now
		b, err := rules.Book{}.Apply(c.order, c.session)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		law := rules.Enforce(b)
		if _, muted := law.Muted(c.person, c.when); muted != c.muted {
			t.Errorf("%s: muted = %v, want %v", c.what, muted, c.muted)
		}
		if _, banned := law.Banned(c.person, c.when); banned != c.banned {
			t.Errorf("%s: banned = %v, want %v", c.what, banned, c.banned)
		}
	}
}

func TestOrdersThatCannotBeFollowed(t *testing.T) {
	full := rules.Book{}
	for i := range rules.MaxSentences {
		full.Mutes = append(full.Mutes, rules.Sentence{Who: fmt.Sprint(i), By: "m"})
	}
	hosts := book(t, rules.Order{Do: rules.Mute, Who: "a", Host: true}, rules.Order{Do: rules.Ban, Who: "a", Host: true})
	for _, c := range []struct {
		what string
		book rules.Book
		o    rules.Order
		want error
	}{
		{"unknown", rules.Book{}, rules.Order{Do: "dance"}, rules.ErrBad},
		{"slow for more than an hour", rules.Book{}, rules.Order{Do: rules.Slow, Seconds: 3601}, rules.ErrBad},
		{"negative slow", rules.Book{}, rules.Order{Do: rules.Slow, Seconds: -1}, rules.ErrBad},
		{"mute nobody", rules.Book{}, rules.Order{Do: rules.Mute}, rules.ErrBad},
		{"mute a network", rules.Book{}, rules.Order{Do: rules.Mute, CIDR: "203.0.113.0/24"}, rules.ErrBad},
		{"ban half the world", rules.Book{}, rules.Order{Do: rules.Ban, CIDR: "0.0.0.0/1"}, rules.ErrBad},
		{"ban a mapped network", rules.Book{}, rules.Order{Do: rules.Ban, CIDR: "::ffff:0:0/96"}, rules.ErrBad},
		{"ban nonsense", rules.Book{}, rules.Order{Do: rules.Ban, CIDR: "my neighbour"}, rules.ErrBad},
		{"both", rules.Book{}, rules.Order{Do: rules.Ban, Who: "a", CIDR: "203.0.113.0/24"}, rules.ErrBad},
		{"no word", rules.Book{}, rules.Order{Do: rules.Block, Words: []string{" \u200b"}}, rules.ErrBad},
		{"long word", rules.Book{}, rules.Order{Do: rules.Block, Words: []string{strings.Repeat("ab", 33)}}, rules.ErrBad},
		{"long notice", rules.Book{}, rules.Order{Do: rules.Notice, Text: strings.Repeat("a", 201)}, rules.ErrBad},
		{"full", full, rules.Order{Do: rules.Mute, Who: "one more"}, rules.ErrFull},
		{"full, but known", full, rules.Order{Do: rules.Mute, Who: "7", Seconds: 5}, nil},
		{"milder than the host", hosts, rules.Order{Do: rules.Mute, Who: "a", Seconds: 1}, rules.ErrForbidden},
		{"undo the host's mute", hosts, rules.Order{Do: rules.Unmute, Who: "a"}, rules.ErrForbidden},
		{"undo the host's ban", hosts, rules.Order{Do: rules.Unban, Who: "a"}, rules.ErrForbidden},
		{"the host undoes", hosts, rules.Order{Do: rules.Unban, Who: "a", Host: true}, nil},
	} {
		c.o.At = now
		before := fmt.Sprintf("%+v", c.book)
		if _, err := c.book.Apply(c.o, ""); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		if after := fmt.Sprintf("%+v", c.book); after != before {
			t.Errorf("%s: Apply changed the book it was given", c.what)
		}
	}
}

func TestUndoAndExpiry(t *testing.T) {
	b := book(t,
		rules.Order{Do: rules.Ban, Who: "a", Addr: true},
		rules.Order{Do: rules.Ban, CIDR: "203.0.113.7", Of: "a", Seconds: 100},
		rules.Order{Do: rules.Mute, Who: "b", Seconds: 1},
		rules.Order{Do: rules.Block, Words: []string{"rude", "もう"}},
		rules.Order{Do: rules.Notice, Text: " be\u202e kind "},
		rules.Order{Do: rules.Slow, Seconds: 5},
		rules.Order{Do: rules.Unban, Who: "a"},
		rules.Order{Do: rules.Unblock, Words: []string{"rude"}, At: now + 1000},
	)
	if len(b.Bans) != 0 || len(b.Mutes) != 0 || len(b.Words) != 1 || b.Notice != "be kind" || b.Slow != 5 || b.Rev != 8 {
		t.Errorf("book = %+v", b)
	}
	body, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := rules.Parse(body)
	if err != nil || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", b) {
		t.Errorf("Parse(Encode) = %+v, %v, want %+v", again, err, b)
	}
}

func TestTooLargeABook(t *testing.T) {
	var b rules.Book
	for range rules.MaxWords {
		b.Words = append(b.Words, strings.Repeat("長", 20))
	}
	if _, err := b.Encode(); !errors.Is(err, rules.ErrFull) {
		t.Errorf("Encode = %v, want ErrFull", err)
	}
	if _, err := rules.Parse([]byte("{")); err == nil {
		t.Error("Parse of half a document succeeds")
	}
}

func TestWords(t *testing.T) {
	w := rules.NewWords([]string{"spoiler", "バカ", "fuck you", "死", "ß"})
	for _, c := range []struct {
		text string
		want bool
	}{
		{"no harm", false},
		{"a SPOILER!", true},
		{"s.p.o.i.l.e.r", true},
		{"ｓｐｏｉｌｅｒ", true},
		{"sp oiler", true},
		{"spoile", false},
		{"spoilspoiler", true},
		{"ﾊﾞｶ", true},
		{"ばか", true},
		{"バ", false},
		{"FuckYou", true},
		{"必死だな", true},
		{"", false},
	} {
		if got := w.In(text.AppendKey(nil, c.text)); got != c.want {
			t.Errorf("In(%q) = %v, want %v", c.text, got, c.want)
		}
	}
}

// TestWordsAgainstSearch compares the matcher with the plain way.
func TestWordsAgainstSearch(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	some := func(n int) string {
		b := make([]rune, 1+rnd.IntN(n))
		for i := range b {
			b[i] = []rune("ab死バc")[rnd.IntN(5)]
		}
		return string(b)
	}
	for range 2000 {
		words := []string{some(4), some(6), some(6)}
		key := string(text.AppendKey(nil, some(12)))
		want := false
		for _, w := range words {
			want = want || strings.Contains(key, string(text.AppendKey(nil, w)))
		}
		if got := rules.NewWords(words).In([]byte(key)); got != want {
			t.Fatalf("In(%q) with %q = %v, want %v", key, words, got, want)
		}
	}
}

func BenchmarkWords(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var words []string
	for i := range 5000 {
		n := 2 + rnd.IntN(4)
		word := make([]rune, n)
		for j := range word {
			if i%2 == 0 {
				word[j] = rune('a' + rnd.IntN(26))
			} else {
				word[j] = rune(0x4e00 + rnd.IntN(2000))
			}
		}
		words = append(words, string(word)+"zq")
	}
	w := rules.NewWords(words)
	for _, s := range []string{"balse!!", "the quick brown fox jumps over", "主播好厉害啊今天也很开心"} {
		key := text.AppendKey(nil, s)
		if w.In(key) {
			b.Fatalf("%q has a blocked word", s)
		}
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.In(key)
			}
		})
	}
}
