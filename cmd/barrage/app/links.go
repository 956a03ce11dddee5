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
	rtmpPort = "1935" // the port RTMP clients assume
	// studioTTL is how long a printed studio link works.
	studioTTL = 30 * 24 * time.Hour
)

// links are the addresses people use.
type links struct {
	Servers []string // what the encoder wants as "server"; one for each address of this machine
	Watch   string   // base URL of the pages
}

func (a *App) links() links {
	var l links
	var hosts []string
	if public, err := url.Parse(a.cfg.HTTP.PublicURL); err == nil && public.Host != "" {
		l.Watch = strings.TrimSuffix(a.cfg.HTTP.PublicURL, "/")
		hosts = []string{public.Hostname()}
	} else {
		host, port, _ := net.SplitHostPort(a.addrs.HTTP)
		shown := reachable(host)
		l.Watch = "http://" + net.JoinHostPort(shown[0], port)
		hosts = shown
	}
	if host, port, err := net.SplitHostPort(a.addrs.RTMP); err == nil {
		if bound := reachable(host); !slices.Contains(bound, "localhost") {
			hosts = bound // RTMP listens on one address only
		}
		for _, h := range hosts {
			l.Servers = append(l.Servers, "rtmp://"+hostPort(h, port)+"/live")
		}
	}
	return l
}

// hostPort leaves out the port that RTMP clients assume.
func hostPort(host, port string) string {
	if port != rtmpPort {
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
		label := "Server"
		if i > 0 {
			label = "   or"
		}
		fmt.Fprintf(&b, "    %-12s%s\n", label, server)
	}
	fmt.Fprintf(&b, "    %-12s%s\n\n", "Stream key", key)
	fmt.Fprintf(&b, "  %-14s%s/r/%s\n", "Watch", l.Watch, firstRoom)
	fmt.Fprintf(&b, "  %-14s%s/studio/%s#token=%s\n", "Your studio", l.Watch, firstRoom, host)
	if a.cfg.Ingest.Auth.Mode == ingest.AuthOpen {
		b.WriteString("\n  Anybody who reaches this machine may stream (ingest.auth.mode: open).\n")
	}
	b.WriteString("\n  Ctrl-C stops it.\n\n")
	_, err = io.WriteString(w, b.String())
	return err
}
