package text_test

import (
	"testing"

	"barrage/chat/internal/text"
)

func TestSkeleton(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"Anna", "anna", true},
		{"Anna", "Аnnа", true}, // Cyrillic А, а
		{"paul", "раυl", true}, // Cyrillic р, а, Greek υ
		{"Anna", "Ａｎｎａ", true},
		{"Anna", "A n n a", true},
		{"Anna", "Ánña", true},
		{"Anna", "anna.", true},
		{"Anna", "@nna", true},
		{"Lily", "1i1y", true},
		{"oscar", "0scar", true},
		{"modern", "modem", true},
		{"小明", "小 明", true},
		{"ﾊﾞﾙｽ", "バルス", true},
		{"工藤", "エ藤", true},
		{"Anna", "Anne", false},
		{"小明", "小朋", false},
		{"Anna", "Hanna", false},
	} {
		if got := text.Skeleton(c.a) == text.Skeleton(c.b); got != c.same {
			t.Errorf("%q ~ %q = %v (%q, %q), want %v", c.a, c.b, got, text.Skeleton(c.a), text.Skeleton(c.b), c.same)
		}
	}
}
