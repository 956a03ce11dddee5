package chat

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"barrage/chat/internal/segment"
	"barrage/chat/internal/wire"
)

const (
	brokerTimeout = 1500 * time.Millisecond // of one call
	retryInterval = 500 * time.Millisecond  // between tries to subscribe
	openTimeout   = 2 * time.Second         // a subscriber waits so long for a room that opens
	historySize   = 50
	sweepInterval = 30 * time.Second
)

// room is one room on this node. Its subscribers, the broker's deliveries and
// its two loops (flush and lead) meet under mu, which is never held during a
// call of the broker or a write to a socket.
type room struct {
	hub   *Hub
	name  string
	node  string        // this node in this room, unique to this opening of it
	stop  chan struct{} // closed by the hub when the room is to end
	ready chan struct{} // closed when the first try to open has ended, well or not
	bells bells
	refs  int           // connections; guarded by registry.mu
	idle  time.Duration // when refs last fell; guarded by registry.mu

	in      intake
	authors authors
	video   atomic.Pointer[video] // written under mu

	mu      sync.Mutex
	link    link
	tape    tape
	team    team
	out     outbox
	past    history
	law     law
	members map[*subscriber]struct{}
	old     recall
	combos  comboTable
	turns   turnTable
	swept   time.Duration // the two tables
	news    news

	shelf  shelf
	keeper keeper
}

// bells wake the loops. Ringing never blocks; one ring while another waits is
// the same ring.
type bells struct {
	flush, lead, keep chan struct{}

	flushed chan struct{} // closed when the flush loop has ended
	opened  sync.Once     // closes room.ready
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// link is what is known of the way to the broker.
type link struct {
	up       bool
	degraded bool
	answers  bool   // the broker did when it was last asked
	ask      bool   // ask for the lease now: something came back or changed
	told     string // what subscribers believe, see trouble
}

func newRoom(h *Hub, name, node string) *room {
	r := &room{
		hub: h, name: name, node: node,
		stop: make(chan struct{}), ready: make(chan struct{}),
		bells:  bells{flush: make(chan struct{}, 1), lead: make(chan struct{}, 1), keep: make(chan struct{}, 1), flushed: make(chan struct{})},
		link:   link{up: true},
		tape:   tape{tail: &entry{ready: make(chan struct{})}},
		combos: make(comboTable), turns: make(turnTable),
		members: make(map[*subscriber]struct{}),
	}
	r.law.init()
	r.video.Store(&video{})
	r.shelf.ready = make(chan struct{})
	r.shelf.rows = segment.NewShelf(h.disk(r))
	r.team.peers = make(map[string]*peer)
	r.team.interval = h.cfg.TickMin
	r.team.announced = h.cfg.TickMin
	return r
}

// run is the life of a room.
func (r *room) run() {
	defer r.end()
	var loops sync.WaitGroup
	loops.Go(r.flush) // which keeps comments on disk when the broker is away
	sub := r.subscribe()
	if sub == nil {
		loops.Wait()
		return
	}
	r.load()
	loops.Go(r.lead)
	loops.Go(r.keep)
	loops.Wait()
	if err := sub.Close(); err != nil {
		r.hub.log.Debug("chat room left", "room", r.name, "err", err)
	}
}

func (r *room) end() {
	r.open()
	r.mu.Lock()
	r.degrade(false)
	r.mu.Unlock()
	r.hub.metrics.rooms.Dec()
}

func (r *room) open() { r.bells.opened.Do(func() { close(r.ready) }) }

// subscribe tries until it succeeds, or returns nil when the room is to end.
func (r *room) subscribe() Subscription {
	retry := time.NewTicker(retryInterval)
	defer retry.Stop()
	for {
		ctx, cancel := r.deadline()
		sub, err := r.hub.broker.Subscribe(ctx, r.name, r)
		cancel()
		if err == nil {
			return sub
		}
		r.broken(err)
		r.open()
		select {
		case <-r.stop:
			return nil
		case <-retry.C:
		}
		r.hub.retire(r)
	}
}

// deadline bounds one call of the broker. The room's life is its stop channel,
// and the last calls are made after that was closed.
func (r *room) deadline() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), brokerTimeout)
}

