//go:build reliability

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// R24: how many, and what honest viewers may notice.
const (
	greedy          = 5000
	stopped         = 200       // of the greedy, those that never read what they asked for: each costs the kernel 4 MiB
	much            = 500       // segments that each of them asks for: more than the kernel takes
	viewersMemory   = 256 << 20 // resident, while all of them are there
	honestReload    = 2 * time.Second
	longestRequest  = time.Minute      // what the server gives an answer
	longestIdle     = 90 * time.Second // and a connection without a request
	waitingRequests = "barrage_origin_waiting_requests"
)

// TestR24Viewers holds the bounds on players that take and do not give back.
func TestR24Viewers(t *testing.T) {
	r := newRow(t, "R24", "viewers: 5,000 reloads for the far future, 6,000 that wait from one address, 200 clients that stop reading, 4,800 that stay")
	// Long segments, so that a reload for a whole one waits for long.
	s := serve(t, openMode, "BARRAGE_PACKAGER_SEGMENT_DURATION=8s")
	publish(t, "rtmp://"+s.addrs.RTMP+"/live/"+room, card{gop: 240})
	s.waitPhase(t, "live", 40*time.Second)
	var playlist string
	eventually(t, 20*time.Second, "a playlist", func() error {
		all, err := s.playlists(t.Context(), room)
		for uri := range all {
			if strings.Contains(uri, "v0") {
				playlist = s.url("/hls/" + room + "/" + uri)
			}
		}
		return err
	})

	ctx, cancel := context.WithCancel(t.Context())
	var honest watchers
	honest.start(ctx, 20, playlist)
	s.farFuture(t, r, playlist)
	s.crowdOfOne(t, r, playlist)
	s.staying(t, r, playlist)
	cancel()
	honest.judge(t, r)
}

