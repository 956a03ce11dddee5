//go:build players

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// screen is a program that plays without a browser: how it is started, and what its lines mean.
type screen struct {
	name     string
	binary   string
	agent    string // how it calls itself to a server
	debian   string
	command  func(t *testing.T, url string) []string
	ask      string         // written to it four times a second
	position *regexp.Regexp // how far it is: seconds, or h:mm:ss, or frames at 30 a second
	frames   bool
	dropped  *regexp.Regexp
	fault    *regexp.Regexp // a line that complains
	harmless *regexp.Regexp // although it does
	patience time.Duration  // a position that stands for longer is a stall
}

func screens() []screen {
	return []screen{
		{
			name: "ffmpeg", binary: "ffmpeg", agent: "ffmpeg", debian: "ffmpeg", patience: 600 * time.Millisecond,
			command: func(_ *testing.T, url string) []string {
				return []string{
					"ffmpeg", "-nostdin", "-hide_banner", "-v", "level+warning", "-user_agent", "ffmpeg", "-re", "-i", url,
					"-f", "null", "-progress", "pipe:1", "-stats_period", "0.2", "-",
				}
			},
			position: regexp.MustCompile(`^out_time=([\d:.]+)`), dropped: regexp.MustCompile(`^drop_frames=(\d+)`),
			fault: regexp.MustCompile(`\[(warning|error|fatal|panic)\]`),
			// The same init section again, for every segment that it reads.
			harmless: regexp.MustCompile(`duplicated MOOV`),
		},
		{
			name: "mpv", binary: "mpv", agent: "mpv", debian: "mpv", patience: 400 * time.Millisecond,
			command: func(_ *testing.T, url string) []string {
				return []string{"mpv", "--no-config", "--vo=null", "--ao=null", "--user-agent=mpv", "--msg-level=all=warn", "--script=players/position.lua", url}
			},
			position: regexp.MustCompile(`^position ([\d.]+)`), dropped: regexp.MustCompile(` dropped (\d+)`),
			fault: regexp.MustCompile(`^\[`), harmless: regexp.MustCompile(`duplicated MOOV`),
		},
		{
			name: "VLC", binary: "cvlc", agent: "VLC", debian: "vlc-bin vlc-plugin-base", command: vlc, ask: "stats\n", patience: 1200 * time.Millisecond,
			position: regexp.MustCompile(`frames displayed : +(\d+)`), frames: true, dropped: regexp.MustCompile(`frames lost +: +(\d+)`),
			fault: regexp.MustCompile(`error|corrupt|late|dropp`),
			// Said once for each track: it did not begin with the first part ever made. And no
			// desktop to talk to. And a row of the statistics.
			harmless: regexp.MustCompile(`dbus|interface|demux corrupted  : +0$|no error`),
		},
		{
			name: "GStreamer", binary: "gst-launch-1.0", agent: "GStreamer", debian: "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav",
			patience: 400 * time.Millisecond,
			command: func(_ *testing.T, url string) []string {
				return []string{
					"env", "GST_PLUGIN_FEATURE_RANK=hlsdemux2:MAX", "GST_DEBUG=1", "gst-launch-1.0", "-v", "playbin3", "uri=" + url,
					`video-sink="fakesink name=picture sync=true qos=true silent=false"`, `audio-sink="fakesink sync=true"`,
				}
			},
			position: regexp.MustCompile(`chain .* pts: ([\d:.]+),`), dropped: regexp.MustCompile(`dropped=(\d+)`),
			fault: regexp.MustCompile(`ERROR|WARNING|CRITICAL`), harmless: regexp.MustCompile(`^$`),
		},
	}
}

// vlc refuses to be root, and wants a home.
func vlc(t *testing.T, url string) []string {
	t.Helper()
	args := []string{"cvlc", "--intf", "oldrc", "--rc-fake-tty", "--vout", "vdummy", "--aout", "adummy", url}
	if os.Getuid() != 0 {
		return args
	}
	home, err := os.MkdirTemp("", "vlc-") // t.TempDir is for its owner only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	if err = os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	return append([]string{"runuser", "-u", "nobody", "--", "env", "HOME=" + home}, args...)
}

