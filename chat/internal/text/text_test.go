package text_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"barrage/chat/internal/text"

	"golang.org/x/text/unicode/norm"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"ascii", "hello", "hello"},
		{"spaces at the ends", "  hi ", "hi"},
		{"ideographic space inside", "草　草", "草　草"},
		{"line breaks", "a\r\nb\u2028c", "a  b c"},
		{"tab", "a\tb", "a b"},
		{"C0 and C1", "a\x00\x1b[31mb\u0085c\u009bd", "a[31mb cd"},
		{"bidi controls", "abc\u202edef\u202c\u2066x\u2069", "abcdefx"},
		{"left-to-right mark", "a\u200eb\u200f", "ab"},
		{"zero width space, word joiner, BOM, soft hyphen", "a\u200b\u2060\ufeff\u00adb", "ab"},
		{"NFC", "e\u0301", "é"},
		{"two marks stay", "a\u0328\u0301", norm.NFC.String("a\u0328\u0301")},
		{"zalgo", "x" + strings.Repeat("\u0322", 50), "x\u0322\u0322"},
		{"mark without base", "\u0301\u0301", ""},
		{"mark after space", "a \u0301b", "a b"},
		{"emoji sequence", "👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"},
		{"flag and heart", "🏳\ufe0f\u200d🌈 ❤\ufe0f", "🏳\ufe0f\u200d🌈 ❤\ufe0f"},
		{"joiner between latin letters", "a\u200db", "ab"},
		{"persian non-joiner", "می\u200cخواهم", "می\u200cخواهم"},
		{"trailing non-joiner", "می\u200c", "می"},
		{"invisible letters", "\u3164\uffa0\u2800", ""},
		{"tags", "x\U000e0041\U000e007f", "x"},
		{"private use", "a\ue000b", "ab"},
		{"noncharacter", "a\ufffeb", "ab"},
		{"japanese", "ﾊﾞﾙｽ!!", "ﾊﾞﾙｽ!!"},
		{"markup is text", "<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"},
	} {
		if got := text.Clean(c.in); got != c.want {
			t.Errorf("%s: Clean(%q) = %q, want %q", c.what, c.in, got, c.want)
		}
	}
}

func TestCleanKeepsPlainTextAsItIs(t *testing.T) {
	for _, s := range []string{"nothing to do here!", "バルス！！", "主播好厉害啊 👍", "ﾊﾞﾙｽ"} {
		if n := testing.AllocsPerRun(100, func() { text.Clean(s) }); n != 0 {
			t.Errorf("Clean(%q) allocates %v times, want 0", s, n)
		}
	}
}

// TestShortCut: what is taken for ordinary is what all steps leave as it is. A
// zero width space, which goes, sends a text through all of them.
func TestShortCut(t *testing.T) {
	for r := range rune(0x20000) {
		s := "a" + string(r) + "b"
		if got, want := text.Clean(s), text.Clean("\u200b"+s); got != want {
			t.Errorf("Clean of a %U b = %q, by all steps %q", r, got, want)
		}
		if got, want := key(s), string(text.AppendKey(nil, norm.NFKC.String(text.Clean(s)))); got != want {
			t.Errorf("key of a %U b = %q, of its compatibility form %q", r, got, want)
		}
	}
}

func TestFitsAndCut(t *testing.T) {
	for _, c := range []struct {
		s            string
		runes, bytes int
		want         bool
	}{
		{"", 1, 1, true},
		{strings.Repeat("a", 200), 200, 600, true},
		{strings.Repeat("a", 201), 200, 600, false},
		{strings.Repeat("草", 200), 200, 600, true},
		{strings.Repeat("😀", 151), 200, 600, false},
	} {
		if got := text.Fits(c.s, c.runes, c.bytes); got != c.want {
			t.Errorf("Fits(%d bytes, %d, %d) = %v, want %v", len(c.s), c.runes, c.bytes, got, c.want)
		}
	}
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abc", 2, "ab"}, {"草草草", 1, "草"}, {"ab cd", 3, "ab"}, {"", 5, ""},
	} {
		if got := text.Cut(c.s, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

func TestColor(t *testing.T) {
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{"", "#ffffff", true},
		{"#Ff8800", "#ff8800", true},
		{"#ff880", "", false},
		{"ff88000", "", false},
		{"#ff88zz", "", false},
		{"red;}x{", "", false},
		{"#\x11\x11\x11\x11\x11\x11", "", false},
	} {
		if got, ok := text.Color(c.in); got != c.want || ok != c.ok {
			t.Errorf("Color(%q) = %q, %v, want %q, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("plain")
	f.Add("e\u0301\u200d\u202e\u3164 \u0301x")
	f.Add("a\u0322\u0301\u0322\u200ba")
	f.Add("👩\u200d👧\ufeff\u1100\u1161")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		got := text.Clean(s)
		if again := text.Clean(got); again != got {
			t.Fatalf("not idempotent: %q -> %q -> %q", s, got, again)
		}
		if slow := text.Clean("\u200b" + s); slow != got {
			t.Fatalf("Clean(%q) = %q, by all steps %q", s, got, slow)
		}
		if !utf8.ValidString(got) {
			t.Fatalf("Clean(%q) = %q, not UTF-8", s, got)
		}
		for _, r := range got {
			if unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
				t.Fatalf("Clean(%q) = %q keeps %U", s, got, r)
			}
		}
	})
}

func BenchmarkClean(b *testing.B) {
	for _, s := range []string{"balse!!", "主播好厉害啊啊啊啊"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				text.Clean(s)
			}
		})
	}
}
