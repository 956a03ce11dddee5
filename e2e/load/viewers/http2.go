//go:build load && linux

package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// http2 has one connection of net/http for each viewer, over TLS or in clear text.
type http2 struct {
	base    *url.URL
	keep    bool // bodies of media too
	clients map[int]*http.Client
	came    chan arrival
	batch   []arrival
	ctx     context.Context //nolint:containedctx // of all requests, until close
	stop    context.CancelFunc
	pending sync.WaitGroup
}

func newHTTP2(base *url.URL, keep bool) *http2 {
	t := &http2{base: base, keep: keep, clients: map[int]*http.Client{}, came: make(chan arrival, 1024)}
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

// client makes the client of a viewer: a connection of its own.
func (t *http2) client(viewer int) *http.Client {
	c := t.clients[viewer]
	if c == nil {
		dialer := net.Dialer{Timeout: answerTimeout}
		if ip := source(t.base.Hostname(), viewer); ip != nil {
			dialer.LocalAddr = &net.TCPAddr{IP: ip}
		}
		var speak http.Protocols
		speak.SetHTTP2(t.base.Scheme == "https")
		speak.SetUnencryptedHTTP2(t.base.Scheme == "http")
		c = &http.Client{Timeout: answerTimeout, Transport: &http.Transport{
			DialContext: dialer.DialContext, Protocols: &speak, DisableCompression: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // a server under test has any certificate
		}}
		t.clients[viewer] = c
	}
	return c
}

func (t *http2) send(o order) {
	client := t.client(o.viewer)
	t.pending.Go(func() {
		a := arrival{order: o}
		a.err = t.fetch(client, &a)
		a.done = time.Now()
		select {
		case t.came <- a:
		case <-t.ctx.Done():
		}
	})
}

func (t *http2) fetch(client *http.Client, a *arrival) error {
	u := url.URL{Scheme: t.base.Scheme, Host: t.base.Host}
	req, err := http.NewRequestWithContext(t.ctx, http.MethodGet, u.String()+a.path, http.NoBody)
	if err != nil {
		return err
	}
	req.Header = http.Header{"User-Agent": {userAgent}, "Accept-Encoding": {"gzip"}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	a.status = resp.StatusCode
	if t.keep || a.kind.isPlaylist() {
		a.body, err = io.ReadAll(resp.Body)
		a.size = int64(len(a.body))
		return err
	}
	a.size, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (t *http2) wait(d time.Duration) []arrival {
	t.batch = t.batch[:0]
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case a := <-t.came:
		t.batch = append(t.batch, a)
	case <-timer.C:
	}
	for range len(t.came) {
		t.batch = append(t.batch, <-t.came)
	}
	return t.batch
}

func (t *http2) close() {
	t.stop()
	t.pending.Wait()
	for _, c := range t.clients {
		c.CloseIdleConnections()
	}
}
