package redisbroker_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fake is as much of a Redis server as pub/sub needs, and misbehaves on
// demand: a real one cannot be told to.
type fake struct {
	addr string
	info string // INFO's answer

	mu       sync.Mutex
	conns    map[net.Conn]map[string]bool // channels by connection
	deaf     bool                         // delivers nothing, and answers every command
	commands []string                     // PUBLISHes of all but heartbeats
	serving  sync.WaitGroup
}

func startFake(t *testing.T, info string) *fake {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{addr: l.Addr().String(), info: info, conns: make(map[net.Conn]map[string]bool)}
	f.serving.Go(func() { f.accept(l) })
	t.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		for c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		f.serving.Wait()
	})
	return f
}

func (f *fake) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns[c] = make(map[string]bool)
		f.mu.Unlock()
		f.serving.Go(func() {
			f.serve(c)
			f.mu.Lock()
			delete(f.conns, c)
			f.mu.Unlock()
			c.Close()
		})
	}
}

func (f *fake) serve(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		f.mu.Lock()
		_, _ = io.WriteString(c, f.answer(c, args)) // under mu: answers and messages do not mix
		f.mu.Unlock()
	}
}

// readCommand reads an array of bulk strings (Redis serialization protocol).
func readCommand(r *bufio.Reader) ([]string, error) {
	n, err := readLength(r, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := readLength(r, '$')
		if err != nil {
			return nil, err
		}
		arg := make([]byte, size+2)
		if _, err := io.ReadFull(r, arg); err != nil {
			return nil, err
		}
		args[i] = string(arg[:size])
	}
	return args, nil
}

func readLength(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, errors.New("not RESP")
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// answer runs one command. Callers hold mu.
func (f *fake) answer(c net.Conn, args []string) string {
	var answer strings.Builder
	switch name := strings.ToLower(args[0]); name {
	case "subscribe", "unsubscribe":
		for _, channel := range args[1:] {
			f.conns[c][channel] = name == "subscribe"
			fmt.Fprintf(&answer, "*3\r\n%s%s:1\r\n", bulk(name), bulk(channel))
		}
	case "publish":
		if !strings.Contains(args[1], "heart:") {
			f.commands = append(f.commands, strings.Join(args, " "))
		}
		f.send(args[1], args[2])
		return ":1\r\n"
	case "get":
		return "$-1\r\n"
	case "pttl":
		return ":-2\r\n"
	case "info":
		return bulk(f.info)
	case "hello":
		return "-ERR unknown command\r\n"
	default:
		return "+OK\r\n"
	}
	return answer.String()
}

// send delivers a message to who subscribed. Callers hold mu.
func (f *fake) send(channel, payload string) {
	for c, channels := range f.conns {
		if channels[channel] && !f.deaf {
			_, _ = fmt.Fprintf(c, "*3\r\n%s%s%s", bulk("message"), bulk(channel), bulk(payload))
		}
	}
}

// setDeaf makes it swallow every message while all commands work.
func (f *fake) setDeaf(deaf bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deaf = deaf
}

// inject sends payload to channel's subscribers, whatever it is.
func (f *fake) inject(channel, payload string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.send(channel, payload)
}

// expel ends subscriptions to channel without being asked, as a cluster does
// when the channel's slot moves away.
func (f *fake) expel(channel string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, channels := range f.conns {
		if channels[channel] {
			channels[channel] = false
			_, _ = fmt.Fprintf(c, "*3\r\n%s%s:0\r\n", bulk("unsubscribe"), bulk(channel))
		}
	}
}

func (f *fake) published() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commands
}
