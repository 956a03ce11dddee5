package redisbroker

import (
	"context"
	"time"

	"barrage/chat"

	"github.com/redis/go-redis/v9"
)

// room is one channel of the link and who listens on it, guarded by link.mu.
type room struct {
	name   string
	subs   map[*subscription]struct{}
	joined chan struct{} // closed when Redis first acknowledged the channel
	state  roomState
}

// roomState is the newest state the link heard of, until it lapses.
type roomState struct {
	value   chat.RoomState
	version uint64      // counts what was heard and what lapsed
	timer   *time.Timer // nil when there is no state
}

func (r *room) join() {
	select {
	case <-r.joined:
	default:
		close(r.joined)
	}
}

// subscription is one handler's place in a room.
type subscription struct {
	link    *link
	room    *room
	mailbox *chat.Mailbox
}

// Close implements chat.Subscription.
func (s *subscription) Close() error {
	s.link.leave(context.Background(), s)
	return s.mailbox.Close()
}

// subscribe puts h into the room and waits for Redis.
func (l *link) subscribe(ctx context.Context, name string, h chat.Handler) (*subscription, error) {
	sub := &subscription{link: l, mailbox: chat.NewMailbox(h)}
	if err := l.enter(ctx, name, sub); err != nil {
		l.leave(ctx, sub)
		_ = sub.mailbox.Close() // never fails
		return nil, err
	}
	return sub, nil
}

func (l *link) enter(ctx context.Context, name string, sub *subscription) error {
	s, version, err := l.join(ctx, name, sub)
	if err != nil {
		return err
	}
	select {
	case <-sub.room.joined:
	case <-s.ended:
		return errDown
	case <-ctx.Done():
		return ctx.Err()
	}
	found, err := fetchStates(ctx, l.client, l.keys, []string{name})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.introduce(sub, found[0], version)
	return nil
}

// join adds sub to the room, and the room to the session. version is that of the
// room's state at this moment.
func (l *link) join(ctx context.Context, name string, sub *subscription) (s *session, version uint64, err error) {
	if !l.isUp() {
		return nil, 0, errDown // at once, not after whoever holds order
	}
	channel := l.keys.bus(name)
	l.order.Lock()
	defer l.order.Unlock()
	l.mu.Lock()
	s = l.session
	if s == nil || !s.up {
		l.mu.Unlock()
		return nil, 0, errDown
	}
	r, known := l.rooms[channel]
	if !known {
		r = &room{name: name, subs: make(map[*subscription]struct{}), joined: make(chan struct{})}
		l.rooms[channel] = r
		s.unanswered[channel]++
	}
	r.subs[sub] = struct{}{}
	sub.room, version = r, r.state.version
	l.mu.Unlock()
	if known {
		return s, version, nil
	}
	return s, version, l.write(ctx, s, channel, l.client.subscribe)
}

type command func(ctx context.Context, ps *redis.PubSub, channels ...string) error

// write sends a (un)subscribe command. A caller that gives up must not cut it
// short: half a command would cost the connection, and all rooms are on it.
func (l *link) write(ctx context.Context, s *session, channel string, send command) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ioTimeout)
	defer cancel()
	return send(ctx, s.pubsub, channel)
}

// leave takes sub out of its room, and an empty room out of the session.
func (l *link) leave(ctx context.Context, sub *subscription) {
	l.order.Lock()
	defer l.order.Unlock()
	l.mu.Lock()
	r := sub.room
	if r == nil {
		l.mu.Unlock()
		return
	}
	_, inside := r.subs[sub]
	delete(r.subs, sub)
	if !inside || len(r.subs) > 0 {
		l.mu.Unlock()
		return
	}
	channel := l.keys.bus(r.name)
	delete(l.rooms, channel)
	l.stopLapse(r)
	s := l.session
	if s != nil {
		s.unanswered[channel]++
	}
	l.mu.Unlock()
	if s != nil {
		_ = l.write(ctx, s, channel, l.client.unsubscribe) // a failure ends the session in serve
	}
}

