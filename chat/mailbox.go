package chat

import "sync"

// Bounds of what one Mailbox keeps waiting. At 16 nodes and ten ticks a second
// they are six seconds of a room's frames.
const (
	mailboxEvents = 1024
	mailboxBytes  = 8 << 20
)

// Mailbox stands between a broker and a Handler: handing something to the
// mailbox never blocks, and one goroutine calls the Handler, one call at a time,
// in the order in which things came. It is a Handler itself.
//
// A Handler that stays behind for more than the bound loses frames and is told so
// with Link(false) and Link(up) at the place of the gap; the newest state and
// link are never lost.
type Mailbox struct {
	handler Handler
	done    chan struct{} // closed when the handler will not be called again

	mu     sync.Mutex
	wake   sync.Cond
	queue  []delivery
	bytes  int
	up     bool       // the newest link
	state  *RoomState // newest state that came behind a gap
	gap    bool       // something was left out behind the end of queue
	closed bool
}

// delivery is one call of a Handler.
type delivery struct {
	frame []byte
	state *RoomState
	up    bool // of a link, when frame and state are nil
}

// NewMailbox starts a mailbox for h. Its owner must Close it.
func NewMailbox(h Handler) *Mailbox {
	m := &Mailbox{handler: h, done: make(chan struct{}), up: true}
	m.wake.L = &m.mu
	go m.run()
	return m
}

// Frame hands over one frame, which is not changed afterwards. An empty one is
// left out.
func (m *Mailbox) Frame(frame []byte) {
	if len(frame) > 0 {
		m.put(delivery{frame: frame})
	}
}

// State hands over a state.
func (m *Mailbox) State(s RoomState) {
	m.put(delivery{state: &s})
}

// Link hands over whether the bus is connected.
func (m *Mailbox) Link(up bool) {
	m.put(delivery{up: up})
}

func (m *Mailbox) put(d delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	link := d.frame == nil && d.state == nil
	if link {
		m.up = d.up
	}
	if m.gap || len(m.queue) >= mailboxEvents || m.bytes+len(d.frame) > mailboxBytes {
		m.gap = true
		if d.state != nil {
			m.state = d.state
		}
		return
	}
	m.queue = append(m.queue, d)
	m.bytes += len(d.frame)
	m.wake.Signal()
}

// Close drops what waits and returns after the handler's last call. The handler
// itself must not call it.
func (m *Mailbox) Close() error {
	m.mu.Lock()
	m.closed = true
	m.queue = nil
	m.wake.Signal()
	m.mu.Unlock()
	<-m.done
	return nil
}

// run is the mailbox's goroutine; Close ends it and waits for it.
func (m *Mailbox) run() {
	defer close(m.done)
	var batch []delivery
	for {
		clear(batch) // the frames belong to the handler now
		batch = m.take(batch[:0])
		if len(batch) == 0 {
			return
		}
		for i := range batch {
			if m.isClosed() {
				return
			}
			m.deliver(batch[i])
		}
	}
}

// take waits for something to deliver and swaps the queue for spare. It
// returns nothing after Close.
func (m *Mailbox) take(spare []delivery) []delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.queue) == 0 && !m.closed {
		m.wake.Wait()
	}
	if m.closed {
		return nil
	}
	batch := m.queue
	m.queue, m.bytes = spare, 0
	if m.gap {
		batch = append(batch, delivery{up: false})
		if m.up {
			batch = append(batch, delivery{up: true})
		}
		if m.state != nil {
			batch = append(batch, delivery{state: m.state})
		}
		m.gap, m.state = false, nil
	}
	return batch
}

func (m *Mailbox) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

func (m *Mailbox) deliver(d delivery) {
	switch {
	case d.frame != nil:
		m.handler.Frame(d.frame)
	case d.state != nil:
		m.handler.State(*d.state)
	default:
		m.handler.Link(d.up)
	}
}