// progress is what the lines of a player said.
type progress struct {
	screen screen

	mu          sync.Mutex
	rest        []byte
	first, last time.Time // of a position
	from, at    float64   // seconds
	stalls      []time.Duration
	faults      []string
	dropped     int
}

// Write takes lines as they come.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, b...)
	for {
		i := bytes.IndexAny(p.rest, "\r\n")
		if i < 0 {
			return len(b), nil
		}
		p.line(string(p.rest[:i]), time.Now())
		p.rest = p.rest[i+1:]
	}
}

func (p *progress) line(line string, now time.Time) {
	if m := p.screen.dropped.FindStringSubmatch(line); m != nil {
		p.dropped, _ = strconv.Atoi(m[1])
	}
	m := p.screen.position.FindStringSubmatch(line)
	if m == nil {
		if p.screen.fault.MatchString(line) && !p.screen.harmless.MatchString(line) {
			p.faults = append(p.faults, line)
		}
		return
	}
	at := clockSeconds(m[1])
	if p.screen.frames {
		at /= 30
	}
	switch {
	case at <= 0 && p.first.IsZero():
		return
	case p.first.IsZero():
		p.first, p.last, p.from, p.at = now, now, at, at
	case at > p.at:
		if still := now.Sub(p.last); still > p.screen.patience {
			p.stalls = append(p.stalls, still)
		}
		p.last, p.at = now, at
	}
}

// clockSeconds reads 12.5 and 0:00:12.5.
func clockSeconds(text string) (s float64) {
	for field := range strings.SplitSeq(text, ":") {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0
		}
		s = s*60 + n
	}
	return s
}

// play lets the program show the stream for so long and prints its row.
func (s screen) play(t *testing.T, f *front, long time.Duration) {
	t.Helper()
	command := s.command(t, f.index())
	needs(t, program{s.binary, s.debian})
	p := &progress{screen: s}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), command[0], command[1:]...)
	cmd.Stdout = p
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	run := launch(t, cmd, nil)
	began := time.Now()
	eventually(t, long+45*time.Second, s.name+" plays", func() error {
		if s.ask != "" && time.Since(began) > 250*time.Millisecond {
			began = time.Now()
			if _, err := io.WriteString(in, s.ask); err != nil {
				return err
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if !run.running() {
			t.Fatalf("%s ended with %d after %.1f s", s.name, run.code, p.at-p.from)
		}
		if p.first.IsZero() || time.Since(p.first) < long {
			return fmt.Errorf("it is at %.1f s", p.at-p.from)
		}
		return nil
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if still := time.Since(p.last); still > s.patience {
		p.stalls = append(p.stalls, still)
	}
	latency := time.Since(f.started(s.agent)).Seconds() - (p.at - p.from)
	t.Logf("| %s | %.0f s | %v | %s | %d | %.1f s |", s.name, p.at-p.from, stallRow(p.stalls), tally(p.faults), p.dropped, latency)
	if played := p.at - p.from; len(p.stalls) != 0 || len(p.faults) != 0 || played < long.Seconds()-3 {
		t.Errorf("%s: want %v without a stall or a complaint", s.name, long)
	}
}

func stallRow(stalls []time.Duration) string {
	if len(stalls) == 0 {
		return "0"
	}
	var worst time.Duration
	for _, s := range stalls {
		worst = max(worst, s)
	}
	return fmt.Sprintf("%d (worst %.1f s)", len(stalls), worst.Seconds())
}

// started is the date of the first picture that a player fetched.
func (f *front) started(agent string) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, date := range f.first {
		if strings.HasPrefix(name, agent) {
			return date
		}
	}
	return time.Time{}
}
