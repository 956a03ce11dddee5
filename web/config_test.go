package web_test

import (
	"strings"
	"testing"

	"barrage/web"
)

func TestDefaultConfigIsValid(t *testing.T) {
	t.Parallel()
	if err := web.DefaultConfig().Validate(); err != nil {
		t.Errorf("Validate() = %v, want nil", err)
	}
}

func TestValidateOrigins(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value string
		valid bool
	}{
		{"", true},
		{"https://cdn.example.com", true},
		{"http://192.168.1.5:8080", true},
		{"http://[::1]:8080", true},
		{"https://cdn.example.com/", true},
		{"cdn.example.com", false},
		{"//cdn.example.com", false},
		{"ftp://cdn.example.com", false},
		{"https://", false},
		{"https://:443", false},
		{"https://cdn.example.com/live", false},
		{"https://cdn.example.com?x=1", false},
		{"https://cdn.example.com#x", false},
		{"https://user:secret@cdn.example.com", false},
		{"https://cdn.example.com; script-src *", false},
		{"https://*", false},
		{"https://a,b", false},
		{"https://a'b", false},
		{"javascript:alert(1)", false},
	}
	for _, tt := range tests {
		for _, key := range []string{"web.hls_url", "web.chat_url"} {
			cfg := web.DefaultConfig()
			if key == "web.hls_url" {
				cfg.HLSURL = tt.value
			} else {
				cfg.ChatURL = tt.value
			}
			err := cfg.Validate()
			if (err == nil) != tt.valid {
				t.Errorf("Validate() with %s %q = %v, want valid %v", key, tt.value, err, tt.valid)
			}
			if err != nil && (!strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), tt.value)) {
				t.Errorf("Validate() = %q, want it to name %s and %q", err, key, tt.value)
			}
		}
	}
}

func TestValidateReportsEverything(t *testing.T) {
	t.Parallel()
	err := web.Config{HLSURL: "x", ChatURL: "y", SiteName: " "}.Validate()
	for _, key := range []string{"web.hls_url", "web.chat_url", "web.site_name"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("Validate() = %v, want it to name %s", err, key)
		}
	}
	if err := (web.Config{SiteName: strings.Repeat("弹", 61)}).Validate(); err == nil {
		t.Error("Validate() = nil for a name of 61 characters")
	}
	if err := (web.Config{SiteName: strings.Repeat("弹", 60)}).Validate(); err != nil {
		t.Errorf("Validate() = %v for a name of 60 characters", err)
	}
}

func FuzzValidateOrigin(f *testing.F) {
	for _, seed := range []string{"https://a", "http://[::1]:80", "https://a;b", "https://a b", "https://a/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		cfg := web.DefaultConfig()
		cfg.ChatURL = value
		if cfg.Validate() != nil {
			return
		}
		if strings.ContainsAny(value, " ;,'\"\r\n\t*") {
			t.Errorf("origin %q is valid and could end its directive", value)
		}
	})
}
