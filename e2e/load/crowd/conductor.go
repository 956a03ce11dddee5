//go:build load && linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxConns is how many connections one process may have where nothing was set up,
// maxProcesses how many letters there are for comments' ids.
const (
	maxConns     = 18900
	maxProcesses = 26
)

// settle is how long everybody is left alone between arriving and being measured.
const settle = 2 * time.Second

// beginning is how long members may take to notice that they begin.
const beginning = 100 * time.Millisecond

var errWorker = errors.New("a process of the crowd said something else")

// member is one process of the crowd, or a goroutine where one process is enough.
type member struct {
	pid   int
	in    io.WriteCloser
	lines *bufio.Reader
	wait  func() error
}

// conduct lets as many processes as need be do the work, and adds up their reports.
func conduct(ctx context.Context, s settings) (*report, error) {
	s.run = time.Now().UnixMilli()
	s.processes = (s.watch + s.stall + s.write + s.most - 1) / s.most
	members, err := hire(ctx, s)
	defer func() {
		for _, m := range members {
			_ = m.in.Close()
			_ = m.wait()
		}
	}()
	if err != nil {
		return nil, err
	}
	ready, err := hearAll(members, lineReady)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "%s of %d are here, and %d observers\n", strings.Join(ready, " + "), s.watch+s.stall+s.write, len(s.nodes))
	stream, err := follow(ctx, s)
	if err != nil {
		return nil, err
	}
	defer stream.close()
	pause(ctx, settle)
	m, err := begin(s.pids, members)
	if err != nil {
		return nil, err
	}
	at := time.Now().Add(100 * time.Millisecond)
	if err = tellAll(members, lineGo, strconv.FormatInt(at.UnixMilli(), 10)); err != nil {
		return nil, err
	}
	// Whoever acts on it must not be faster than the members, which begin to count at that time.
	pause(ctx, time.Until(at.Add(beginning)))
	s.begun()
	r := &report{settings: s, Processes: s.processes}
	if s.reconnect == "" {
		pause(ctx, time.Until(at)+s.dur)
		if err = m.end(r); err != nil {
			return nil, err
		}
	}
	if _, err = hearAll(members, lineDone); err != nil {
		return nil, err
	}
	if s.reconnect != "" {
		if err = m.end(r); err != nil {
			return nil, err
		}
	}
	return r, r.collect(members, stream)
}

// collect ends the run.
func (r *report) collect(members []*member, stream *stream) error {
	file := r.settings.log
	if stream != nil {
		var err error
		if file, r.Redis, err = stream.finish(); err != nil {
			return err
		}
	}
	if err := tellAll(members, lineLog, file); err != nil {
		return err
	}
	for _, m := range members {
		part := newPart()
		line, err := m.lines.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, part)
		}
		if err != nil {
			return fmt.Errorf("%w: report: %w", errWorker, err)
		}
		r.add(part)
	}
	r.conclude()
	return nil
}

// hire starts everybody.
func hire(ctx context.Context, s settings) (members []*member, err error) {
	for i := range s.processes {
		one := s
		one.process = i
		one.watch, one.stall, one.write = share(s.watch, i, s.processes), share(s.stall, i, s.processes), share(s.write, i, s.processes)
		one.rate = s.rate * float64(one.write) / float64(max(s.write, 1))
		if s.burst {
			one.rate = float64(share(int(s.rate), i, s.processes))
		}
		m, err := start1(ctx, one)
		if err != nil {
			return members, err
		}
		members = append(members, m)
	}
	return members, nil
}

func start1(ctx context.Context, s settings) (*member, error) {
	if s.processes == 1 {
		return inside(ctx, s), nil
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "/proc/self/exe", s.args()...) //nolint:gosec // this program; it ends with its input
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err = cmd.Start(); err != nil {
		return nil, err
	}
	return &member{pid: cmd.Process.Pid, in: in, lines: bufio.NewReader(out), wait: cmd.Wait}, nil
}

// inside is a member that is a goroutine.
func inside(ctx context.Context, s settings) *member {
	hisIn, in := io.Pipe()
	out, hisOut := io.Pipe()
	var err error
	var running sync.WaitGroup
	running.Go(func() {
		err = work(ctx, s, hisIn, hisOut)
		_ = hisIn.Close()
		_ = hisOut.CloseWithError(err)
	})
	return &member{in: in, lines: bufio.NewReader(out), wait: func() error {
		running.Wait()
		return err
	}}
}

// args is the command line of a process that this one starts.
func (s *settings) args() []string {
	return []string{
		"-url", s.urls, "-room", s.room, "-text", s.text, "-latency", s.delay, "-reconnect", s.reconnect,
		"-watch", strconv.Itoa(s.watch), "-stall", strconv.Itoa(s.stall), "-write", strconv.Itoa(s.write),
		"-rate", strconv.FormatFloat(s.rate, 'f', -1, 64), "-batch", strconv.Itoa(s.batch), "-burst=" + strconv.FormatBool(s.burst),
		"-for", s.dur.String(), "-ramp", s.ramp.String(),
		"-run", strconv.FormatInt(s.run, 10), "-process", strconv.Itoa(s.process), "-processes", strconv.Itoa(s.processes),
	}
}

func tellAll(members []*member, word, rest string) error {
	for _, m := range members {
		if err := tell(m.in, word, rest); err != nil {
			return err
		}
	}
	return nil
}

// hearAll waits until everybody has said a word, and returns what followed it.
func hearAll(members []*member, word string) (rests []string, err error) {
	for _, m := range members {
		line, err := m.lines.ReadString('\n')
		first, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err != nil || first != word {
			return nil, fmt.Errorf("%w: %q instead of %q: %w", errWorker, line, word, err)
		}
		rests = append(rests, rest)
	}
	return slices.Clip(rests), nil
}

// pause returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
