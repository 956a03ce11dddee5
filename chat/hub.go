package chat

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"barrage/chat/internal/archive"
	"barrage/chat/internal/segment"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// roomLinger is how long a room stays open on a node after its last subscriber
// has gone, so that one who reloads the page finds ticks and history in RAM.
const roomLinger = 30 * time.Second

// pruneEvery is how often the archive is looked through for what is too old.
const pruneEvery = time.Hour

// Options wire a Hub. Broker and Secret are required.
type Options struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time // wall clock; nil = time.Now. Durations are always monotonic
	Broker     Broker
	Secret     []byte // signs and checks the tokens of people
	// Spool is where comments are kept while the broker is away, of all rooms at most
	// SpoolBytes: a directory of this node alone. nil = nowhere, they are refused.
	Spool      *os.Root
	SpoolBytes int64
	// Dir is where comments are archived; "" = nowhere, and then the broker's log is
	// trimmed by its own bounds alone.
	Dir string
	// ClientAddr says whose connection a request is; nil = the TCP peer.
	ClientAddr func(*http.Request) netip.Addr
	// Full says why there is no place for another connection now, nil when there
	// is; a nil Full has place. It is asked before each, from many goroutines.
	Full func() error
}

// Hub is the chat of one node.
type Hub struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	start   time.Time
	broker  Broker
	secret  []byte
	node    string
	seed    uint64 // of hash; the same on all nodes
	pads    sync.Pool
	metrics *metrics
	full    func() error
	spool   *spool           // nil = none
	archive *archive.Archive // nil = none
	door    *door
	desk    registry
}

// registry is who and what is here now.
type registry struct {
	roomLoops sync.WaitGroup // room.run
	conns     sync.WaitGroup // subscriber.welcome and serve

	mu       sync.Mutex // taken before any room.mu, never while one is held
	rooms    map[string]*room
	subs     map[*subscriber]struct{}
	addrs    map[netip.Addr]int
	gate     gate
	serial   uint64 // of rooms opened
	stopping bool
}

// Errors of entering a room.
var (
	errRoomName = errors.New("there is no room of this name: a name has 3 to 64 of a-z 0-9 _ -")
	errOrigin   = errors.New("pages of this origin may not use chat; chat.allowed_origins lists those that may")
	errCrowded  = errors.New("too many people come at once; chat.max_new_conns_per_second bounds how many are let in")
	errStopping = errors.New("this server is stopping; connect again in a moment")
	errRooms    = errors.New("too many rooms are open on this server; chat.max_rooms bounds them")
	errAddress  = errors.New("too many connections from this address; chat.max_conns_per_addr bounds them")
)