// farFuture asks for segments that nobody can be waiting for.
func (s *server) farFuture(t *testing.T, r *row, playlist string) {
	t.Helper()
	cpu := s.cpu(t)
	err := each(greedy, 64, func(i int) error {
		body, err := get(t.Context(), fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=0", playlist, 100_000+i))
		if err == nil || !strings.Contains(err.Error(), "400 Bad Request") {
			return fmt.Errorf("%w: %.60s, %w", errStatus, body, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	r.measured("far future: %d times 400, %.0f µs of CPU each", greedy, (s.cpu(t)-cpu)/greedy*1e6)
}

// crowdOfOne waits 6,000 times at once from one address, over HTTP/2.
func (s *server) crowdOfOne(t *testing.T, r *row, playlist string) {
	t.Helper()
	const many, share = 6000, 5000
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(loopback(24, 0))}}
	transport := &http.Transport{Protocols: new(http.Protocols), DialContext: dialer.DialContext}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	text, err := get(t.Context(), playlist)
	if err != nil {
		t.Fatal(err)
	}
	msn, _ := next(string(text))
	var full, served atomic.Int64
	var most float64
	done := make(chan error, 1)
	go func() {
		done <- each(many, many, func(int) error {
			status, failed := reload(t.Context(), transport, fmt.Sprintf("%s?_HLS_msn=%d", playlist, msn+1))
			switch status {
			case http.StatusOK:
				served.Add(1)
			case http.StatusServiceUnavailable:
				full.Add(1)
			default:
				return fmt.Errorf("%w: %d, %w", errStatus, status, failed)
			}
			return nil
		})
	}()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for err = errors.New("under way"); err != nil; {
		select {
		case err = <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-again.C:
			most = max(most, s.metric(t, waitingRequests))
		}
	}
	r.measured("one address: at most %.0f wait, %d are served, %d are told to come back", most, served.Load(), full.Load())
	if most > share+100 || full.Load() == 0 || served.Load() == 0 {
		t.Errorf("want at most %d to wait, and some of both", share)
	}
}

// reload returns the status of an answer.
func reload(ctx context.Context, transport http.RoundTripper, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// staying opens connections that ask once and stay, or ask for much and do not read.
func (s *server) staying(t *testing.T, r *row, playlist string) {
	t.Helper()
	text, err := get(t.Context(), playlist)
	if err != nil {
		t.Fatal(err)
	}
	segment := strings.TrimSuffix(playlist, "v0.m3u8") + segmentURI.FindString(string(text))
	before, files := s.memory(t), s.files(t)
	var mu sync.Mutex
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	err = each(greedy, 64, func(i int) error {
		what, times := playlist, 1
		if i < stopped {
			what, times = segment, much
		}
		c, failed := ask(t.Context(), s.addrs.HTTP, loopback(25, i), strings.TrimPrefix(what, s.url("")), times)
		mu.Lock()
		defer mu.Unlock()
		if c != nil {
			conns = append(conns, c)
		}
		return failed
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, 20*time.Second, "connections are accepted", func() error {
		if n := s.files(t) - files; n < greedy*95/100 {
			return fmt.Errorf("%d of %d", n, greedy)
		}
		return nil
	})
	after := s.memory(t)
	r.measured("%d connections: %.0f MiB resident, %.0f before", greedy, mebi(after), mebi(before))
	if after > viewersMemory {
		t.Errorf("want less than %.0f MiB", mebi(viewersMemory))
	}
	gone := func(n int, within time.Duration) time.Duration {
		eventually(t, within, "connections are closed", func() error {
			if open := s.files(t) - files; open > n {
				return fmt.Errorf("%d are open", open)
			}
			return nil
		})
		return time.Since(began)
	}
	r.measured("those that do not read are closed after %.0f s", gone(greedy-stopped+50, longestRequest+20*time.Second).Seconds())
	r.measured("those that stay after %.0f s", gone(50, longestIdle).Seconds())
}

var segmentURI = regexp.MustCompile(`(?m)^v0/s\d+\.m4s$`)

// ask sends a request some times over and reads nothing. Its window is small, so that the
// bytes stay with the server.
func ask(ctx context.Context, addr, from, path string, times int) (net.Conn, error) {
	small := func(_, _ string, raw syscall.RawConn) (err error) {
		failed := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		return errors.Join(failed, err)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Control: small}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(c, strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n", times))
	return c, err
}

// watchers are honest low-latency viewers.
type watchers struct {
	all     sync.WaitGroup
	mu      sync.Mutex
	reloads int
	slowest time.Duration
	faults  []error
}

func (v *watchers) start(ctx context.Context, n int, playlist string) {
	for range n {
		v.all.Go(func() {
			ask := playlist
			for ctx.Err() == nil {
				began := time.Now()
				text, err := get(ctx, ask)
				if ctx.Err() == nil {
					v.note(time.Since(began), err)
				}
				msn, part := next(string(text))
				ask = fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", playlist, msn, part)
			}
		})
	}
}

func (v *watchers) note(took time.Duration, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reloads++
	v.slowest = max(v.slowest, took)
	if err != nil && len(v.faults) < 3 {
		v.faults = append(v.faults, err)
	}
}

func (v *watchers) judge(t *testing.T, r *row) {
	t.Helper()
	v.all.Wait()
	r.measured("20 honest viewers: %d reloads, the slowest %d ms, %d errors", v.reloads, v.slowest.Milliseconds(), len(v.faults))
	if err := errors.Join(v.faults...); err != nil || v.slowest > honestReload || v.reloads == 0 {
		t.Errorf("want every reload within %v and no error: %v", honestReload, err)
	}
}

// next returns the part that a media playlist lacks.
func next(playlist string) (msn, part int) {
	for line := range strings.Lines(playlist) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "#EXT-X-MEDIA-SEQUENCE":
			msn, _ = strconv.Atoi(value)
		case "#EXT-X-PART":
			part++
		case "#EXTINF":
			msn, part = msn+1, 0
		}
	}
	return msn, part
}
