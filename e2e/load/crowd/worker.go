//go:build load && linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// What the conductor and a process say to each other, by lines: "ready" and, when all
// are, "go MS", the moment to begin; "done" and, when all are, "log FILE", the
// comments that the log has; then the process's report.
const (
	lineReady = "ready"
	lineGo    = "go"
	lineDone  = "done"
	lineLog   = "log"
)

// Bounds of waiting.
const (
	arrivalPatience = 60 * time.Second // beyond the ramp
	drainLeast      = 2 * time.Second  // for the last tick
	drainMost       = 20 * time.Second // for the last ack
)

// work is the life of one process.
func work(ctx context.Context, s settings, from io.Reader, to io.Writer) error {
	w, err := newCrowd(s)
	if err != nil {
		return err
	}
	defer w.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	orders := make(chan string)
	go func() { // ends with its pipe, or when nobody listens
		defer close(orders)
		for lines := bufio.NewScanner(from); lines.Scan(); {
			select {
			case orders <- lines.Text():
			case <-ctx.Done():
				return
			}
		}
		cancel() // the conductor has gone
	}()
	w.run(ctx, s.ramp+arrivalPatience, func() bool { return w.here == len(w.conns) })
	w.arrived = w.here
	if err = tell(to, lineReady, strconv.Itoa(w.here)); err != nil {
		return err
	}
	order, err := w.await(ctx, orders, lineGo)
	if err != nil {
		return err
	}
	ms, err := strconv.ParseInt(order, 10, 64)
	if err != nil {
		return fmt.Errorf("order %q: %w", order, err)
	}
	w.measure(ctx, time.UnixMilli(ms))
	if err = tell(to, lineDone, ""); err != nil {
		return err
	}
	file, err := w.await(ctx, orders, lineLog)
	if err != nil {
		return err
	}
	r := w.report()
	if file != "" {
		book, err := readLog(file, s.room, w.ledger.prefix)
		if err != nil {
			return err
		}
		found := book.compare(w.ledger)
		r.Log = &found
	}
	return json.NewEncoder(to).Encode(r)
}

func tell(to io.Writer, word, rest string) error {
	_, err := fmt.Fprintln(to, word, rest)
	return err
}

// await goes on until the conductor gives an order, and returns what follows it.
func (w *crowd) await(ctx context.Context, orders <-chan string, word string) (rest string, err error) {
	var line string
	w.run(ctx, time.Hour, func() bool {
		select {
		case line = <-orders:
			return true
		default:
			return false
		}
	})
	first, rest, _ := strings.Cut(line, " ")
	if first != word {
		return "", fmt.Errorf("waited for %q and got %q: %w", word, line, context.Cause(ctx))
	}
	return rest, nil
}

// measure is what it is all about, from a moment on.
func (w *crowd) measure(ctx context.Context, at time.Time) {
	never := func() bool { return false }
	w.run(ctx, time.Until(at), never)
	// What happened while they arrived is not of interest, but for the errors.
	w.tally = tally{measuring: true, ends: map[string]int64{}, errors: w.tally.errors}
	w.began = time.Now()
	if w.s.reconnect != "" {
		w.cutAll(ctx)
	} else {
		w.start(at)
		w.run(ctx, w.s.dur, never)
	}
	w.tally.measuring = false
	w.lanes = nil
	begun := time.Now()
	w.run(ctx, drainMost, func() bool { return time.Since(begun) > drainLeast && w.ledger.counts()[waiting] == 0 })
}

// cutAll ends all connections, or waits for it, and then until all are back.
func (w *crowd) cutAll(ctx context.Context) {
	if w.s.reconnect == cutByCrowd {
		w.cut = time.Now()
		for _, c := range w.conns {
			if c.state == here {
				w.end(c, "cut", false)
			}
		}
	}
	w.run(ctx, w.s.dur, func() bool { return w.here == len(w.conns) && int(w.tally.back.Count()) >= w.here })
}
