package text

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// AppendKey appends what two people who shout the same have in common: s (as
// Clean left it) in compatibility form and lower case, katakana for hiragana,
// without spaces and punctuation. A letter that stands three times or more
// stands twice, and the lengthening at the end of a shout goes: ー, ッ.
//
// Symbols and emoji go where there is a letter or a digit beside them, and make
// the key where there is none; so do question marks. Numbers keep what changes
// their value, and their digits: 1000 is not 10000. Only the laughter and the
// applause of digits is shortened, 888… and 2333….
func AppendKey(dst []byte, s string) []byte {
	if !ordinary(s, false) {
		s = norm.NFKC.String(s)
	}
	k := keyer{dst: dst, begin: len(dst)}
	if k.letters(s); len(k.dst) == k.begin {
		k.symbols(s)
		return k.dst
	}
	k.shorten()
	return k.dst
}

// keyer builds one key at the end of dst.
type keyer struct {
	dst   []byte
	begin int
	last  rune // appended
	run   int  // how often it stands there in a row
}

// add appends r unless it stands there most times already.
func (k *keyer) add(r rune, most int) {
	if r != k.last {
		k.last, k.run = r, 0
	}
	if k.run++; k.run <= most {
		k.dst = utf8.AppendRune(k.dst, r)
	}
}

// letters appends the letters, marks and digits of s.
func (k *keyer) letters(s string) {
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z':
			k.add(r, 2)
		case r >= '0' && r <= '9':
			k.add(r, len(s))
		case r < utf8.RuneSelf:
			switch {
			case r >= 'A' && r <= 'Z':
				k.add(r|0x20, 2)
			case valued(r) && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
				k.add(r, 1)
			}
		case r >= 0x3041 && r <= 0x3096: // hiragana
			k.add(r+0x60, 2)
		case r >= 0x30a1 && r <= 0x30fe && r != 0x30fb, r >= 0x4e00 && r <= 0x9fff:
			k.add(r, 2)
		case unicode.In(r, unicode.L, unicode.Mn, unicode.Mc, unicode.N) && !selector(r):
			// SpecialCasing: both sigmas, both s, have one capital.
			k.add(unicode.ToLower(unicode.ToUpper(r)), 2)
		}
	}
}

// valued characters before a digit belong to the number, as in -1, 3:2, 0.5.
func valued(r rune) bool {
	switch r {
	case '.', ':', '/', '+', '-':
		return true
	}
	return false
}

// selector runes change how the rune before them is drawn, not what it says:
// variation selectors, the keycap.
func selector(r rune) bool { return unicode.Is(unicode.Variation_Selector, r) || r == 0x20e3 }

// symbols appends what is no letter, each run once: skin tones and joiners go.
func (k *keyer) symbols(s string) {
	for _, r := range s {
		if unicode.IsSpace(r) || selector(r) || r == zeroWidthJoiner || r >= 0x1f3fb && r <= 0x1f3ff {
			continue
		}
		k.add(r, 1)
	}
}

// shorten takes the lengthening off the end, as far as something stays, and
// the repetition off digits that laugh or clap.
func (k *keyer) shorten() {
	for {
		r, size := utf8.DecodeLastRune(k.dst[k.begin:])
		if r != 'ー' && r != 'ッ' || len(k.dst)-size == k.begin {
			break
		}
		k.dst = k.dst[:len(k.dst)-size]
	}
	digits := k.dst[k.begin:]
	if len(digits) > 2 && digits[0] == '2' && digits[1] == '3' {
		digits = digits[1:]
	}
	if len(digits) <= 3 || digits[0] < '0' || digits[0] > '9' {
		return
	}
	for _, d := range digits {
		if d != digits[0] {
			return
		}
	}
	k.dst = k.dst[:len(k.dst)-len(digits)+3]
}
