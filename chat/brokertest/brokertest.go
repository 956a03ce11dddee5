package brokertest

import (
	"context"
	"testing"
	"time"

	"barrage/chat"
)

// Node is one node's broker.
type Node interface {
	chat.Broker
	Close() error
}

// Open makes a fresh, empty backend and returns how to join one more node to
// it. What it starts it stops in t.Cleanup; closing a node twice must be fine.
type Open func(t *testing.T) (join func() Node)

// Run holds the contract against the implementation that open opens.
func Run(t *testing.T, open Open) {
	t.Helper()
	for name, group := range groups() {
		t.Run(name, func(t *testing.T) {
			for name, test := range group {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(contract{T: t, join: open(t)})
				})
			}
		})
	}
}

// groups are the subtests by what they are about.
func groups() map[string]map[string]func(contract) {
	return map[string]map[string]func(contract){
		"bus": {
			"publish reaches every subscriber and the sender":   publishReachesAll,
			"a frame stays in its room":                         publishStaysInRoom,
			"frames of one sender keep their order":             publishKeepsOrder,
			"frames are opaque bytes":                           publishOpaque,
			"an empty frame is not sent":                        publishEmpty,
			"a publishing handler does not deadlock":            publishFromHandler,
			"calls of a handler come one at a time":             callsOneAtATime,
			"a handler that hangs holds up nobody":              slowHandler,
			"close returns after the last call":                 closeIsLast,
			"close leaves the other subscriptions":              closeLeavesOthers,
			"a room can be subscribed again":                    subscribeAgain,
			"subscribing and closing at once":                   subscribeConcurrently,
			"subscribing outlives its context":                  subscribeContext,
			"many rooms":                                        manyRooms,
			"everything at once":                                everythingAtOnce,
			"a cancelled context is an unavailable broker":      cancelledContext,
			"a closed broker is unavailable":                    closedBroker,
			"closing a broker ends its subscriptions for good ": closeEndsSubscriptions,
		},
		"log": {
			"append logs, then publishes":          appendLogsThenPublishes,
			"an empty batch or frame is left out":  appendEmpty,
			"the batch is the caller's afterwards": appendBatchReused,
			"batches are opaque bytes":             appendOpaque,
			"tail is the newest, oldest first":     tailOrder,
			"ids grow":                             idsGrow,
			"concurrent appends are all kept":      appendConcurrently,
			"append returns the id":                appendReturnsID,
			"read goes on behind an id":            readAfter,
			"trim removes the oldest":              trim,
			"ids grow behind an emptied log":       trimAll,
			"what is no id is refused":             badID,
		},
		"ticks": {
			"ticks are kept, in order":            ticksKept,
			"only ticks that were numbered":       ticksNotRefused,
			"a room's ticks are its own":          ticksPerRoom,
			"a tick is in the log when it comes":  ticksBeforePublish,
			"the log of ticks is bounded":         ticksBounded,
			"a tick log of large frames is short": ticksBoundedBytes,
		},
		"rules": {
			"a room begins without rules":           rulesNone,
			"rules are kept, whole":                 rulesKept,
			"rules of an old version are refused":   rulesConflict,
			"one of many changes wins each version": rulesRace,
			"a lease tells the rules' version":      rulesInLease,
			"rules too large are refused":           rulesTooLarge,
		},
		"store": {
			"one node holds the lease":                    leaseExclusive,
			"a lease is renewed":                          leaseRenewed,
			"a lease passes on when it ends":              leaseExpires,
			"epoch and seq outlive the lease":             epochOutlivesLease,
			"rooms have epochs of their own":              epochPerRoom,
			"advance records and publishes":               advancePublishes,
			"advance needs the lease":                     advanceNeedsLease,
			"advance needs a number above the last":       advanceNeedsGrowth,
			"advance with an empty frame only records":    advanceEmptyFrame,
			"resign gives the lease up":                   resign,
			"resign of another node changes nothing":      resignOther,
			"one of many candidates leads":                leaseRace,
			"ticks of a lost and a new leader never meet": leadersNeverMeet,
		},
		"rooms": {
			"a room without state has the zero state":    stateZero,
			"a state is kept, whole":                     stateKept,
			"a new state is told to every handler":       stateTold,
			"a new subscription is told the state":       stateToldToNewcomer,
			"a state lapses, and handlers are told":      stateLapses,
			"a renewed state does not lapse":             stateRenewed,
			"a lapse is told to one who came in between": stateLapsesForNewcomer,
		},
	}
}

// contract is one subtest with a backend of its own.
type contract struct {
	*testing.T
	join func() Node // one more node
}

// patience is how long a test waits for what must come. Only a failing test
// waits for it.
const patience = 10 * time.Second

// brief is the time to live of what a test wants to see end.
const brief = 150 * time.Millisecond

func (t contract) subscribe(n Node, room string) *Recorder {
	t.Helper()
	r := NewRecorder()
	t.subscribeHandler(n, room, r)
	return r
}

func (t contract) subscribeHandler(n Node, room string, h chat.Handler) chat.Subscription {
	t.Helper()
	s, err := n.Subscribe(t.Context(), room, h)
	if err != nil {
		t.Fatalf("Subscribe(%q): %v", room, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (t contract) publish(n Node, room, frame string) {
	t.Helper()
	if err := n.Publish(t.Context(), room, []byte(frame)); err != nil {
		t.Fatalf("Publish(%q, %q): %v", room, frame, err)
	}
}

func (t contract) appendBatch(n Node, room, batch, frame string) {
	t.Helper()
	if _, err := n.Append(t.Context(), room, []byte(batch), []byte(frame)); err != nil {
		t.Fatalf("Append(%q, %q, %q): %v", room, batch, frame, err)
	}
}

func (t contract) tail(n Node, count int) []string {
	t.Helper()
	entries, err := n.Tail(t.Context(), "live", count)
	if err != nil {
		t.Fatalf("Tail(%d): %v", count, err)
	}
	batches := make([]string, 0, len(entries))
	for _, e := range entries {
		batches = append(batches, string(e.Batch))
	}
	return batches
}

func (t contract) lead(n Node, room, node string, ttl time.Duration) chat.Lease {
	t.Helper()
	l, err := n.Lead(t.Context(), room, node, ttl)
	if err != nil {
		t.Fatalf("Lead(%q, %q): %v", room, node, err)
	}
	return l
}

func (t contract) advance(n Node, room, node string, seq uint64) {
	t.Helper()
	if err := n.Advance(t.Context(), room, node, seq, nil); err != nil {
		t.Fatalf("Advance(%q, %q, %d): %v", room, node, seq, err)
	}
}

func (t contract) putState(n Node, s chat.RoomState, ttl time.Duration) {
	t.Helper()
	if err := n.Rooms().PutState(t.Context(), s, ttl); err != nil {
		t.Fatalf("PutState(%+v): %v", s, err)
	}
}

func (t contract) state(n Node, room string) chat.RoomState {
	t.Helper()
	s, err := n.Rooms().State(t.Context(), room)
	if err != nil {
		t.Fatalf("State(%q): %v", room, err)
	}
	return s
}

// eventually asks until ok; every 10 ms, for what no handler is told.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-ctx.Done():
			tb.Fatalf("not within %v: %s", patience, what)
		}
	}
}