// New returns a Hub that serves once its Handler is mounted; Run stops it.
func New(cfg Config, opts Options) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if opts.Broker == nil || len(opts.Secret) == 0 {
		return nil, errors.New("chat: Options.Broker and Options.Secret are required")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Registerer == nil {
		opts.Registerer = prometheus.NewRegistry()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Full == nil {
		opts.Full = func() error { return nil }
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register chat metrics: %w", err)
	}
	h := &Hub{
		cfg: cfg, log: opts.Logger, now: opts.Now, start: time.Now(), broker: opts.Broker,
		secret: opts.Secret, node: strings.ToLower(rand.Text()[:6]), metrics: m, full: opts.Full,
		desk: registry{
			rooms: make(map[string]*room), subs: make(map[*subscriber]struct{}), addrs: make(map[netip.Addr]int),
		},
	}
	h.seed = xxhash.Sum64(opts.Secret)
	h.pads.New = func() any { return new(pad) }
	if opts.Dir != "" {
		if h.archive, err = archive.Open(opts.Dir); err != nil {
			return nil, fmt.Errorf("open chat archive: %w", err)
		}
	}
	h.door = newDoor(h, opts.ClientAddr)
	if opts.Spool != nil {
		if h.spool, err = openSpool(opts, m); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Handler serves everything below /chat/v1/.
func (h *Hub) Handler() http.Handler { return h.door.mux }

// Run waits for the end of ctx and then stops the hub: the last comments are
// logged and delivered, every socket is told when to come back and closed, and
// everything the hub started has ended. That takes at most about eight seconds
// when neither broker nor browsers answer.
func (h *Hub) Run(ctx context.Context) error {
	h.takeUp()
	var chores sync.WaitGroup
	if h.archive != nil {
		chores.Go(func() { h.houseKeep(ctx) })
	}
	<-ctx.Done()
	h.desk.mu.Lock()
	h.desk.stopping = true
	for name, r := range h.desk.rooms {
		delete(h.desk.rooms, name)
		close(r.stop)
	}
	h.desk.mu.Unlock()
	h.desk.roomLoops.Wait()

	h.desk.mu.Lock()
	farewell := restartBye(len(h.desk.subs))
	for s := range h.desk.subs {
		s.close(farewell)
	}
	h.desk.mu.Unlock()
	h.desk.conns.Wait()
	chores.Wait()
	err := h.spool.close()
	if h.archive != nil {
		err = errors.Join(err, h.archive.Close())
	}
	return err
}

// takeUp opens the rooms whose comments the last process has left in the spool.
func (h *Hub) takeUp() {
	for _, name := range h.spool.names() {
		r, err := h.enter(name)
		if err != nil {
			h.log.Warn("comments wait for their room to be opened", "room", name, "err", err)
			continue
		}
		h.leave(r)
	}
}

// houseKeep finishes what a process that was killed has left, and removes what is
// older than Config.Keep.
func (h *Hub) houseKeep(ctx context.Context) {
	rooms, err := h.archive.Unfinished()
	if err != nil {
		h.log.Warn("chat archive not read", "err", err)
	}
	for _, name := range rooms {
		// Who opens a room takes its lease when nobody has it, and archives.
		if r, err := h.enter(name); err == nil {
			h.leave(r)
		}
	}
	again := time.NewTicker(pruneEvery)
	defer again.Stop()
	for {
		if h.cfg.Keep > 0 {
			n, err := h.archive.Prune(h.now().Add(-h.cfg.Keep))
			if err != nil {
				h.log.Warn("old comments not removed", "err", err, "hint", "remove them by hand; they lie in chat below state_dir, a folder or file for each day")
			} else if n > 0 {
				h.log.Info("old comments removed", "count", n)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// disk is where segments of r are that are no longer in RAM.
func (h *Hub) disk(r *room) segment.Disk {
	if h.archive == nil {
		return nil
	}
	return roomDisk{archive: h.archive, room: r.name, fail: r.archiving}
}

// Degraded says whether, and why, comments do not get through on this node.
func (h *Hub) Degraded() (reason string, degraded bool) {
	consequence := ""
	if h.spool.usable() {
		consequence = ": comments are kept, and seen by viewers of this server only until it answers"
	}
	if b, ok := h.broker.(interface{ Up() bool }); ok && !b.Up() {
		return "chat broker unavailable" + consequence, true
	}
	for _, r := range h.openRooms() {
		if r.reason() != "" {
			return "chat broker unavailable for room " + r.name + consequence, true
		}
		if r.keeper.failing.Load() {
			return "comments of room " + r.name + " cannot be written to disk", true
		}
	}
	return "", false
}

func (h *Hub) openRooms() []*room {
	h.desk.mu.Lock()
	defer h.desk.mu.Unlock()
	rooms := make([]*room, 0, len(h.desk.rooms))
	for _, r := range h.desk.rooms {
		rooms = append(rooms, r)
	}
	return rooms
}

// clock is the hub's monotonic time.
func (h *Hub) clock() time.Duration { return time.Since(h.start) }

// enter returns the room, opened if need be, and holds it open until leave.
func (h *Hub) enter(name string) (*room, error) {
	d := &h.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping {
		return nil, errStopping
	}
	r, ok := d.rooms[name]
	if !ok {
		if len(d.rooms) >= h.cfg.MaxRooms && !d.evict(h.spool) {
			return nil, errRooms
		}
		// The node's name differs each time the room is opened, because its
		// partials are numbered from 1 each time.
		d.serial++
		h.spool.inherit(name)
		r = newRoom(h, name, h.node+"-"+strconv.FormatUint(d.serial, 36))
		d.rooms[name] = r
		h.metrics.rooms.Inc()
		d.roomLoops.Go(r.run)
	}
	r.refs++
	return r, nil
}

// evict closes the room that has been empty for longest, if there is one: a
// visitor who opens rooms by the hundred must not keep others out of theirs.
// One whose comments are in the spool stays. Needs mu.
func (d *registry) evict(s *spool) bool {
	var oldest *room
	for _, r := range d.rooms {
		if r.refs == 0 && !s.holds(r.name) && (oldest == nil || r.idle < oldest.idle) {
			oldest = r
		}
	}
	if oldest == nil {
		return false
	}
	delete(d.rooms, oldest.name)
	close(oldest.stop)
	return true
}

func (h *Hub) leave(r *room) {
	h.desk.mu.Lock()
	defer h.desk.mu.Unlock()
	r.refs--
	r.idle = h.clock()
}

// retire closes r if nobody has been in it for a while, and nothing of it waits.
func (h *Hub) retire(r *room) {
	d := &h.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rooms[r.name] == r && r.refs == 0 && h.clock()-r.idle >= roomLinger && !h.spool.holds(r.name) {
		delete(d.rooms, r.name)
		close(r.stop)
	}
}

// admit counts a connection of addr, or refuses it. A turn above 0 is when who
// comes may come again; until he has heard that he is counted, too.
func (h *Hub) admit(addr netip.Addr) (turn time.Duration, err error) {
	if err = h.full(); err != nil {
		return 0, err
	}
	d := &h.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.stopping:
		return 0, errStopping
	case d.addrs[addr] >= h.cfg.MaxConnsPerAddr:
		return 0, errAddress
	}
	if turn, err = d.gate.pass(h.clock(), h.cfg.MaxNewConnsPerSecond); err != nil {
		return 0, err
	}
	d.addrs[addr]++
	return turn, nil
}

func (h *Hub) dismiss(addr netip.Addr) {
	d := &h.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.addrs[addr]--; d.addrs[addr] == 0 {
		delete(d.addrs, addr)
	}
}

// employ runs s until it ends, unless the hub is stopping.
func (h *Hub) employ(s *subscriber, done func()) error {
	d := &h.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping {
		return errStopping
	}
	d.subs[s] = struct{}{}
	h.metrics.conns.Inc()
	end := func() {
		d.mu.Lock()
		delete(d.subs, s)
		d.mu.Unlock()
		h.metrics.conns.Dec()
		done()
	}
	d.conns.Go(func() {
		cursor, ok := s.welcome()
		if !ok {
			end()
			return
		}
		d.conns.Go(func() {
			s.serve(cursor)
			end()
		})
	})
	return nil
}
