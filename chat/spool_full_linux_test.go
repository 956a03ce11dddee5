package chat_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"barrage/chat"
)

// TestSpoolDiskFull: when the disk takes no more, comments are refused, everybody is
// told the truth, and what was acknowledged arrives. As in TestMemoryDiskFull the
// process's own limit of file sizes stands for the disk.
func TestSpoolDiskFull(t *testing.T) { alone(t, spoolDiskFull) }

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func spoolDiskFull(t *testing.T) {
	t.Helper()
	var log lockedBuffer
	broker := newMemory(t)
	way := newFlaky(broker)
	n := start(t, setup{
		broker: way, spool: t.TempDir(), logger: slog.New(slog.NewTextHandler(&log, nil)),
		config: func(c *chat.Config) { c.MaxShownPerSecond = 1000 },
	})
	p := n.join(t, "live", nil)
	p.say("before", "before")
	p.inTick("before")
	cut(t, way, p)
	limitFiles(t, 3000)
	spooled := 0
	for i := 0; ; i++ {
		p.say(cid(i), cid(i)+strings.Repeat(" 草", 90))
		ack := p.ack(cid(i))
		if ack[2] == "spooled" {
			spooled++
			continue
		}
		if ack[3] != "unavailable" || spooled == 0 {
			t.Errorf("after %d: %v", spooled, ack)
		}
		break
	}
	p.await("the truth", func(m message) bool { return m.Kind == "degraded" && m.Reason == "unavailable" })
	limitFiles(t, 1<<40)
	way.set(func(f *flaky) { f.down = false })
	p.await("recovery", func(m message) bool { return m.Kind == "degraded" && !m.Degraded })
	p.say("after", "after")
	p.inTick("after")
	balanced(t, 1+spooled+1, n)
	if got := len(entriesOf(t, broker)); got != 1+spooled+1 {
		t.Errorf("%d in the log, want %d", got, 1+spooled+1)
	}
	if !strings.Contains(log.String(), "comments cannot be written") || !strings.Contains(log.String(), "free space") {
		t.Errorf("the log does not say what to do:\n%s", log.String())
	}
}
