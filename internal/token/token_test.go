package token_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"barrage/internal/token"
)

var secret = bytes.Repeat([]byte{7}, 32)

func TestRoundTrip(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	want := token.Claims{Room: "live", Role: token.RoleHost, Subject: "anna", Expires: now.Unix() + 60}
	text, err := token.Sign(secret, token.UsePerson, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := token.Parse(secret, token.UsePerson, text, now)
	if err != nil || got != want {
		t.Fatalf("Parse = %+v, %v, want %+v", got, err, want)
	}
	if _, err = token.Parse(secret, token.UsePerson, text, now.Add(time.Minute)); !errors.Is(err, token.ErrExpired) {
		t.Errorf("at its expiry: %v, want ErrExpired", err)
	}
	for what, bad := range map[string]string{
		"empty": "", "no dot": strings.ReplaceAll(text, ".", ""), "cut": text[:len(text)-1],
		"changed claims": "A" + text[1:], "changed mac": text[:len(text)-2] + "AA", "long": text + strings.Repeat("A", token.MaxLength),
	} {
		if _, err = token.Parse(secret, token.UsePerson, bad, now); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
	if _, err = token.Parse(secret, "other", text, now); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another use: %v, want ErrInvalid", err)
	}
}

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		claims token.Claims
		room   string
		role   token.Role
		want   bool
	}{
		{token.Claims{Room: "live", Role: token.RoleHost}, "live", token.RoleModerator, true},
		{token.Claims{Room: "live", Role: token.RoleModerator}, "live", token.RoleHost, false},
		{token.Claims{Room: "live", Role: token.RoleHost}, "other", token.RoleViewer, false},
		{token.Claims{Role: token.RoleViewer}, "any", token.RoleViewer, true},
		{token.Claims{Role: token.RoleHost}, "any", token.RoleHost, false},
	} {
		if got := c.claims.Allows(c.room, c.role); got != c.want {
			t.Errorf("%+v allows %s in %s = %v, want %v", c.claims, c.role, c.room, got, c.want)
		}
	}
}

func TestLoadSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token.secret")
	var wg sync.WaitGroup
	got := make([][]byte, 8)
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = token.LoadSecret(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range got {
		if len(s) != 32 || !bytes.Equal(s, got[0]) {
			t.Fatalf("secrets differ: %x", got)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := token.LoadSecret(path); err == nil || !strings.Contains(err.Error(), "delete the file") {
		t.Errorf("damaged secret: %v, want advice", err)
	}
}

func FuzzParse(f *testing.F) {
	good, _ := token.Sign(secret, token.UsePerson, token.Claims{Role: token.RoleViewer, Subject: "g"})
	f.Add(good)
	f.Add("a.b")
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := token.Parse(secret, token.UsePerson, s, time.Unix(0, 0)); err == nil && s != good {
			t.Errorf("accepted %q", s)
		}
	})
}
