package origin_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"barrage/packager"
	"barrage/packager/origin"
)

// Players that name their session are counted by it, the others by address and user
// agent; our page's are not counted here.
func TestPlayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var from netip.Addr
		s := open(t, origin.Options{ClientAddr: func(*http.Request) netip.Addr { return from }})
		path := s.base + "v0.m3u8"
		for n := range 300 {
			from = netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})
			s.get(path, "User-Agent", "vlc")
			s.get(path, "User-Agent", "vlc")
			s.get(s.base+"a0.m3u8", "User-Agent", "vlc")
			s.get(path, "User-Agent", "ours", "CMCD-Session", `cid="live",sid="barrage-page-1"`)
			s.get(path+"?CMCD=sid%3D%22barrage-page-2%22", "User-Agent", "ours")
			s.get("/hls/live/index.m3u8", "User-Agent", "only looking")
			s.do(http.MethodHead, path, "User-Agent", "only looking")
			s.do(http.MethodOptions, path, "User-Agent", "only looking")
		}
		from = netip.AddrFrom4([4]byte{10, 1, 0, 1})
		s.get(path, "User-Agent", "mpv")
		for n := range 40 { // of one household, with one user agent
			s.get(path, "User-Agent", "theirs", "CMCD-Session", fmt.Sprintf(`cid="live",sid="6e2fb550-%d",v=1`, n))
			s.get(s.base+fmt.Sprintf("a0.m3u8?CMCD=cid%%3D%%22live%%22%%2Csid%%3D%%226e2fb550-%d%%22&x=1", n), "User-Agent", "theirs")
		}
		if n := s.stream.Status().Players; n != (packager.Players{Exact: 40, Estimated: 301}) || n.Sum() != 341 {
			t.Errorf("players %+v, want 40 with a session and 301 without", n)
		}
		<-time.After(12 * time.Second)
		if n := s.stream.Status().Players; n.Sum() != 0 {
			t.Errorf("players %+v 12 s later, want none", n)
		}
	})
}

// What is no session id names nobody: such players are told apart as the others are.
func TestBadSessions(t *testing.T) {
	s := open(t, origin.Options{})
	for _, cmcd := range []string{`cid="a"`, `sid=""`, `xsid="1"`, `sid=1`, `"sid"`, ""} {
		s.get(s.base+"v0.m3u8", "User-Agent", "one", "CMCD-Session", cmcd)
	}
	s.get(s.base+"v0.m3u8?CMCD=%zz", "User-Agent", "one")
	if n := s.stream.Status().Players; n != (packager.Players{Estimated: 1}) {
		t.Errorf("players %+v, want one", n)
	}
}

// Nobody makes a room look full from one place, by inventing sessions or user agents
// or by using up the addresses of one IPv6 network.
func TestPlayersOfOnePlace(t *testing.T) {
	var from netip.Addr
	s := open(t, origin.Options{ClientAddr: func(*http.Request) netip.Addr { return from }})
	for n := range 2000 {
		for _, addr := range []netip.Addr{
			netip.AddrFrom4([4]byte{192, 0, 2, 1}),
			netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(n), 14: byte(n >> 8)}),
		} {
			from = addr
			s.get(s.base+"v0.m3u8", "User-Agent", fmt.Sprintf("agent %d", n))
			s.get(s.base+"v0.m3u8", "CMCD-Session", fmt.Sprintf(`sid="%d"`, n))
		}
	}
	n := s.stream.Status().Players
	if n.Exact > 2*64 || n.Estimated > 2*64 || n.Exact < 64 || n.Estimated < 64 {
		t.Errorf("two places are %+v, want at most 64 each", n)
	}
}
