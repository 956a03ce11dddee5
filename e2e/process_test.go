//go:build e2e || clients || players || reliability

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopLimit is what the server promises for a SIGTERM, and a little.
const stopLimit = 12 * time.Second

// output collects what a process says; safe to read while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is a running program. It is stopped when its test ends.
type process struct {
	name string
	cmd  *exec.Cmd
	log  output // both streams
	done chan struct{}
	code int // exit code, once done is closed; -1 after a signal
}

// start runs name with args; env is added to ours.
func start(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	return launch(t, exec.CommandContext(context.WithoutCancel(t.Context()), name, args...), env)
}

// launch starts cmd. What it says goes into the log, and to cmd.Stdout when that is set.
func launch(t *testing.T, cmd *exec.Cmd, env []string) *process {
	t.Helper()
	p := &process{name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{})}
	p.cmd.Env = append(cleanEnv(), env...)
	var out io.Writer = &p.log
	if cmd.Stdout != nil {
		out = io.MultiWriter(&p.log, cmd.Stdout)
	}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// A child that kept our pipe open must not hold Wait for ever.
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		p.stop(t)
		if strings.Contains(p.log.String(), "WARNING: DATA RACE") {
			t.Errorf("%s: the race detector found something", p.name)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, tail(p.log.String(), 40))
		}
	})
	return p
}

// cleanEnv is our environment without settings of a server that may run beside.
func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BARRAGE_") {
			env = append(env, v)
		}
	}
	return env
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop asks the process to end, as an operator would, and waits. Calling it
// again does nothing.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("stop %s: %v", p.name, err)
	}
	select {
	case <-p.done:
	case <-time.After(stopLimit):
		t.Errorf("%s still runs %v after SIGTERM", p.name, stopLimit)
		p.kill()
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// wait returns the exit code of a process that ends by itself.
func (p *process) wait(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		t.Fatalf("%s still runs after %v; it said:\n%s", p.name, within, tail(p.log.String(), 20))
	}
	return p.code
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
