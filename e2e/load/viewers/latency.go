//go:build load && linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"barrage/e2e/load/encoder"
	"barrage/e2e/load/histogram"
)

// publication is what mode latency sends.
type publication struct {
	server, flv, key string
}

// A mark is written over the end of each access unit: its number in decimal, so no
// byte of it can be taken for a start code.
const (
	markText   = "barrage#"
	markDigits = 8
	remembered = 1 << 14 // access units whose time of sending is known
)

// clock remembers when access units were sent.
type clock struct{ sent [remembered]atomic.Int64 }

// mark is that of the n-th access unit, which is sent now.
func (c *clock) mark(n int, now time.Time) []byte {
	c.sent[n%remembered].Store(now.UnixNano())
	return fmt.Appendf(nil, "%s%0*d", markText, markDigits, n%100_000_000)
}

// youngest returns when the last marked unit of b was sent.
func (c *clock) youngest(b []byte) (time.Time, bool) {
	i := bytes.LastIndex(b, []byte(markText))
	if i < 0 || len(b) < i+len(markText)+markDigits {
		return time.Time{}, false
	}
	n, err := strconv.Atoi(string(b[i+len(markText):][:markDigits]))
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(0, c.sent[n%remembered].Load()), true
}

var errUnmarked = errors.New("no part had a mark in it: does the server pass media on as it is?")

// watchLatency publishes and watches at once.
func watchLatency(ctx context.Context, s settings, base *url.URL, net transport, pid int) (*report, error) {
	const chunk = 4096 // as OBS
	script, err := encoder.ReadScript(s.publish.flv, chunk)
	if err != nil {
		return nil, fmt.Errorf("-flv: %w", err)
	}
	conn, err := encoder.Publish(ctx, s.publish.server, s.publish.key, 0, chunk)
	if err != nil {
		return nil, err
	}
	var sent clock
	playing, stop := context.WithCancel(ctx)
	var both sync.WaitGroup
	both.Go(conn.Listen)
	ended := make(chan error, 1)
	both.Go(func() { ended <- play(playing, script, conn, &sent) })
	defer func() {
		stop()
		conn.Leave()
		both.Wait()
	}()
	c := newCrowd(s, base, net)
	var ages [2]histogram.Histogram // of video, the first rendition, and of audio
	c.heard = func(a *arrival) {
		if at, ok := sent.youngest(a.body); ok && a.kind == kindPart && c.players[a.viewer].playhead.running {
			ages[a.slot/2].Add(a.done.Sub(at))
		}
	}
	r, err := watch(ctx, s, c, pid)
	if err != nil {
		return nil, err
	}
	if ages[0].Count() == 0 {
		return nil, errUnmarked
	}
	r.time("video part arrived, after its youngest frame was sent", &ages[0])
	r.time("audio part arrived, after its youngest frame was sent", &ages[1])
	select {
	case err = <-ended:
	default:
	}
	return r, err
}

// play sends the script in real time until ctx ends.
func play(ctx context.Context, s *encoder.Script, conn *encoder.Conn, sent *clock) error {
	for _, m := range s.Intro {
		if err := conn.Send(m.Wire); err != nil {
			return err
		}
	}
	begun, base := time.Now(), time.Duration(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		if n > 0 && n%len(s.Loop) == 0 {
			base += s.Dur.Round(time.Millisecond)
		}
		m := s.Loop[n%len(s.Loop)]
		timer.Reset(time.Until(begun.Add(base + m.At)))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if why := conn.Gone(); why != nil {
			return fmt.Errorf("publish: %w", why)
		}
		m.Stamp(base + m.At)
		m.Mark(sent.mark(n, time.Now()))
		if err := conn.Send(m.Wire); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
}
