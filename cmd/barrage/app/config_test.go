package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const shipped = "../../../configs/barrage.yaml"

// The shipped file is the defaults, and shows every setting.
func TestShippedConfigIsTheDefaults(t *testing.T) {
	cfg, warnings, err := load(sources{file: shipped})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := DefaultConfig()
	got, def := settings(reflect.ValueOf(&cfg).Elem(), ""), settings(reflect.ValueOf(&want).Elem(), "")
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	for key, leaf := range def {
		if a, b := fmt.Sprint(got[key].Interface()), fmt.Sprint(leaf.Interface()); a != b {
			t.Errorf("%s is %v in the file, %v by default", key, a, b)
		}
		last := key[strings.LastIndexByte(key, '.')+1:]
		if !strings.Contains(string(text), last+":") {
			t.Errorf("%s is not in the file", key)
		}
	}
}

func TestSourcesInOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	write(t, file, "http:\n  addr: :1001\n  public_url: http://file\nlog:\n  level: warn\ningest:\n  grace: 7s\n")
	cfg, warnings, err := load(sources{
		file: file,
		env:  []string{"BARRAGE_HTTP_ADDR=:1002", "BARRAGE_HTTP_TRUSTED_PROXIES=10.0.0.0/8, 127.0.0.1", "BARRAGE_PORT=tcp://x", "HOME=/"},
		set:  []string{"http.addr=:1003", "chat.burst=9"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || warnings[0] != "BARRAGE_PORT" {
		t.Errorf("warnings = %v, want BARRAGE_PORT alone", warnings)
	}
	for key, c := range map[string][2]any{
		"http.addr":            {cfg.HTTP.Addr, ":1003"},
		"http.public_url":      {cfg.HTTP.PublicURL, "http://file"},
		"http.trusted_proxies": {len(cfg.HTTP.TrustedProxies), 2},
		"log.level":            {cfg.Log.Level, "warn"},
		"ingest.grace":         {cfg.Ingest.Grace, 7 * time.Second},
		"chat.burst":           {cfg.Chat.Burst, 9},
		"chat.broker":          {cfg.Chat.Broker, DefaultConfig().Chat.Broker},
	} {
		if c[0] != c[1] {
			t.Errorf("%s = %v, want %v", key, c[0], c[1])
		}
	}
}

func TestBadConfigSaysWhereAndWhat(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	write(t, file, "http:\n  colour: :1001\n")
	for name, c := range map[string]struct {
		src  sources
		want []string
	}{
		"unknown key": {sources{file: file}, []string{file, "[2:3]", "colour"}},
		"no file":     {sources{file: file + ".not"}, []string{"no such file"}},
		"environment": {sources{env: []string{"BARRAGE_INGEST_GRACE=soon"}}, []string{"BARRAGE_INGEST_GRACE", "soon"}},
		"flag":        {sources{set: []string{"http.addres=:1"}}, []string{"http.addres", "no such setting"}},
		"flag form":   {sources{set: []string{"http.addr"}}, []string{"key=value"}},
		"several": {
			sources{set: []string{"http.addr=x", "log.level=loud", "log.format=xml", "http.public_url=ftp://a", "http.trusted_proxies=nobody"}},
			[]string{"http.addr", "log.level", "log.format", "http.public_url", "http.trusted_proxies"},
		},
	} {
		_, _, err := load(c.src)
		if !errors.Is(err, errConfig) || exitCode(err) != exitConfig {
			t.Errorf("%s: %v, want a configuration error", name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not name %q", name, err, w)
			}
		}
	}
}

func TestEmptyFileIsTheDefaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	for _, text := range []string{"", "# nothing\n", "---\n", "http:\n", "http:\n  # addr: :1\n", "http:\n  addr:\ningest:\n  auth:\n"} {
		write(t, file, text)
		if cfg, _, err := load(sources{file: file}); err != nil || !reflect.DeepEqual(cfg, DefaultConfig()) {
			t.Errorf("%q: %+v, %v, want the defaults", text, cfg, err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
