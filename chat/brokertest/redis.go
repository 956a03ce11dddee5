package brokertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Redis is a redis-server of a test's own: on a free port of the loopback, its
// data in a directory that goes away with the test.
type Redis struct {
	Addr string

	args []string
	cmd  *exec.Cmd // nil while it does not run
}

// StartRedis starts a redis-server, with further arguments as on its command line: a
// configuration file or none, and options. Without them it keeps nothing on disk. It ends
// with the test.
func StartRedis(tb testing.TB, args ...string) *Redis {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		tb.Fatal("this test needs a real Redis; install it: apt-get install -y redis-server")
	}
	r := &Redis{Addr: freeAddr(tb)}
	_, port, _ := net.SplitHostPort(r.Addr)
	options := []string{"--bind", "127.0.0.1", "--port", port, "--dir", tb.TempDir(), "--save", "", "--loglevel", "warning"}
	at := 0
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") {
		at = 1 // the file comes first
	}
	r.args = slices.Insert(slices.Clone(args), at, options...)
	tb.Cleanup(func() { r.Kill(tb) })
	r.Start(tb)
	return r
}

func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return addr
}

// URL is the address as barrage's configuration wants it.
func (r *Redis) URL() string { return "redis://" + r.Addr }

// Start starts it again after Kill and waits until it answers.
func (r *Redis) Start(tb testing.TB) {
	tb.Helper()
	// The server outlives the test's context: brokers close while it still answers.
	r.cmd = exec.CommandContext(context.WithoutCancel(tb.Context()), "redis-server", r.args...) //nolint:gosec // the test's own arguments
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		tb.Fatalf("start redis-server: %v", err)
	}
	eventually(tb, "redis-server answers", func() bool {
		answer, err := r.try(tb.Context(), "PING")
		return err == nil && answer == "+PONG"
	})
}

// Kill ends it at once (SIGKILL), as a crash would.
func (r *Redis) Kill(tb testing.TB) {
	tb.Helper()
	if r.cmd == nil {
		return
	}
	if err := r.cmd.Process.Kill(); err != nil {
		tb.Errorf("kill redis-server: %v", err)
	}
	_ = r.cmd.Wait() // "signal: killed", which was the point
	r.cmd = nil
}

// Signal sends sig to it, SIGSTOP say.
func (r *Redis) Signal(tb testing.TB, sig os.Signal) {
	tb.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		tb.Fatalf("signal redis-server: %v", err)
	}
}

// Do runs a command such as "CLIENT KILL TYPE pubsub". It returns a one-line answer
// as it comes (":2"), what a string holds, and the items of an array on lines of their own.
func (r *Redis) Do(tb testing.TB, command string) string {
	tb.Helper()
	answer, err := r.try(tb.Context(), command)
	if err != nil {
		tb.Fatalf("redis %s: %v", command, err)
	}
	return answer
}

func (r *Redis) try(ctx context.Context, command string) (string, error) {
	dialer := net.Dialer{Timeout: time.Second}
	c, err := dialer.DialContext(ctx, "tcp", r.Addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err = c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	if _, err = fmt.Fprintf(c, "%s\r\n", command); err != nil { // "inline commands", Redis protocol
		return "", err
	}
	return readAnswer(bufio.NewReader(c))
}

// readAnswer reads one answer of the Redis serialization protocol.
func readAnswer(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if err != nil || line == "" || line[0] != '$' && line[0] != '*' {
		return line, err
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || n < 0 {
		return "", err
	}
	if line[0] == '$' {
		text := make([]byte, n+len("\r\n"))
		_, err = io.ReadFull(r, text)
		return string(text[:n]), err
	}
	items := make([]string, n)
	for i := range items {
		if items[i], err = readAnswer(r); err != nil {
			return "", err
		}
	}
	return strings.Join(items, "\n"), nil
}
