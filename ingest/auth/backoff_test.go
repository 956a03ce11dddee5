package auth_test

import (
	"net/netip"
	"testing"
	"time"

	"barrage/ingest/auth"
)

func TestBackoff(t *testing.T) {
	var b auth.Backoff
	now := time.Unix(1_800_000_000, 0)
	guesser, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i, want := range []time.Duration{
		0, 0, 0, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second,
	} {
		if got := b.Fail(guesser, now); got != want {
			t.Errorf("wrong key %d: delay %v, want %v", i+1, got, want)
		}
	}
	for range 100 {
		if got := b.Fail(guesser, now); got != 4*time.Second {
			t.Fatalf("delay %v, want it to stay at 4s", got)
		}
	}
	if got := b.Fail(other, now); got != 0 {
		t.Errorf("another address: delay %v, want 0s", got)
	}
	if got := b.Fail(netip.MustParseAddr("::ffff:192.0.2.1"), now); got == 0 {
		t.Error("the same address mapped into IPv6: delay 0s, want it counted as one")
	}
	if got := b.Fail(guesser, now.Add(61*time.Second)); got != 0 {
		t.Errorf("a minute later: delay %v, want 0s", got)
	}
}

func TestBackoffIsBounded(t *testing.T) {
	var b auth.Backoff
	now := time.Unix(1_800_000_000, 0)
	addr := netip.MustParseAddr("10.0.0.0")
	for range 10_000 {
		b.Fail(addr, now)
		addr = addr.Next()
	}
	if n := b.Len(); n > 4096 {
		t.Errorf("%d addresses kept, want at most 4096", n)
	}
	if got := b.Fail(addr.Prev(), now); got != 0 {
		t.Errorf("second wrong key of the newest address: delay %v, want 0s", got)
	}
}

func TestNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := auth.Network(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("Network(%s) = %s, want %s", addr, got, want)
		}
	}
	if got := auth.Network(netip.Addr{}); got.IsValid() {
		t.Errorf("Network of no address = %v, want the zero Prefix", got)
	}
}
