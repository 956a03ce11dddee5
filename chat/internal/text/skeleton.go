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
	switch r {
	case '0', 'о', 'ο', 'σ', 'օ', 'ᴏ', '〇':
		return 'o', true
	case '1', 'i', '|', 'ı', 'ɩ', 'і', 'ι', 'ǀ', 'ӏ', 'ᴉ':
		return 'l', true
	case '5', '$', 'ѕ', 'ꜱ':
		return 's', true
	case '4', '@', 'а', 'ɑ', 'α', 'ᴀ':
		return 'a', true
	case '3', 'е', 'є', 'ҽ', 'ε', 'з', 'ᴇ':
		return 'e', true
	case '8', 'в', 'β', 'ʙ':
		return 'b', true
	case 'с', 'ϲ', 'ᴄ':
		return 'c', true
	case 'ԁ', 'ɗ', 'ᴅ':
		return 'd', true
	case 'ɡ', '9', 'ɢ':
		return 'g', true
	case 'һ', 'н', 'ʜ', 'η':
		return 'h', true
	case 'ј', 'ᴊ':
		return 'j', true
	case 'к', 'κ', 'ᴋ':
		return 'k', true
	case 'м', 'μ', 'ᴍ':
		return 'm', true
	case 'п', 'ո', 'ɴ', 'и':
		return 'n', true
	case 'р', 'ρ', 'ᴘ':
		return 'p', true
	case 'ԛ':
		return 'q', true
	case 'г', 'ʀ':
		return 'r', true
	case 'т', 'τ', '7', 'ᴛ':
		return 't', true
	case 'υ', 'ս', 'ц', 'ᴜ':
		return 'u', true
	case 'ν', 'ѵ', 'ᴠ':
		return 'v', true
	case 'ω', 'ш', 'ᴡ':
		return 'w', true
	case 'х', 'χ', '×':
		return 'x', true
	case 'у', 'γ', 'ү', 'ʏ':
		return 'y', true
	case '2', 'ᴢ', 'ʐ':
		return 'z', true
	case 'カ': // kanji, and katakana drawn with the same strokes
		return '力', true
	case 'エ':
		return '工', true
	case 'ロ':
		return '口', true
	case 'ニ':
		return '二', true
	case 'ハ':
		return '八', true
	case 'タ':
		return '夕', true
	case 'ト':
		return '卜', true
	case 'へ':
		return 'ヘ', true
	case '一', 'ー':
		return '一', true
	}
	return r, false
}
