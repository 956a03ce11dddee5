package auth

import (
	"net/netip"
	"sync"
	"time"
)

// How wrong keys are delayed.
const (
	freeFailures  = 3 // a person mistypes
	firstDelay    = 250 * time.Millisecond
	maxDelay      = 4 * time.Second
	forgetAfter   = time.Minute // since the last wrong key
	maxAddresses  = 4096
	ipv6NetPrefix = 64 // one customer's network
)

// Backoff counts wrong keys per address. The zero value is ready. Only the
// answer to a wrong key is to be delayed: who has the right one never waits,
// whatever happened at the same address before.
type Backoff struct {
	mu    sync.Mutex
	addrs map[netip.Prefix]failures
}

type failures struct {
	n    int
	last time.Time
}

// Fail notes a wrong key from addr at now and returns how long to wait before
// saying so.
func (b *Backoff) Fail(addr netip.Addr, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.addrs == nil {
		b.addrs = map[netip.Prefix]failures{}
	}
	net := Network(addr)
	f, known := b.addrs[net]
	if !known {
		b.makeRoom()
	}
	if now.Sub(f.last) > forgetAfter {
		f.n = 0
	}
	f.n++
	f.last = now
	b.addrs[net] = f
	return delay(f.n)
}

// delay doubles from firstDelay to maxDelay.
func delay(n int) time.Duration {
	if n <= freeFailures {
		return 0
	}
	return min(firstDelay<<min(n-freeFailures-1, 16), maxDelay)
}

// makeRoom keeps the map bounded. Of a few entries, which Go picks at random,
// the one that was wrong the longest ago goes: forgetting one guesser is better
// than growing for all of them, or than searching while they come.
func (b *Backoff) makeRoom() {
	if len(b.addrs) < maxAddresses {
		return
	}
	const looks = 16
	var oldest netip.Prefix
	seen := 0
	for net, f := range b.addrs {
		if seen == 0 || f.last.Before(b.addrs[oldest].last) {
			oldest = net
		}
		if seen++; seen == looks {
			break
		}
	}
	delete(b.addrs, oldest)
}

// Network returns what counts as one address: an IPv4 address, or the network
// of 64 bits that an IPv6 customer holds.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = ipv6NetPrefix
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero Addr: all unknown addresses are one
	}
	return prefix
}
