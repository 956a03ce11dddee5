package hlscheck_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"barrage/e2e/hlscheck"

	"github.com/Eyevinn/hls-m3u8/m3u8"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// strict is a decoder that is not ours. It cannot take parts in the first segment
// of a playlist, so the very first states of a stream go without.
func strict(text string) error {
	if part := strings.Index(text, "#EXT-X-PART:"); part >= 0 && part < strings.Index(text, "#EXTINF") {
		return nil
	}
	_, _, err := m3u8.DecodeFrom(strings.NewReader(text), true)
	return err
}

// cable is a network without a machine: a listener whose connections are pipes.
type cable struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newCable() *cable { return &cable{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (c *cable) Accept() (net.Conn, error) {
	select {
	case conn := <-c.conns:
		return conn, nil
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

func (c *cable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *cable) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (c *cable) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case c.conns <- theirs:
		return ours, nil
	case <-c.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// watch runs a watch of the handler's stream inside a bubble, by real HTTP.
func watch(t *testing.T, h http.Handler, opts hlscheck.Options) *hlscheck.Result {
	t.Helper()
	wire := newCable()
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(wire) }()
	client := &http.Transport{DialContext: wire.dial, DisableCompression: true, MaxIdleConnsPerHost: 64}
	defer func() {
		client.CloseIdleConnections()
		_ = server.Close()
		<-done
	}()
	opts.Transport = client
	if opts.Decode == nil {
		opts.Decode = strict
	}
	opts.URL = "http://origin.test" + opts.URL
	result, err := hlscheck.Watch(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// The two streams of an origin: fragmented MP4 with low latency, and MPEG-TS.
const (
	fragmented = "/index.m3u8"
	transport  = "/ts.m3u8"
)

// shortStream is how many parts are enough for most faults.
const shortStream = 68

// run watches a stream of an origin from its first segment to its end.
func run(t *testing.T, url string, f fault) (result *hlscheck.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin()
		if !f.long {
			o.parts = shortStream
		}
		f.change(o)
		opts := f.opts
		opts.URL, opts.For = url, time.Duration(o.parts)*partLength+30*time.Second
		if result = watch(t, o, opts); !result.Ended {
			t.Errorf("%s: the end was not seen", url)
		}
	})
	return result
}

// TestGoodStream sees every rule evaluated and none broken.
func TestGoodStream(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	good := fault{change: func(*origin) {}, long: true}
	result := run(t, fragmented, good)
	for i, r := range run(t, transport, good).Tallies {
		sum := &result.Tallies[i]
		sum.Evaluated += r.Evaluated
		sum.Violations += r.Violations
		sum.Examples = append(sum.Examples, r.Examples...)
	}
	if err := result.Print(&b); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rules\n%s", len(result.Tallies), b.String())
	for _, r := range result.Tallies {
		if r.Evaluated == 0 {
			t.Errorf("%s was never evaluated", r.Rule.Name)
		}
		if r.Violations > 0 {
			t.Errorf("%s: %d violations: %s", r.Rule.Name, r.Violations, strings.Join(r.Examples, "\n"))
		}
	}
}

// TestEveryRuleCatches breaks one thing at a time: the rule that forbids it must
// say so, and no other may.
func TestEveryRuleCatches(t *testing.T) {
	t.Parallel()
	faults := faults()
	for _, rule := range hlscheck.Rules() {
		f, ok := faults[rule.Name]
		if !ok {
			t.Errorf("nothing breaks %s", rule.Name)
			continue
		}
		delete(faults, rule.Name)
		t.Run(rule.Name, func(t *testing.T) {
			t.Parallel()
			url := fragmented
			if strings.HasPrefix(rule.Name, "ts-") {
				url = transport
			}
			for _, r := range run(t, url, f).Tallies {
				want := r.Rule.Name == rule.Name || r.Rule.Name == f.also
				switch {
				case want && r.Violations == 0:
					t.Errorf("%s was not found in %d evaluations", r.Rule.Name, r.Evaluated)
				case want:
					t.Logf("%s: %d of %d: %s", r.Rule.Name, r.Violations, r.Evaluated, r.Examples[0])
				case r.Violations > 0:
					t.Errorf("%s says too, %d times: %s", r.Rule.Name, r.Violations, strings.Join(r.Examples, "\n"))
				}
			}
		})
	}
	for name := range faults {
		t.Errorf("no rule is called %s", name)
	}
}

// A player that comes behind a change of level must learn of it; one that is there has
// an old multivariant playlist, which may say more than is needed.
func TestLevelOfLaterInit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old, now string
		broken   int
	}{
		"the new one is not told":         {"avc1.640029", "avc1.640028", 1},
		"a higher one was said all along": {"avc1.640028", "avc1.640033", 0},
		"a higher one of another profile": {"avc1.64", "avc1.4d", 2},
		"the old one is wrong and higher": {"avc1.640028", "avc1.640029", 0},
		"the same, in capitals":           {"avc1.", "AVC1.", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range run(t, fragmented, index(c.old, c.now)).Tallies {
				if r.Rule.Name == "init-matches-codecs" && r.Violations != c.broken {
					t.Errorf("%d violations in %d init sections, want %d: %s", r.Violations, r.Evaluated, c.broken, r.Examples)
				}
			}
		})
	}
}

func TestPrintNamesWhatIsBroken(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	result := run(t, fragmented, faults()["hold-back-3x"])
	if err := result.Print(&b); err != nil {
		t.Fatal(err)
	}
	if broken := result.Violated(hlscheck.Must); len(broken) != 1 || broken[0].Rule.Ref != "4.4.3.8" {
		t.Errorf("broken %v, want hold-back-3x alone", broken)
	}
	want := fmt.Sprintf("MUST   %-28s %-22s", "hold-back-3x", "4.4.3.8")
	if text := b.String(); !strings.Contains(text, want) || !strings.Contains(text, "VIOLATIONS\n         ") || !strings.Contains(text, "5.9s, at least 6s") {
		t.Errorf("want a line %q with violations and an example in\n%s", want, text)
	}
}
