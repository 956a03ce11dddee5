package chat_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"barrage/chat"
)

// diary is a Handler that writes down what it is told and can be held up.
type diary struct {
	mu    sync.Mutex // held by a test, it makes the handler hang
	lines []string
}

func (d *diary) Frame(frame []byte)     { d.write(string(frame)) }
func (d *diary) State(s chat.RoomState) { d.write("state " + s.Phase) }
func (d *diary) Link(up bool)           { d.write(fmt.Sprintf("link %t", up)) }

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

func TestMailboxOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		m := chat.NewMailbox(&d)
		defer closeMailbox(t, m)
		m.Frame([]byte("1"))
		m.Link(false)
		m.State(chat.RoomState{Phase: "live"})
		m.Link(true)
		m.Frame(nil)
		m.Frame([]byte("2"))
		synctest.Wait()
		if got, want := d.read(), []string{"1", "link false", "state live", "link true", "2"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

func closeMailbox(t *testing.T, m *chat.Mailbox) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// overflowMailbox holds the handler up with frame 0 and runs fill, and returns what
// the handler is told once it goes on.
func overflowMailbox(t *testing.T, fill func(m *chat.Mailbox)) []string {
	t.Helper()
	d := &stuckDiary{entered: make(chan struct{}), release: make(chan struct{})}
	m := chat.NewMailbox(d)
	defer closeMailbox(t, m)
	m.Frame([]byte("0"))
	<-d.entered
	fill(m)
	close(d.release)
	synctest.Wait()
	m.Frame([]byte("last"))
	synctest.Wait()
	return d.read()
}

// stuckDiary is a diary that hangs in its first frame until released.
type stuckDiary struct {
	diary
	once             sync.Once
	entered, release chan struct{}
}

func (s *stuckDiary) Frame(frame []byte) {
	s.once.Do(func() { close(s.entered); <-s.release })
	s.diary.Frame(frame)
}

func TestMailboxGap(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fill func(m *chat.Mailbox)
		tail []string // after the frames that had room
	}{
		"frames": {
			fill: func(m *chat.Mailbox) { m.Frame([]byte("x")) },
			tail: []string{"link false", "link true", "last"},
		},
		"the newest state survives": {
			fill: func(m *chat.Mailbox) {
				m.State(chat.RoomState{Phase: "live"})
				m.State(chat.RoomState{Phase: "ended"})
			},
			tail: []string{"link false", "link true", "state ended", "last"},
		},
		"the newest link survives": {
			fill: func(m *chat.Mailbox) { m.Link(false); m.Frame([]byte("x")) },
			tail: []string{"link false", "last"},
		},
		"a link that came back survives": {
			fill: func(m *chat.Mailbox) { m.Link(false); m.Link(true) },
			tail: []string{"link false", "link true", "last"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got := overflowMailbox(t, func(m *chat.Mailbox) {
					for range 1024 {
						m.Frame([]byte("x"))
					}
					c.fill(m)
				})
				want := append(append([]string{"0"}, slices.Repeat([]string{"x"}, 1024)...), c.tail...)
				if !slices.Equal(got, want) {
					t.Errorf("told %d things ending in %q, want %d ending in %q",
						len(got), got[max(0, len(got)-6):], len(want), want[len(want)-6:])
				}
			})
		})
	}
}

func TestMailboxBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		big := make([]byte, 1<<20)
		got := overflowMailbox(t, func(m *chat.Mailbox) {
			for range 20 {
				m.Frame(big)
			}
		})
		if got[len(got)-1] != "last" || !slices.Contains(got, "link false") || len(got) > 15 {
			t.Errorf("told %d things, want at most 8 MiB of frames and the gap", len(got))
		}
	})
}

func TestMailboxClose(t *testing.T) {
	t.Parallel()
	var d diary
	m := chat.NewMailbox(&d)
	for range 100 {
		m.Frame([]byte("x"))
	}
	closeMailbox(t, m)
	before := d.read()
	m.Frame([]byte("late"))
	m.State(chat.RoomState{})
	m.Link(true)
	closeMailbox(t, m)
	if after := d.read(); len(after) != len(before) {
		t.Errorf("told %q after Close", after[len(before):])
	}
}

func BenchmarkMailbox(b *testing.B) {
	var frames sync.WaitGroup
	m := chat.NewMailbox(countDown{&frames})
	frame := make([]byte, 1000)
	b.ReportAllocs()
	for range b.N / 512 { // as a broker delivers: in bursts, and the handler keeps up
		frames.Add(512)
		for range 512 {
			m.Frame(frame)
		}
		frames.Wait()
	}
	if err := m.Close(); err != nil {
		b.Error(err)
	}
}

type countDown struct{ *sync.WaitGroup }

func (c countDown) Frame([]byte)         { c.Done() }
func (c countDown) State(chat.RoomState) {}
func (c countDown) Link(bool)            {}