// load fills the history from the log. What others say meanwhile may come in a
// tick as well; tell drops it then.
func (r *room) load() {
	ctx, cancel := r.deadline()
	defer cancel()
	// In a surge one batch is 1 MiB and holds far more comments than are wanted; in a
	// quiet room most entries are records.
	var entries []Entry
	var comments [][]byte
	var seen map[string]struct{} // deleted ones included
	for n := 2; n <= 10*historySize; n *= 5 {
		var err error
		if entries, err = r.hub.broker.Tail(ctx, r.name, n); err != nil {
			r.broken(err)
			return
		}
		comments, seen = said(entries)
		if len(comments) >= historySize || len(entries) < n {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.past.loaded = seen
	if len(entries) > 0 {
		r.out.acked.newest = entries[len(entries)-1].ID
	}
	for _, c := range comments[max(0, len(comments)-historySize):] {
		r.past.push(c)
		r.law.meet(c)
	}
}

// said returns the comments of a piece of the log without those that it says were
// deleted, and the ids of all.
func said(entries []Entry) (comments [][]byte, ids map[string]struct{}) {
	ids = make(map[string]struct{})
	for _, e := range entries {
		if rec, err := wire.ParseRecord(e.Batch); err == nil {
			if d, ok := tombstone(rec); ok {
				comments = slices.DeleteFunc(comments, d.Has)
			}
			continue
		}
		b, err := wire.ParseBatch(e.Batch)
		if err != nil {
			continue
		}
		comments = append(comments, b.Comments...)
		for _, c := range b.Comments {
			ids[string(wire.CommentID(c))] = struct{}{}
		}
	}
	return comments, ids
}

// Link implements Handler.
func (r *room) Link(up bool) {
	if !up {
		r.broken(ErrUnavailable)
	}
	r.mu.Lock()
	r.link.up = up
	r.link.ask = true
	r.mu.Unlock()
	ring(r.bells.lead)
}

// broken says that the broker failed us.
func (r *room) broken(err error) {
	r.mu.Lock()
	was := r.link.degraded
	r.link.answers = false
	r.degrade(true)
	r.mu.Unlock()
	if !was {
		r.hub.log.Warn("chat degraded", "room", r.name, "err", err)
	}
}

// works says that the broker answered. With a spool the flush loop must have
// brought there what it lacks, before that is a recovery: it may take nothing yet.
func (r *room) works() {
	r.mu.Lock()
	r.link.answers = r.link.up
	back := r.link.up && r.link.degraded
	r.mu.Unlock()
	switch {
	case !back:
	case r.hub.spool == nil:
		r.recovered()
	default:
		ring(r.bells.flush)
	}
}

// recovered says that comments get through again.
func (r *room) recovered() {
	r.mu.Lock()
	was := r.link.degraded
	r.degrade(false)
	r.mu.Unlock()
	if was {
		r.hub.log.Info("chat recovered", "room", r.name)
		ring(r.bells.flush)
	}
}

// degrade needs mu.
func (r *room) degrade(degraded bool) {
	if r.link.degraded == degraded {
		return
	}
	r.link.degraded = degraded
	if degraded {
		r.out.acked.compare = r.hub.spool != nil
		r.hub.metrics.degraded.Inc()
	} else {
		r.hub.metrics.degraded.Dec()
	}
	r.announce()
}

// announce needs mu. It tells subscribers what is wrong, when that has changed.
func (r *room) announce() {
	r.gate()
	if reason := r.trouble(); reason != r.link.told {
		r.link.told = reason
		r.tape.event(wire.AppendDegradedEvent(nil, reason))
	}
}

// trouble needs mu. It is why comments do not get through, empty when they do.
func (r *room) trouble() string {
	switch {
	case !r.link.degraded:
		return ""
	case r.hub.spool.usable():
		return reasonApart
	default:
		return reasonUnavailable
	}
}

// gate needs mu. It notes for those who do not hold it whether comments can be
// taken.
func (r *room) gate() {
	r.in.shut.Store(r.trouble() == reasonUnavailable || len(r.out.open) >= maxOpen)
}

// reason is trouble for those who do not hold mu.
func (r *room) reason() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trouble()
}

func (r *room) viewers() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.countViewers()
}

// State implements Handler.
func (r *room) State(s RoomState) {
	if s.Phase == "" {
		s.Phase = "offline"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.video.Load().session()
	r.video.Store(&video{state: s, at: r.hub.clock()})
	if session := r.video.Load().session(); session.Phase != old.Phase || session.Session != old.Session ||
		session.Epoch != old.Epoch || session.Live != old.Live {
		r.tape.event(wire.AppendSessionEvent(nil, session))
	}
}

// video is the room's retained state and when it came.
type video struct {
	state RoomState
	at    time.Duration
}

func (v video) session() wire.Session {
	s := v.state
	if s.Phase == "" {
		s.Phase = "offline"
	}
	return wire.Session{Phase: s.Phase, Session: s.Session, Epoch: s.Epoch, Live: s.Live, Players: s.Players}
}

// defaultWindow bounds how old a comment's moment may be while there is no video.
const defaultWindow = int64(60_000)

// moment returns the program date time of a comment whose writer says pdt (0 =
// does not say). PDT now comes from the stream's own clock and the time since
// we heard of it, never from comparing two wall clocks; without video it is
// this node's wall clock.
func (v video) moment(pdt int64, clock time.Duration, wall time.Time) int64 {
	now, window := v.present(clock, wall)
	if pdt == 0 && v.state.PDT > 0 {
		return now - v.state.Latency
	}
	if pdt == 0 {
		return now
	}
	return min(max(pdt, now-window), now+1000)
}

// present returns PDT now and how far back a comment's moment may lie.
func (v video) present(clock time.Duration, wall time.Time) (now, window int64) {
	if v.state.PDT > 0 {
		return v.state.PDT + (clock - v.at).Milliseconds(), v.state.Window
	}
	return wall.UnixMilli(), defaultWindow
}

// history is the newest comments, oldest first.
type history struct {
	comments [][]byte
	loaded   map[string]struct{} // ids that came from the log and may yet come in a tick
}

// tell takes over what a tick shows and deletes.
func (h *history) tell(f *wire.Finished) {
	for _, c := range f.Tick.Comments {
		if _, known := h.loaded[string(wire.CommentID(c))]; known {
			delete(h.loaded, string(wire.CommentID(c)))
			continue
		}
		h.push(c)
	}
	for _, e := range f.Events {
		if d, ok := wire.ParseDeleteEvent(e); ok {
			h.comments = slices.DeleteFunc(h.comments, d.Has)
		}
	}
}

// push adds a comment, unless this node has shown it already.
func (h *history) push(c []byte) {
	id := wire.CommentID(c)
	if slices.ContainsFunc(h.comments, func(old []byte) bool { return bytes.Equal(wire.CommentID(old), id) }) {
		return
	}
	if len(h.comments) == historySize {
		h.comments = append(h.comments[:0], h.comments[1:]...)
	}
	h.comments = append(h.comments, c)
}
