//go:build reliability

package ingest_test

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"barrage/packager/media"
)

// server is a running barrage in a process of its own: what a probe can learn of
// it is what it answers and what it counts.
type server struct {
	t            testing.TB
	addr         net.Addr
	key, metrics string
}

func (s *server) Addr() net.Addr    { return s.addr }
func (s *server) streamKey() string { return s.key }
func (s *server) forget()           {}

// served sends one frame and looks whether one sample more is counted. The pings
// before and after it are answered when all before them has been handled.
func (s *server) served(c *client, mark string) []media.Sample {
	c.t.Helper()
	c.audio(1<<24-2, aacHeader)
	s.await(c, "mark")
	before := s.samples()
	c.audio(1<<24-2, mark)
	s.await(c, "done")
	if after := s.samples(); after != before+1 {
		c.t.Errorf("%v samples counted after one frame, %v before it", after, before)
	}
	return nil
}

func (s *server) await(c *client, word string) {
	c.t.Helper()
	c.must(c.message(typeUserControl, 0, 0, []byte("\x00\x06"+word)))
	c.expectMessage(typeUserControl, "\x00\x07"+word)
}

func (s *server) samples() float64 {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.metrics, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), `barrage_ingest_samples_total{kind="audio"} `); ok {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatal("the server counts no samples")
	return 0
}

// TestProbeOfServer is TestProbe against the server that the environment names.
func TestProbeOfServer(t *testing.T) {
	addr, err := net.ResolveTCPAddr("tcp", os.Getenv("PROBE_RTMP"))
	if err != nil {
		t.Fatalf("PROBE_RTMP, PROBE_KEY and PROBE_METRICS name the server: %v", err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	s := &server{addr: addr, key: os.Getenv("PROBE_KEY"), metrics: os.Getenv("PROBE_METRICS")}
	for _, p := range slices.Concat(hostile(), oddMessages(), oddCommands(), oddChunks()) {
		p.check = nil // its samples are not to be seen from here
		t.Run(p.name, func(t *testing.T) {
			s.t = t
			p.run(t, s)
		})
	}
}
