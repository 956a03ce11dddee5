package app

import (
	"slices"
	"strings"
	"testing"
)

func TestLinks(t *testing.T) {
	for _, c := range []struct {
		name, public string
		addrs        Addrs
		watch        string
		servers      []string
	}{
		{"one address", "", Addrs{HTTP: "127.0.0.1:8080", RTMP: "127.0.0.1:1935"}, "http://127.0.0.1:8080", []string{"rtmp://127.0.0.1/live"}},
		{"other port", "", Addrs{HTTP: "127.0.0.1:8081", RTMP: "127.0.0.1:1936"}, "http://127.0.0.1:8081", []string{"rtmp://127.0.0.1:1936/live"}},
		{"IPv6", "", Addrs{HTTP: "[::1]:8080", RTMP: "[::1]:1935"}, "http://[::1]:8080", []string{"rtmp://[::1]/live"}},
		{"public name", "https://live.example.org/", Addrs{HTTP: "[::]:8080", RTMP: "[::]:1935"}, "https://live.example.org", []string{"rtmp://live.example.org/live"}},
		{"no RTMP", "", Addrs{HTTP: "127.0.0.1:8080"}, "http://127.0.0.1:8080", nil},
	} {
		a := &App{addrs: c.addrs}
		a.cfg.HTTP.PublicURL = c.public
		got := a.links()
		if got.Pages[0] != c.watch || !slices.Equal(got.Servers, c.servers) {
			t.Errorf("%s: %+v, want %s %v", c.name, got, c.watch, c.servers)
		}
	}
}

func TestLinksOfEveryAddress(t *testing.T) {
	a := &App{addrs: Addrs{HTTP: "[::]:8080", RTMP: "[::]:1935"}}
	got := a.links()
	if got.Pages[0] != "http://localhost:8080" || len(got.Pages) != len(got.Servers) || got.Servers[0] != "rtmp://localhost/live" {
		t.Errorf("%+v, want localhost first", got)
	}
	for _, s := range got.Servers {
		if strings.Contains(s, "169.254.") || strings.Contains(s, "127.0.0.1") {
			t.Errorf("server %s is of no use to another machine", s)
		}
	}
}
