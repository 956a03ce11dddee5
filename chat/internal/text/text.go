// Package text makes what people type safe to show to other people: one line,
// no invisible or direction-changing characters, no towers of accents.
//
// Decisions
//
//   - Repair, over refuse: a comment pasted from a word processor carries soft
//     hyphens and zero-width spaces its author never saw; he should not be told.
//     Only what is left is measured.
//   - A deny-list of characters, over a list of allowed ones: new emoji must
//     work on the day a phone has them, not when Unicode tables are updated.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxMarks is how many combining marks one base keeps. Vietnamese and
// vocalised Arabic need two; "zalgo" text uses dozens.
const maxMarks = 2

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// Clean returns s (valid UTF-8) as one line in NFC without control, invisible
// and bidirectional-control characters, and with at most two combining marks
// per base. Clean(Clean(s)) == Clean(s). It returns s itself, without copying,
// when nothing has to change.
func Clean(s string) string {
	if ordinary(s, true) && !spaced(s) {
		return s
	}
	// Each step can bring characters together that the step before has yet to
	// see; text settles after one or two rounds and never grows.
	for range 8 {
		next := strings.TrimFunc(limitMarks(norm.NFC.String(strip(s))), unicode.IsSpace)
		if next == s {
			break
		}
		s = next
	}
	return s
}

// ordinary reports whether s consists of characters that every step leaves as
// they are, whatever stands beside them: what most comments are written in. It
// says so quickly, and never of a text that has a combining mark. wide also
// allows what only compatibility forms (NFKC) would change.
func ordinary(s string, wide bool) bool {
	for _, r := range s {
		switch {
		case r >= ' ' && r <= '~',
			r >= 0x4e00 && r <= 0x9fff,   // CJK ideographs
			r >= 0x3041 && r <= 0x3096,   // hiragana
			r >= 0x30a0 && r <= 0x30fe,   // katakana
			r >= 0xac00 && r <= 0xd7a3,   // hangul syllables
			r >= 0x3001 && r <= 0x3029,   // CJK punctuation
			r >= 0x1f300 && r <= 0x1f64f, // emoji
			r >= 0x1f680 && r <= 0x1f6ff,
			r >= 0x1f900 && r <= 0x1f9ff:
		case wide && (r >= 0xff01 && r <= 0xff9f || r == '\u3000'): // full and half width
		default:
			return false
		}
	}
	return true
}

// spaced reports whether s has a space at an end.
func spaced(s string) bool {
	return strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") || strings.HasPrefix(s, "\u3000") || strings.HasSuffix(s, "\u3000")
}

func strip(s string) string {
	runes := []rune(s)
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range runes {
		switch {
		case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
			if i > 0 && i+1 < len(runes) && joins(r, runes[i-1], runes[i+1]) {
				b.WriteRune(r)
			}
		case blank(r):
			b.WriteByte(' ')
		case !hidden(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// blank characters look like a space, whatever Unicode calls them: all line
// breaks (a comment is one line) and the letters without a glyph that are used
// to send "empty" comments. The ideographic space stays, people draw with it.
func blank(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', '\u0085', '\u2028', '\u2029',
		'\u115f', '\u1160', '\u3164', '\uffa0', '\u2800':
		return true
	case ' ', '\u3000':
		return false
	}
	return unicode.Is(unicode.Zs, r)
}

// hidden characters never reach another screen: C0 and C1 controls, format
// characters (zero width, bidirectional controls U+202A–202E and U+2066–2069,
// byte order mark, tags), private use, noncharacters, and U+FFFD, which stands
// for a lone surrogate escape.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Noncharacter_Code_Point) ||
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || r == utf8.RuneError
}

// joins reports whether a joiner between prev and next has a visible effect:
// inside an emoji sequence, or between letters of a script that uses it.
func joins(joiner, prev, next rune) bool {
	if joiner == zeroWidthJoiner && pictograph(prev) && pictograph(next) {
		return true
	}
	return joining(prev) && joining(next)
}

func pictograph(r rune) bool {
	return unicode.In(r, unicode.So, unicode.Sk) || r == '\ufe0f' || r >= 0x1f000 && r <= 0x1ffff
}

func joining(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari, unicode.Bengali,
		unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada,
		unicode.Malayalam, unicode.Sinhala, unicode.Khmer)
}

func limitMarks(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	marks := maxMarks // none without a base
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > maxMarks {
				continue
			}
		case unicode.IsSpace(r):
			marks = maxMarks
		default:
			marks = 0
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Fits reports whether s has at most maxRunes runes and maxBytes bytes.
func Fits(s string, maxRunes, maxBytes int) bool {
	return len(s) <= maxBytes && utf8.RuneCountInString(s) <= maxRunes
}

// Cut returns at most the first n runes of s.
func Cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return strings.TrimRightFunc(s[:i], unicode.IsSpace)
		}
		n--
	}
	return s
}

// Color returns s as "#rrggbb" in lower case, white for the empty string, and
// false for everything that is not a colour.
func Color(s string) (string, bool) {
	if s == "" {
		return "#ffffff", true
	}
	if len(s) != 7 || s[0] != '#' {
		return "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i] | 0x20; {
		case s[i] >= '0' && s[i] <= '9', c >= 'a' && c <= 'f':
		default:
			return "", false
		}
	}
	return strings.ToLower(s), true
}
