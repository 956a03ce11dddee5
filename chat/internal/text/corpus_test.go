package text_test

import (
	"strings"
	"testing"
	"unicode"

	"barrage/chat/internal/text"
)

// TestCorpus: whatever comes, what is left cannot turn, hide or tower.
func TestCorpus(t *testing.T) {
	for _, s := range []string{
		"Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334A\u0317\u0332\u031e\u0346\u0364", "ก็็็็็็็็็็", "\u0e01\u0e33\u0e33\u0e33",
		"\u202egnirts\u202c", "\u2067אבג\u2069", "\u061c\u200f\u200e", "شكراً جزيلاً", "مي\u200cخواهم", "नमस्ते\u200d", "a\u200c\u200d\u200bb",
		"👨‍👩‍👧‍👦🏳️‍🌈👍🏽", "👩\u200d", "\u200d👩", "🇯🇵🇨", "\ufeffBOM\u2060", "\x00\x07\x1b[2J\x9b31m", "\u2028\u2029\u0085",
		"ㅤ\u115f\u1160\uffa0", "\u00ad\u034f\u17b4\u180e", "\U000e0001\U000e0061\U000e007f", "\ue000\U000f0000\ufdd0\U0010ffff", "\ufff9a\ufffab\ufffb",
		"Ａ ﾊﾞﾙｽ ｶﾞ", "e\u0301\u0301\u0301\u0301", "\u0489\u0489\u0489x\u20dd\u20dd\u20dd", "\u1ab0\u1ab0\u1ab0", strings.Repeat("\u0300", 500),
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "𝓯𝓪𝓷𝓬𝔂", "\u3000草\u3000", "\ufdfd\ufdfd",
	} {
		got, marks := []rune(text.Clean(s)), 0
		for i, r := range got {
			switch {
			case unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Co, unicode.Zl, unicode.Zp):
				t.Errorf("Clean(%q) keeps %U", s, r)
			case unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d':
				t.Errorf("Clean(%q) keeps the hidden %U", s, r)
			case (r == '\u200c' || r == '\u200d') && (i == 0 || i == len(got)-1):
				t.Errorf("Clean(%q) keeps a joiner at an end", s)
			}
			if unicode.In(r, unicode.Mn, unicode.Me) {
				marks++
			} else {
				marks = 0
			}
			if marks > 2 {
				t.Errorf("Clean(%q) = %q has %d marks in a row", s, string(got), marks)
			}
		}
	}
}