// deliver hands a message to the room's mailboxes, which never block.
func (l *link) deliver(m *redis.Message) {
	msg, err := parseMessage(m.Payload)
	if err != nil {
		l.metrics.foreign.Inc()
		l.notices.foreign(err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rooms[m.Channel]
	if r == nil {
		return // left, and the unsubscribe is on its way
	}
	if msg.state != nil {
		l.setState(r, msg.state.State, time.Duration(msg.state.TTL)*time.Millisecond)
		return
	}
	for sub := range r.subs {
		sub.mailbox.Frame(msg.frame)
	}
}

// setState keeps s until it lapses and tells the room's handlers, unless the
// room was left meanwhile. Callers hold mu.
func (l *link) setState(r *room, s chat.RoomState, ttl time.Duration) {
	if l.closed || l.rooms[l.keys.bus(r.name)] != r {
		return
	}
	l.stopLapse(r)
	version := r.state.version + 1
	l.lapses.Add(1)
	r.state = roomState{value: s, version: version, timer: time.AfterFunc(ttl, func() {
		defer l.lapses.Done()
		l.lapse(r, version)
	})}
	for sub := range r.subs {
		sub.mailbox.State(s)
	}
}

// lapse forgets the room's state and tells its handlers, unless a newer version
// took its place.
func (l *link) lapse(r *room, version uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.state.version != version || l.closed {
		return
	}
	r.state = roomState{version: version + 1}
	for sub := range r.subs {
		sub.mailbox.State(chat.RoomState{Room: r.name})
	}
}

// stopLapse stops the room's timer. Callers hold mu.
func (l *link) stopLapse(r *room) {
	if r.state.timer != nil && r.state.timer.Stop() {
		l.lapses.Done()
	}
}

// introduce tells a new subscription the state that was found in Redis, unless
// it has heard a newer one since it asked. Callers hold mu.
func (l *link) introduce(sub *subscription, found retained, version uint64) {
	r := sub.room
	known := r.state.timer != nil
	switch {
	case r.state.version != version: // told, like everybody in the room
	case found.ttl > 0 && (!known || r.state.value != found.state):
		l.setState(r, found.state, found.ttl)
	case known: // also when Redis has lost it: it was to last until the timer says
		sub.mailbox.State(r.state.value)
	}
}

// retellBatch is how many rooms' states are read in one round trip.
const retellBatch = 200

// retell reads the states of all rooms and tells them, as after a time in
// which changes may have been missed.
func (l *link) retell(ctx context.Context) error {
	rooms, versions := l.listRooms()
	for len(rooms) > 0 {
		n := min(len(rooms), retellBatch)
		if err := l.retellSome(ctx, rooms[:n], versions[:n]); err != nil {
			return err
		}
		rooms, versions = rooms[n:], versions[n:]
	}
	return nil
}

func (l *link) listRooms() (rooms []*room, versions []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rooms {
		rooms, versions = append(rooms, r), append(versions, r.state.version)
	}
	return rooms, versions
}

func (l *link) retellSome(ctx context.Context, rooms []*room, versions []uint64) error {
	names := make([]string, len(rooms))
	for i, r := range rooms {
		names[i] = r.name
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	found, err := fetchStates(ctx, l.client, l.keys, names)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range rooms {
		switch {
		case r.state.version != versions[i]: // told since
		case found[i].ttl > 0:
			l.setState(r, found[i].state, found[i].ttl)
		case r.state.timer != nil:
			for sub := range r.subs {
				sub.mailbox.State(r.state.value)
			}
		}
	}
	return nil
}

// close ends every subscription. The goroutines of the link have ended.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	var subs []*subscription
	for _, r := range l.rooms {
		for sub := range r.subs {
			subs = append(subs, sub)
		}
		l.stopLapse(r)
		r.state.timer = nil
	}
	l.mu.Unlock()
	for _, sub := range subs {
		_ = sub.mailbox.Close() // never fails
	}
	l.lapses.Wait()
}
