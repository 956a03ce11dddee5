package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Skeleton returns what a name looks like from afar: two names with one skeleton
// can be mistaken for each other (UTS #39, 4, with a table of our own that knows the
// letters of the alphabets that share shapes with Latin).
func Skeleton(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		twin, ok := twinOf(unicode.ToLower(r))
		if !ok && unicode.In(r, unicode.M, unicode.P, unicode.Z, unicode.Cc, unicode.Cf, unicode.Sk) {
			continue
		}
		r = twin
		b.WriteRune(r)
	}
	// Two letters that make one: the pairs that every font draws alike.
	return strings.NewReplacer("rn", "m", "vv", "w", "cl", "d").Replace(b.String())
}

// twinOf returns the Latin letter (or kanji) that r is drawn like.
func twinOf(r rune) (rune, bool) {
	for _, t := range [...]struct {
		twin  rune
		alike string
	}{
		{'o', "0оοσօᴏ〇"},
		{'l', "1i|ıɩіιǀӏᴉ"},
		{'s', "5$ѕꜱ"},
		{'a', "4@аɑαᴀ"},
		{'e', "3еєҽεзᴇ"},
		{'b', "8вβʙ"},
		{'c', "сϲᴄ"},
		{'d', "ԁɗᴅ"},
		{'g', "ɡ9ɢ"},
		{'h', "һнʜη"},
		{'j', "јᴊ"},
		{'k', "кκᴋ"},
		{'m', "мμᴍ"},
		{'n', "пɴиո"},
		{'p', "рρᴘ"},
		{'q', "ԛ"},
		{'r', "гʀ"},
		{'t', "тτ7ᴛ"},
		{'u', "υսцᴜ"},
		{'v', "νѵᴠ"},
		{'w', "ωшᴡ"},
		{'x', "хχ×"},
		{'y', "уγүʏ"},
		{'z', "2ᴢʐ"},
		{'力', "カ"}, // katakana drawn with the strokes of a kanji
		{'工', "エ"},
		{'口', "ロ"},
		{'二', "ニ"},
		{'八', "ハ"},
		{'夕', "タ"},
		{'卜', "ト"},
		{'ヘ', "へ"},
		{'一', "ー"},
	} {
		if strings.ContainsRune(t.alike, r) {
			return t.twin, true
		}
	}
	return r, false
}
