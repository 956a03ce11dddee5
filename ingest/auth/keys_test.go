package auth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"barrage/ingest/auth"
)

func open(tb testing.TB, path string) *auth.Keys {
	tb.Helper()
	k, err := auth.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func mint(tb testing.TB, k *auth.Keys, room string, ttl time.Duration) string {
	tb.Helper()
	key, err := k.Mint(room, ttl)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func TestVerify(t *testing.T) {
	k := open(t, filepath.Join(t.TempDir(), "keys.json"))
	now := time.Now()
	forever, hour := mint(t, k, "live", 0), mint(t, k, "live", time.Hour)
	if !strings.HasPrefix(forever, "live.1.0.") {
		t.Errorf("key %q, want room, generation 1, no expiry", forever)
	}
	for _, c := range []struct {
		name, key string
		at        time.Time
		want      error
	}{
		{"good", forever, now, nil},
		{"good in a hundred years", forever, now.AddDate(100, 0, 0), nil},
		{"good for an hour", hour, now, nil},
		{"at its expiry", hour, now.Add(time.Hour + time.Second), auth.ErrKeyExpired},
		{"other room", strings.Replace(forever, "live", "evil", 1), now, auth.ErrBadKey},
		{"longer life", strings.Replace(hour, ".1.", ".1.9", 1), now, auth.ErrBadKey},
		{"other generation", strings.Replace(forever, ".1.", ".2.", 1), now, auth.ErrBadKey},
		{"leading zero", strings.Replace(forever, ".1.", ".01.", 1), now, auth.ErrBadKey},
		{"sign", strings.Replace(forever, ".1.", ".+1.", 1), now, auth.ErrBadKey},
		{"negative expiry", strings.Replace(forever, ".0.", ".-0.", 1), now, auth.ErrBadKey},
		{"mac cut", forever[:len(forever)-1], now, auth.ErrBadKey},
		{"mac changed", forever[:len(forever)-2] + flip(forever[len(forever)-2:]), now, auth.ErrBadKey},
		{"newline in the mac", forever[:len(forever)-2] + "\n" + forever[len(forever)-2:], now, auth.ErrBadKey},
		{"part more", forever + ".x", now, auth.ErrBadKey},
		{"part less", forever[:strings.LastIndexByte(forever, '.')], now, auth.ErrBadKey},
		{"empty", "", now, auth.ErrBadKey},
		{"room only", "live", now, auth.ErrBadKey},
		{"very long", forever + strings.Repeat("A", 1000), now, auth.ErrBadKey},
	} {
		room, err := k.Verify(c.key, c.at)
		if !errors.Is(err, c.want) || (err == nil) != (room == "live") {
			t.Errorf("%s: Verify(%q) = %q, %v, want %v", c.name, c.key, room, err, c.want)
		}
	}
}

// flip changes a base64url text into another of the same length.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

func TestKeysOfAnotherServer(t *testing.T) {
	a, b := open(t, filepath.Join(t.TempDir(), "a.json")), open(t, filepath.Join(t.TempDir(), "b.json"))
	mint(t, b, "live", 0)
	if _, err := b.Verify(mint(t, a, "live", 0), time.Now()); !errors.Is(err, auth.ErrBadKey) {
		t.Errorf("Verify = %v, want ErrBadKey", err)
	}
}

func TestRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	server, command := open(t, path), open(t, path)
	old, other := mint(t, command, "live", 0), mint(t, command, "other", 0)
	if room, err := server.Verify(old, time.Now()); err != nil || room != "live" {
		t.Fatalf("a key minted by another process: %q, %v", room, err)
	}
	if err := command.Rotate("live"); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Verify(old, time.Now()); !errors.Is(err, auth.ErrKeyRevoked) {
		t.Errorf("old key: %v, want ErrKeyRevoked", err)
	}
	if _, err := server.Verify(other, time.Now()); err != nil {
		t.Errorf("another room's key: %v, want none", err)
	}
	if _, err := server.Verify(mint(t, command, "live", 0), time.Now()); err != nil {
		t.Errorf("new key: %v, want none", err)
	}
	if got, want := server.Rooms(), []string{"live", "other"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Rooms = %v, want %v", got, want)
	}
}

func TestRefusesNonsense(t *testing.T) {
	k := open(t, filepath.Join(t.TempDir(), "keys.json"))
	if _, err := k.Mint("NO", 0); err == nil {
		t.Error("Mint of a bad room name: no error")
	}
	if _, err := k.Mint("live", -time.Second); err == nil {
		t.Error("Mint of a lifetime in the past: no error")
	}
	if err := k.Rotate("../../etc"); err == nil {
		t.Error("Rotate of a bad room name: no error")
	}
	if got := k.Rooms(); len(got) != 0 {
		t.Errorf("Rooms = %v, want none", got)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	var wg sync.WaitGroup
	keys := make([]*auth.Keys, 8)
	for i := range keys {
		wg.Go(func() { keys[i], _ = auth.Open(path) })
	}
	wg.Wait()
	key := mint(t, keys[0], "live", 0)
	for i, k := range keys {
		if _, err := k.Verify(key, time.Now()); err != nil {
			t.Errorf("process %d of 8 that started together: %v, want one secret for all", i, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".keys-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Several processes, as `barrage key` beside a running server, that write at once
// must not undo each other: a lost entry would revoke a key just handed out.
func TestProcessesWriteTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	server := open(t, path)
	const processes, rounds = 8, 10
	var wg sync.WaitGroup
	for p := range processes {
		k := open(t, path)
		wg.Go(func() {
			for round := range rounds {
				if _, err := k.Mint(fmt.Sprintf("room-%d-%d", p, round), 0); err != nil {
					t.Error(err)
				}
				if err := k.Rotate("shared"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(server.Rooms()); n != processes*rounds+1 {
		t.Errorf("%d rooms, want the %d that were made", n, processes*rounds+1)
	}
	key := mint(t, server, "shared", 0)
	if want := fmt.Sprintf("shared.%d.", processes*rounds); !strings.HasPrefix(key, want) {
		t.Errorf("key %q, want %s… after as many rotations", key, want)
	}
}

func TestDamagedFileKeepsTheKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	k := open(t, path)
	key := mint(t, k, "live", 0)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"not JSON": "{", "version": `{"version":2}`, "secret": `{"version":1,"secret":"00"}`,
		"room": strings.Replace(string(good), `"live"`, `"../x"`, 1), "huge": strings.Repeat(" ", 9<<20),
	} {
		if err = os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err = k.Verify(key, time.Now()); err != nil {
			t.Errorf("%s: %v, want the old keys in force", name, err)
		}
		if k.Problem() == nil {
			t.Errorf("%s: no problem reported", name)
		}
		if err = k.Rotate("live"); err == nil {
			t.Errorf("%s: the damaged file was written over", name)
		}
		if _, err = auth.Open(path); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if err = os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err = k.Verify(key, time.Now()); err != nil || k.Problem() == nil {
		t.Errorf("file gone: %v, problem %v, want the old keys and a problem", err, k.Problem())
	}
	if err = os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = k.Verify(key, time.Now()); err != nil || k.Problem() != nil {
		t.Errorf("file mended: %v, problem %v, want none", err, k.Problem())
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := auth.Open(filepath.Join(t.TempDir(), "missing", "keys.json")); err == nil {
		t.Error("Open in a directory that is not there: no error")
	}
	if _, err := auth.Open(t.TempDir()); err == nil {
		t.Error("Open of a directory: no error")
	}
}

func TestFileNamesEveryRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	k := open(t, path)
	mint(t, k, "live", 0)
	if err := k.Rotate("live"); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Version int                                 `json:"version"`
		Secret  string                              `json:"secret"`
		Rooms   map[string]struct{ Generation int } `json:"rooms"`
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(text, &file); err != nil || file.Version != 1 || len(file.Secret) != 64 || file.Rooms["live"].Generation != 2 {
		t.Errorf("file %+v, %v, want version 1, 64 digits, generation 2", file, err)
	}
}

func TestClaimed(t *testing.T) {
	for key, want := range map[string]string{"live.1.0.x": "live", "live": "", "": "", "../x.1": "", "LIVE.1": ""} {
		if got := auth.Claimed(key); got != want {
			t.Errorf("Claimed(%q) = %q, want %q", key, got, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	k := open(f, filepath.Join(f.TempDir(), "keys.json"))
	good := mint(f, k, "live", 0)
	for _, s := range []string{good, "live.1.0.", "live.1.0.AAAAAAAAAAAAAAAAAAAAAA", "....", good + "=", strings.Replace(good, ".0.", ".00.", 1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if room, err := k.Verify(key, time.Unix(0, 0)); (err == nil) != (key == good) || (err == nil) != (room == "live") {
			t.Errorf("Verify(%q) = %q, %v", key, room, err)
		}
	})
}
