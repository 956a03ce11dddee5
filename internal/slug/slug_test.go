package slug_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"barrage/internal/slug"
)

func TestCheck(t *testing.T) {
	for name, ok := range map[string]bool{
		"live": true, "a-1": true, "0_0": true, strings.Repeat("a", 64): true,
		"": false, "ab": false, "-abc": false, "_abc": false, "Live": false, "a b": false, "a/b": false,
		"..": false, "a.b": false, "房间": false, strings.Repeat("a", 65): false, "abc\x00": false, "abc\n": false,
	} {
		if err := slug.Check(name); (err == nil) != ok {
			t.Errorf("Check(%q) = %v, want ok = %v", name, err, ok)
		} else if err != nil && !errors.Is(err, slug.ErrInvalid) {
			t.Errorf("Check(%q) = %v, want ErrInvalid", name, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	rule := regexp.MustCompile(`\A[a-z0-9][a-z0-9_-]{2,63}\z`)
	for _, s := range []string{"live", "a", "-ab", "A12", strings.Repeat("z", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := slug.Check(s) == nil, rule.MatchString(s); got != want {
			t.Errorf("Check(%q) ok = %v, want %v", s, got, want)
		}
	})
}
