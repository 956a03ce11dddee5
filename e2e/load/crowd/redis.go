//go:build load && linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// usage is what Redis says that it spent.
type usage struct {
	at       time.Time
	cpu      float64 // seconds
	commands int64
}

// resp speaks to Redis in its own protocol (RESP2).
type resp struct {
	conn net.Conn
	in   *bufio.Reader
}

const redisTimeout = 10 * time.Second

var errRESP = errors.New("not an answer of Redis that was expected")

func dialRedis(ctx context.Context, addr string) (*resp, error) {
	d := net.Dialer{Timeout: redisTimeout}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return newRESP(conn), nil
}

func newRESP(conn net.Conn) *resp { return &resp{conn, bufio.NewReaderSize(conn, 1<<16)} }

// do sends one command and reads its answer: an int64, []byte, nil or []any.
func (r *resp) do(args ...string) (any, error) {
	msg := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		msg = fmt.Appendf(msg, "$%d\r\n%s\r\n", len(a), a)
	}
	_ = r.conn.SetDeadline(time.Now().Add(redisTimeout))
	if _, err := r.conn.Write(msg); err != nil {
		return nil, err
	}
	return r.read()
}

func (r *resp) read() (any, error) {
	line, err := r.in.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 {
		return nil, errRESP
	}
	rest := string(line[1:])
	switch line[0] {
	case '+':
		return line[1:], nil
	case '-':
		return nil, fmt.Errorf("%w: %s", errRESP, rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return nil, fmt.Errorf("%w: %.80q", errRESP, line)
	}
	switch {
	case line[0] == ':':
		return int64(n), nil
	case n < 0:
		return nil, nil //nolint:nilnil // RESP's nil
	case line[0] == '$':
		body := make([]byte, n+2)
		_, err = io.ReadFull(r.in, body)
		return body[:n], err
	case line[0] == '*':
		list := make([]any, n)
		for i := range list {
			if list[i], err = r.read(); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("%w: %.80q", errRESP, line)
}

func (r *resp) array(args ...string) ([]any, error) {
	answer, err := r.do(args...)
	if err != nil {
		return nil, err
	}
	list, ok := answer.([]any)
	if !ok && answer != nil {
		return nil, errRESP
	}
	return list, nil
}

// usage asks Redis what it has spent.
func (r *resp) usage() (u usage, err error) {
	answer, err := r.do("INFO", "everything")
	if err != nil {
		return u, err
	}
	u.at = time.Now()
	text, _ := answer.([]byte)
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		switch key {
		case "used_cpu_sys", "used_cpu_user":
			seconds, _ := strconv.ParseFloat(value, 64)
			u.cpu += seconds
		case "total_commands_processed":
			u.commands, _ = strconv.ParseInt(value, 10, 64)
		}
	}
	return u, nil
}
