package safehttp_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"barrage/internal/safehttp"
)

func prefixes(tb testing.TB, texts ...string) []netip.Prefix {
	tb.Helper()
	p, err := safehttp.ParsePrefixes(texts)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestAddr(t *testing.T) {
	trusted := prefixes(t, "10.0.0.0/8", "::1", "127.0.0.1")
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "203.0.113.9:4711", nil, "203.0.113.9"},
		{"a stranger's header is not believed", "203.0.113.9:4711", []string{"1.2.3.4"}, "203.0.113.9"},
		{"one proxy", "10.1.2.3:80", []string{"198.51.100.7"}, "198.51.100.7"},
		{"what the client made up stands left", "10.1.2.3:80", []string{"1.1.1.1, 198.51.100.7"}, "198.51.100.7"},
		{"two proxies", "10.1.2.3:80", []string{"198.51.100.7, 10.9.9.9"}, "198.51.100.7"},
		{"several header lines", "10.1.2.3:80", []string{"1.1.1.1", "198.51.100.7", "10.9.9.9"}, "198.51.100.7"},
		{"a proxy without a client", "10.1.2.3:80", nil, "10.1.2.3"},
		{"only proxies", "10.1.2.3:80", []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		{"malformed where we must look", "10.1.2.3:80", []string{"1.1.1.1, unknown"}, "10.1.2.3"},
		{"malformed behind a good entry is never read", "10.1.2.3:80", []string{"<script>, 198.51.100.7"}, "198.51.100.7"},
		{"empty entry", "10.1.2.3:80", []string{"198.51.100.7,"}, "10.1.2.3"},
		{"with port", "10.1.2.3:80", []string{"198.51.100.7:5555"}, "198.51.100.7"},
		{"IPv6 with port", "[::1]:80", []string{"[2001:db8::7]:5555"}, "2001:db8::7"},
		{"IPv6 in brackets", "[::1]:80", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv4-in-IPv6 peer is the IPv4 proxy", "[::ffff:10.1.2.3]:80", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"zone dropped", "[fe80::1%eth0]:80", nil, "fe80::1"},
		{"a Unix socket has no address", "@", []string{"198.51.100.7"}, "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
			if got := safehttp.NewClients(trusted).Addr(r); got.String() != c.want {
				t.Errorf("Addr(%s, %q) = %v, want %s", c.peer, c.forwarded, got, c.want)
			}
		})
	}
}

func TestClientsKeepTheirOwnList(t *testing.T) {
	list := prefixes(t, "10.0.0.0/8")
	clients := safehttp.NewClients(list)
	list[0] = netip.MustParsePrefix("0.0.0.0/0")
	r := &http.Request{RemoteAddr: "203.0.113.9:1", Header: http.Header{"X-Forwarded-For": {"1.2.3.4"}}}
	if got := clients.Addr(r).String(); got != "203.0.113.9" {
		t.Errorf("Addr = %s after the caller's list changed, want the peer", got)
	}
}

func TestParsePrefixes(t *testing.T) {
	got := prefixes(t, "10.1.2.3/8", "192.0.2.1", "::ffff:192.0.2.2", "fd00::/8")
	want := "10.0.0.0/8 192.0.2.1/32 192.0.2.2/32 fd00::/8"
	var texts []string
	for _, p := range got {
		texts = append(texts, p.String())
	}
	if text := strings.Join(texts, " "); text != want {
		t.Errorf("ParsePrefixes = %s, want %s", text, want)
	}
	_, err := safehttp.ParsePrefixes([]string{"10.0.0.0/33", "10.0.0.1", "proxy.example", "::ffff:10.0.0.0/104"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, bad := range []string{`"10.0.0.0/33"`, `"proxy.example"`, `"::ffff:10.0.0.0/104"`} {
		if !strings.Contains(err.Error(), bad) {
			t.Errorf("error %q does not name %s", err, bad)
		}
	}
	if strings.Contains(err.Error(), `"10.0.0.1"`) {
		t.Errorf("error %q names a good address", err)
	}
}

func FuzzAddr(f *testing.F) {
	f.Add("10.0.0.1:1", "1.2.3.4, 10.0.0.2")
	f.Add("[::1]:1", "[::ffff:1.2.3.4]:9,,")
	trusted := prefixes(f, "10.0.0.0/8", "::/0")
	f.Fuzz(func(t *testing.T, peer, header string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {header}}}
		if a := safehttp.NewClients(trusted).Addr(r); a.Is4In6() || a.Zone() != "" {
			t.Errorf("Addr(%q, %q) = %v, want a plain address", peer, header, a)
		}
		direct := safehttp.NewClients(nil).Addr(&http.Request{RemoteAddr: peer})
		if a := safehttp.NewClients(nil).Addr(r); a != direct {
			t.Errorf("without trusted proxies the header changed %v to %v", direct, a)
		}
	})
}
