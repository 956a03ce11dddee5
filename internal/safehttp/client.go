package safehttp

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Clients names the client behind trusted proxies. It is immutable.
type Clients struct {
	trusted []netip.Prefix
}

// NewClients believes the X-Forwarded-For entries written by peers inside
// trusted, and those only.
func NewClients(trusted []netip.Prefix) *Clients {
	return &Clients{trusted: append([]netip.Prefix(nil), trusted...)}
}

// Addr returns the address of the client that sent r: its TCP peer, or, when
// that is a trusted proxy, the nearest entry of X-Forwarded-For that is not one.
// The zero Addr means a peer without an IP address (a Unix socket).
func (c *Clients) Addr(r *http.Request) netip.Addr {
	peer := parseHop(r.RemoteAddr)
	if !c.trusts(peer) {
		return peer
	}
	client := peer
	// Several header lines are one list, in order (RFC 9110 section 5.3).
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if client = parseHop(strings.TrimSpace(hop)); !client.IsValid() {
			return peer // also when there is no header
		}
		if !c.trusts(client) {
			break
		}
	}
	return client
}

func (c *Clients) trusts(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	for _, p := range c.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port: some proxies append the
// port. The zone of a link-local address is dropped; it means nothing elsewhere.
func parseHop(s string) netip.Addr {
	port, err := netip.ParseAddrPort(s) // first: every peer has one, and an error is an allocation
	addr := port.Addr()
	if err != nil {
		if addr, err = netip.ParseAddr(strings.Trim(s, "[]")); err != nil {
			return netip.Addr{}
		}
	}
	return addr.Unmap().WithZone("")
}

// ParsePrefixes reads networks ("10.0.0.0/8") and single addresses ("::1") and
// reports every one it cannot read.
func ParsePrefixes(texts []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(texts))
	var errs []error
	for _, text := range texts {
		p, err := parsePrefix(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, errors.Join(errs...)
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q: must be an address or a network such as 10.0.0.0/8 or fd00::/8", text)
	}
	return p.Masked(), nil
}
