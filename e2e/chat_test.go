//go:build e2e || reliability

package e2e_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"barrage/e2e/load"
)

// chatter is a chat client that remembers what it was told.
type chatter struct {
	*load.Conn

	mu     sync.Mutex
	seen   map[string]int // text → how often shown
	pdts   map[string]int64
	acks   map[string]load.Ack
	frames []load.Frame // everything but ticks and acks
	seq    uint64       // of the newest tick
	holes  []string     // where it was not the next
	closed error
}

// join connects and listens until the test ends.
func join(t *testing.T, base, nick string) *chatter {
	t.Helper()
	conn, err := load.Dial(t.Context(), base, room, load.Who{Nick: nick})
	if err != nil {
		t.Fatal(err)
	}
	c := &chatter{Conn: conn, seen: map[string]int{}, pdts: map[string]int64{}, acks: map[string]load.Ack{}, seq: conn.Welcome.Seq}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.listen()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return c
}

func (c *chatter) listen() {
	for {
		f, err := c.Next()
		c.mu.Lock()
		switch {
		case err != nil:
			c.closed = err
		case f.Op == "tick":
			if f.Seq != c.seq+1 {
				c.holes = append(c.holes, fmt.Sprintf("%d after %d", f.Seq, c.seq))
			}
			c.seq = f.Seq
			for _, comment := range f.Shown {
				c.seen[comment.Text]++
				c.pdts[comment.Text] = comment.PDT
			}
		case f.Op == "acks":
			for _, ack := range f.Acks {
				c.acks[ack.CID] = ack
			}
		default:
			c.frames = append(c.frames, f)
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// say sends text and fails the test if it does not leave.
func (c *chatter) say(t *testing.T, text string) (cid string) {
	t.Helper()
	cid, err := c.Send(text)
	if err != nil {
		t.Fatalf("send %q: %v", text, err)
	}
	return cid
}

// saw returns nil once text was shown exactly once.
func (c *chatter) saw(text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.seen[text]; n != 1 {
		return fmt.Errorf("saw %q %d times; closed: %w", text, n, c.closed)
	}
	return nil
}

func (c *chatter) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.seen)
}

// acked returns nil once the comment was acknowledged, with the acknowledgement.
func (c *chatter) acked(cid string) (load.Ack, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ack, ok := c.acks[cid]
	if !ok {
		return ack, fmt.Errorf("no ack for %s", cid)
	}
	return ack, nil
}

// last returns the newest frame with this op.
func (c *chatter) last(op string) (load.Frame, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range slices.Backward(c.frames) {
		if f.Op == op {
			return f, nil
		}
	}
	return load.Frame{}, fmt.Errorf("no %s frame; closed: %w", op, c.closed)
}

// closeCode returns the code the server closed with; 0 while open.
func (c *chatter) closeCode() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var closed *websocket.CloseError
	if errors.As(c.closed, &closed) {
		return closed.Code
	}
	return 0
}

// closeError is why the connection ended; nil while open.
func (c *chatter) closeError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// pdt is the program date time with which text was shown.
func (c *chatter) pdt(text string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pdts[text]
}
