package app

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"barrage/ingest"
	"barrage/internal/token"
)

const (
	rtmpPort  = "1935" // the port RTMP clients assume
	httpsPort = "443"  // and browsers
	// studioTTL is how long a printed studio link works.
	studioTTL = 30 * 24 * time.Hour
)

// links are the addresses people use.
type links struct {
	Servers []string // what the encoder wants as "server"; one for each address of this machine
	Pages   []string // base URLs of the pages; the first is the best, or for this machine itself
}

func (a *App) links() links {
	var l links
	var hosts []string
	if public, err := url.Parse(a.cfg.HTTP.PublicURL); err == nil && public.Host != "" {
		l.Pages = []string{strings.TrimSuffix(a.cfg.HTTP.PublicURL, "/")}
		hosts = []string{public.Hostname()}
	} else {
		host, port, _ := net.SplitHostPort(a.addrs.HTTP)
		hosts = reachable(host)
		l.Pages = a.securePages(hosts)
		for _, h := range hosts {
			l.Pages = append(l.Pages, "http://"+net.JoinHostPort(h, port))
		}
	}
	if host, port, err := net.SplitHostPort(a.addrs.RTMP); err == nil {
		if bound := reachable(host); !slices.Contains(bound, "localhost") {
			hosts = bound // RTMP listens on one address only
		}
		for _, h := range hosts {
			l.Servers = append(l.Servers, "rtmp://"+hostPort(h, port, rtmpPort)+"/live")
		}
	}
	l.Servers = append(a.secureServers(hosts), l.Servers...)
	return l
}

// secureServers are the addresses for encrypted publishing, under names that the
// certificate is for: encoders refuse any other. Their port is always named,
// because clients assume 443.
func (a *App) secureServers(hosts []string) (servers []string) {
	_, port, err := net.SplitHostPort(a.addrs.RTMPS)
	if err != nil || a.ingest == nil {
		return nil
	}
	for _, h := range a.ingest.CertificateFor(hosts) {
		servers = append(servers, "rtmps://"+net.JoinHostPort(h, port)+"/live")
	}
	return servers
}

// securePages are the encrypted addresses of the pages, under names that the
// certificate is for: browsers warn of any other.
func (a *App) securePages(hosts []string) (pages []string) {
	host, port, err := net.SplitHostPort(a.addrs.HTTPS)
	if err != nil {
		return nil
	}
	if bound := reachable(host); !slices.Contains(bound, "localhost") {
		hosts = bound // HTTPS listens on one address only
	}
	for _, h := range a.certs.For(hosts) {
		pages = append(pages, "https://"+hostPort(h, port, httpsPort))
	}
	return pages
}

// hostPort leaves out the port that clients assume.
func hostPort(host, port, assumed string) string {
	if port != assumed {
		return net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// reachable lists the hosts under which a listener bound to host answers.
func reachable(host string) []string {
	bound, err := netip.ParseAddr(host)
	if err != nil || !bound.IsUnspecified() {
		return []string{host}
	}
	hosts := []string{"localhost"}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return hosts // the banner is a courtesy
	}
	for _, addr := range addrs {
		prefix, err := netip.ParsePrefix(addr.String())
		if ip := prefix.Addr().Unmap(); err == nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			hosts = append(hosts, ip.String())
		}
	}
	return hosts
}

// alternative labels the i-th of several addresses of one thing.
func alternative(label string, i int) string {
	if i > 0 {
		return "   or"
	}
	return label
}

// banner prints everything an anchor needs to go live. It holds secrets.
func (a *App) banner(w io.Writer) error {
	key, err := a.streamKey(firstRoom)
	if err != nil {
		return fmt.Errorf("stream key: %w", err)
	}
	host, err := token.Sign(a.secret, token.UsePerson, token.Claims{
		Room: firstRoom, Role: token.RoleHost, Subject: "host", Expires: time.Now().Add(studioTTL).Unix(),
	})
	if err != nil {
		return fmt.Errorf("studio link: %w", err)
	}
	l := a.links()
	var b strings.Builder
	b.WriteString("\n  barrage is ready.\n\n  In OBS: Settings, Stream, Service \"Custom...\"\n")
	for i, server := range l.Servers {
		fmt.Fprintf(&b, "    %-12s%s\n", alternative("Server", i), server)
	}
	fmt.Fprintf(&b, "    %-12s%s\n\n", "Stream key", key)
	for i, page := range l.Pages {
		fmt.Fprintf(&b, "  %-14s%s/r/%s\n", alternative("Watch", i), page, firstRoom)
	}
	fmt.Fprintf(&b, "  %-14s%s/studio/%s#token=%s\n", "Your studio", l.Pages[0], firstRoom, host)
	if a.cfg.Ingest.Auth.Mode == ingest.AuthOpen {
		b.WriteString("\n  Anybody who reaches this machine may stream (ingest.auth.mode: open).\n")
	}
	b.WriteString("\n  Ctrl-C stops it.\n\n")
	_, err = io.WriteString(w, b.String())
	return err
}
