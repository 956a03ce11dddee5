package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"barrage/chat/internal/text"
)

func key(s string) string { return string(text.AppendKey(nil, text.Clean(s))) }

func TestKeyIsOne(t *testing.T) {
	for _, same := range [][]string{
		{"バルス", "バルス!!", "バルス！！！", "ﾊﾞﾙｽ", "ﾊﾞﾙｽ!", "ばるす", " バ ル ス ", "バルスーーー", "バルスッ!!", "「バルス」", "バルス〜〜", "バルス🔥", "ﾊﾞﾙｽ…"},
		{"草草草", "草草草草", "草草草草草草草草草", "草 草 草 草"},
		{"www", "wwww", "WWWWWWW", "ｗｗｗｗ", "w w w"},
		{"good", "goood", "GOOOOD!!", "ｇｏｏｄ"},
		{"888", "8888", "8888888888", "８８８８８"},
		{"2333", "23333", "233333333"},
		{"1000", "1,000", "１０００"},
		{"-1", "(-1)", "－1"},
		{"👍", "👍👍👍", "👍🏽", "👍 👍🏿"},
		{"👩\u200d👩\u200d👧", "👩👩👧"},
		{"❤", "❤️", "❤️❤️❤️"},
		{"?", "???", "？？", "? ?"},
		{"Straße", "straße", "STRAẞE"},
		{"ΣΟΦΟΣ", "σοφος"},
		{"é", "E\u0301"},
		{"ㅋㅋㅋ", "ㅋㅋㅋㅋㅋ"},
	} {
		for _, s := range same {
			if got, want := key(s), key(same[0]); got != want || got == "" {
				t.Errorf("key of %q = %q, want that of %q, which is %q", s, got, same[0], want)
			}
		}
	}
}

func TestKeyIsAnother(t *testing.T) {
	seen := make(map[string]string)
	for _, s := range []string{
		"バルス", "バス", "ビール", "ビル", "草", "草草", "god", "good", "1000", "10000", "1999", "19999", "3.5", "35", "-5", "5", "3-2", "32",
		"8", "88", "888", "23", "233", "👍", "👎", "❤", "?", "!", "?!", "え", "え?ー?", "ก", "กี่", "हि", "हा", "ー", "ッ", "w", "ww",
	} {
		k := key(s)
		if s == "え?ー?" {
			if k != key("え") {
				t.Errorf("key of %q = %q", s, k)
			}
			continue
		}
		if other, taken := seen[k]; taken || k == "" {
			t.Errorf("%q and %q have the key %q", s, other, k)
		}
		seen[k] = s
	}
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"バルス!!", "ﾊﾞﾙｽ", "www", "23333", "👍🏽", "ー", "3.5", "a\u0301\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = text.Clean(strings.ToValidUTF8(s, ""))
		k := key(s)
		if !utf8.ValidString(k) || string(text.AppendKey([]byte("ab"), s)) != "ab"+k {
			t.Fatalf("key of %q = %q, behind a prefix %q", s, k, text.AppendKey([]byte("ab"), s))
		}
	})
}

func BenchmarkAppendKey(b *testing.B) {
	for _, s := range []string{"balse!!", "バルス!!", "ﾊﾞﾙｽ", "主播好厉害啊啊啊啊", "👍🏽👍🏽"} {
		b.Run(s, func(b *testing.B) {
			dst := make([]byte, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				dst = text.AppendKey(dst[:0], s)
			}
		})
	}
}
