package chat

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of the contracts below. A caller that gets ErrUnavailable goes on
// serving its own subscribers, says so to them, and tries again.
var (
	ErrUnavailable = errors.New("chat broker unavailable")
	ErrNotLeader   = errors.New("another node leads this room")
	ErrConflict    = errors.New("the room's rules were changed by somebody else meanwhile")
)

// Bus joins the chat nodes of one deployment. Delivery is at most once, and in
// order for the frames of one sender in one room.
type Bus interface {
	// Publish sends frame to every node subscribed to room, the sender's own
	// included. The frame is not written to afterwards by anybody. Here and below an
	// empty frame is not sent, and an error wraps ErrUnavailable: the frame may have been.
	Publish(ctx context.Context, room string, frame []byte) error
	// Subscribe returns once frames published from now on will reach h. ctx
	// bounds the subscribing, not the subscription; after an error there is none. Close
	// of the Subscription returns after the last call of h, so h itself must not call it.
	Subscribe(ctx context.Context, room string, h Handler) (Subscription, error)
}

// Handler receives what one room's subscription brings. Calls come one at a
// time, must not block, and may keep the frame but not change it.
type Handler interface {
	// Frame is one published frame.
	Frame(frame []byte)
	// State is the room's retained state: once after Subscribe when there is one, at
	// every change, and when it lapses (the zero RoomState with Room set).
	State(RoomState)
	// Link says whether the bus is connected. After down and up frames may be missing.
	Link(up bool)
}

// Subscription is one room's place on the bus.
type Subscription interface {
	Close() error
}

// Entry is one batch in a room's log.
type Entry struct {
	ID    string // milliseconds-number; grows in the order of the log
	Batch []byte
}

// Log keeps what was said, in order. It is bounded: the oldest batches go.
type Log interface {
	// Append adds batch to the room's log and then publishes frame on the bus, in
	// one round trip; an empty one of the two is left out. It returns the entry's ID,
	// "" without a batch. When the error is nil the batch is in the log; an error wraps
	// ErrUnavailable and the batch may be in it. The batch is the caller's again afterwards.
	Append(ctx context.Context, room string, batch, frame []byte) (id string, err error)
	// Tail returns at most n newest batches, oldest first.
	Tail(ctx context.Context, room string, n int) ([]Entry, error)
	// Read returns at most n batches whose IDs are above after ("" = all), oldest first.
	Read(ctx context.Context, room, after string, n int) ([]Entry, error)
	// Trim says that every batch up to and including through is safe elsewhere: it goes.
	Trim(ctx context.Context, room, through string) error
}

// Lease is a node's right to number the ticks of a room for a while.
type Lease struct {
	Held   bool   // by the node that asked
	Holder string // node that leads now
	Epoch  string // the numbering of the room's ticks
	Seq    uint64 // last number given in this epoch

	// RulesVersion is that of the room's rules: who holds older ones asks for them.
	RulesVersion uint64
}

// Store keeps the small shared facts of a room.
type Store interface {
	TickStore
	RuleStore
	// Rooms gives access to the retained room states.
	Rooms() RoomStore
}

// TickStore numbers the ticks of a room, and keeps the last of them.
type TickStore interface {
	// Lead asks for the room's lease, or renews it, for ttl. The first lease of a
	// room makes its epoch; epoch and seq outlive every lease, for minutes at least, for
	// a day where something was said.
	Lead(ctx context.Context, room, node string, ttl time.Duration) (Lease, error)
	// Advance records seq as the last number of the room, keeps frame in the room's
	// tick log and publishes it, at once or not at all. ErrNotLeader when node's lease has
	// gone, or when seq is not above the last number (a repeated Advance): Lead tells how
	// things stand.
	Advance(ctx context.Context, room, node string, seq uint64, frame []byte) error
	// Ticks returns at most n frames of the room's present epoch whose numbers are above
	// after, oldest first. The log is bounded: it has at least the last ten minutes or the last
	// TickLogLength frames, unless they have more than TickLogBytes.
	Ticks(ctx context.Context, room string, after uint64, n int) ([][]byte, error)
	// Resign gives up the node's lease, if it holds it.
	Resign(ctx context.Context, room, node string) error
}

// How much of the ticks of a room is kept.
const (
	TickLogLength = 4096
	TickLogBytes  = 8 << 20
	TickLogAge    = 10 * time.Minute
)

// RuleStore keeps what the people who look after a room have decided. It
// outlives everything but its disk.
type RuleStore interface {
	// Rules returns the room's rules; the zero Rules when there are none.
	Rules(ctx context.Context, room string) (Rules, error)
	// SetRules puts r.Body in the place of version r.Version, which becomes one higher.
	// ErrConflict when that is not the present one: read, decide again and repeat. An
	// error that wraps ErrUnavailable leaves open whether they were put.
	SetRules(ctx context.Context, room string, r Rules) error
}

// Rules are one room's rules, for the broker a document that it does not look into.
type Rules struct {
	Version uint64 // counts the changes
	Body    []byte
}

// MaxRules bounds Rules.Body, in bytes.
const MaxRules = 256 << 10

// Check refuses rules that no broker takes.
func (r Rules) Check() error {
	if len(r.Body) > MaxRules {
		return fmt.Errorf("rules of %d bytes: at most %d; remove old entries first", len(r.Body), MaxRules)
	}
	return nil
}

// RoomStore keeps the retained state of rooms: what video tells chat.
type RoomStore interface {
	// PutState replaces the room's state, tells every subscribed Handler, and lets it lapse after ttl.
	PutState(ctx context.Context, s RoomState, ttl time.Duration) error
	// State returns the room's state; the zero RoomState with Room set when there is none.
	State(ctx context.Context, room string) (RoomState, error)
}

// RoomState is what chat knows of a room's video.
type RoomState struct {
	Room    string `json:"room"`
	Session string `json:"session,omitempty"` // one broadcast; changes when a new one starts
	Epoch   string `json:"epoch,omitempty"`   // stream epoch
	Phase   string `json:"phase"`             // offline, starting, live, away, ended
	Live    bool   `json:"live"`
	PDT     int64  `json:"pdt,omitempty"`     // program date time of the newest sample, ms since the Unix epoch
	Window  int64  `json:"window,omitempty"`  // what can be seeked back to, ms
	Latency int64  `json:"latency,omitempty"` // how far behind PDT players aim to be, ms
	Players int    `json:"players,omitempty"` // HLS players that are not our page
}

// Broker is one implementation of all contracts; see package brokertest for
// what each must do.
type Broker interface {
	Bus
	Log
	Store
}
