package origin_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"barrage/internal/safehttp"
	"barrage/packager"
	"barrage/packager/origin"
)

// stand is a site behind a real server.
type stand struct {
	*site
	b     *testing.B
	addr  string
	waits func() int // how many requests wait
	part  func()     // makes the next part
}

// bare is the least handler there can be.
func (s *stand) bare() http.Handler {
	var n atomic.Int64
	gate := make(chan struct{})
	s.waits, s.part = func() int { return int(n.Load()) }, func() { close(gate) }
	body := []byte(s.get(s.base+"v0.m3u8", "Accept-Encoding", "gzip").body)
	mime, length := []string{"application/vnd.apple.mpegurl"}, []string{strconv.Itoa(len(body))}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			n.Add(1)
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
		h := w.Header()
		h["Content-Type"], h["Content-Length"] = mime, length
		_, _ = w.Write(body)
	})
}

// listen opens a site of 4.65 Mb/s in parts of 200 ms. With bare it serves the same
// bytes with nothing but net/http: the floor that the rest is to be compared with.
func listen(b *testing.B, bare bool) *stand {
	b.Helper()
	cfg := packager.DefaultConfig()
	cfg.PartDuration = 200 * time.Millisecond
	s := &stand{site: openAs(b, origin.Options{}, cfg, 4_650_000/8/30), b: b}
	s.waits = func() int { return int(waiting(b, s.site)) }
	s.part = func() { s.feed(6) }
	var handler http.Handler = s.handler
	if bare {
		handler = s.bare()
	}
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s.addr = l.Addr().String()
	server := safehttp.Server(handler)
	if !bare {
		lane := s.handler.NewLane(l, server)
		l = lane
		b.Cleanup(func() { _ = lane.Shutdown(b.Context()) })
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	b.Cleanup(func() { _ = server.Close(); <-done })
	return s
}

// load runs a crowd, and meanwhile what the server has to do. It returns the time that
// this process computed until the last answer was read.
func (s *stand) load(c crowd, meanwhile func()) (seen tally, used time.Duration) {
	s.b.Helper()
	c.Addr = s.addr
	text, err := json.Marshal(c)
	if err != nil {
		s.b.Fatal(err)
	}
	cmd := exec.CommandContext(s.b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), loadVar+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.b.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		s.b.Fatal(err)
	}
	begin := cpu(s.b)
	if err = cmd.Start(); err != nil {
		s.b.Fatal(err)
	}
	meanwhile()
	err = json.NewDecoder(out).Decode(&seen)
	used = cpu(s.b) - begin
	if err = errors.Join(err, in.Close(), cmd.Wait()); err != nil || seen.Failures != "" {
		s.b.Fatal(err, seen.Failures)
	}
	return seen, used
}

// cpu is what this process has computed.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process in KiB.
func resident(b *testing.B) int {
	b.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest + " ?")[0])
	if err != nil {
		b.Fatal(err)
	}
	return kib
}

// until looks every millisecond whether n requests wait.
func (s *stand) until(n int) {
	s.b.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for s.waits() != n {
		<-again.C
	}
}

// BenchmarkAnswers: what one answer costs the server, on connections that stay open.
func BenchmarkAnswers(b *testing.B) {
	for _, c := range []struct{ name, path string }{
		{"bare playlist", "v0.m3u8"},
		{"playlist", "v0.m3u8"},
		{"reload", "v0.m3u8?_HLS_msn=4&_HLS_part=0"},
		{"part", "v0/p31.m4s"},
		{"audio part", "a0/p31.m4s"},
		{"segment", "v0/s2.m4s"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := listen(b, strings.HasPrefix(c.name, "bare"))
			seen, used := s.load(crowd{Conns: 64, Requests: b.N, Paths: []string{s.base + c.path}}, func() {})
			b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-us/op")
			b.ReportMetric(used.Seconds()/float64(seen.Bytes)*1e9, "cpu-s/GB")
		})
	}
}

// BenchmarkBlocked: 10,000 reloads that wait for one part.
func BenchmarkBlocked(b *testing.B) {
	for name, bare := range map[string]bool{"bare": true, "ours": false} {
		b.Run(name, func(b *testing.B) { benchmarkBlocked(b, bare) })
	}
}

func benchmarkBlocked(b *testing.B, bare bool) {
	b.Helper()
	const n = 10_000
	var last, cost time.Duration
	var memory int
	for b.Loop() {
		s := listen(b, bare)
		before := resident(b)
		var waited time.Duration
		var fed time.Time
		begin := cpu(b)
		seen, used := s.load(crowd{Conns: n, Requests: n, Paths: []string{s.base + "v0.m3u8?_HLS_msn=%d&_HLS_part=%d"}, MSN: 4, Part: 2, Parts: 10}, func() {
			s.until(n)
			memory += resident(b) - before
			waited, fed = cpu(b)-begin, time.Now()
			s.part()
		})
		cost += used - waited
		last += time.Unix(0, seen.Ended[n-1]).Sub(fed)
	}
	b.ReportMetric(float64(last.Milliseconds())/float64(b.N), "last-ms")
	b.ReportMetric(float64(cost.Microseconds())/n/float64(b.N), "cpu-us/waiter")
	b.ReportMetric(float64(memory)/n/float64(b.N), "KiB/waiter")
}

// BenchmarkViewers: low-latency players, each with a connection for each rendition:
// a reload that waits, the part, and again.
func BenchmarkViewers(b *testing.B) {
	const n, rounds = 200, 50
	var cost time.Duration
	for b.Loop() {
		s := listen(b, false)
		_, used := s.load(crowd{
			Conns: n, Requests: n * rounds * 4, MSN: 4, Part: 2, Number: 33, Parts: 10,
			Paths: []string{s.base + "v0.m3u8?_HLS_msn=%d&_HLS_part=%d", s.base + "v0/p%d.m4s", s.base + "a0.m3u8?_HLS_msn=%d&_HLS_part=%d", s.base + "a0/p%d.m4s"},
		}, func() {
			for range rounds {
				s.until(n)
				s.feed(6)
			}
		})
		cost += used
	}
	b.ReportMetric(float64(cost.Microseconds())/(n*rounds*4)/float64(b.N), "cpu-us/request")
}
