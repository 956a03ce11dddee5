package chat

import (
	"errors"
	"net"
	"slices"
	"time"

	"barrage/chat/internal/wire"

	"github.com/gorilla/websocket"
)

// write is the one goroutine that writes: what is for all from cursor on, and
// what is private.
func (s *subscriber) write(cursor *entry) {
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	var err error
	for {
		if err != nil {
			s.fail(err)
			return
		}
		// Each case is 96 bytes for whoever waits: wake is rung for done, too.
		select {
		case <-s.wake:
			if s.ending() {
				s.last(cursor)
				return
			}
			err = s.deliver()
		case <-cursor.ready:
			cursor, err = s.follow(cursor)
		case <-ping.C:
			err = s.line.ping()
		}
	}
}

// fail closes a connection that cannot be written to.
func (s *subscriber) fail(err error) {
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		s.close(byeSlow())
	} else {
		s.close(byeGone("gone"))
	}
	s.hangUp()
}

// follow writes the entry after cursor and what is private in one write, or brings a
// subscriber that is far behind to just before the newest.
func (s *subscriber) follow(cursor *entry) (*entry, error) {
	if cursor.pos >= s.resumes && s.room.tape.newest.Load()-cursor.pos > maxBehind {
		place, news := s.room.skip(cursor)
		return place, s.send(news...)
	}
	next := *cursor.next.frame.Load()
	if mine := s.pending(); len(mine) > 0 {
		next = append(slices.Clip(next), mine...) // a copy: next is everybody's
	}
	return cursor.next, s.line.send(next, writeTimeout)
}

// deliver writes what is private.
func (s *subscriber) deliver() error {
	frames := s.pending()
	if len(frames) == 0 {
		return nil // it went with a tick
	}
	return s.line.send(frames, writeTimeout)
}

// pending takes what is private, framed.
func (s *subscriber) pending() []byte {
	s.mu.Lock()
	private, acks := s.private, s.acks
	s.private, s.acks = nil, nil
	s.mu.Unlock()
	if len(acks) > 0 {
		private = append(private, wire.AppendAcks(nil, acks))
	}
	return frame(private)
}

// frame puts messages behind each other as frames.
func frame(messages [][]byte) (frames []byte) {
	for _, m := range messages {
		frames = appendFrame(frames, m)
	}
	return frames
}

// send writes messages in one write.
func (s *subscriber) send(messages ...[]byte) error {
	if len(messages) == 0 {
		return nil
	}
	return s.line.send(frame(messages), writeTimeout)
}

// last writes what is there already, and then goodbye.
func (s *subscriber) last(cursor *entry) {
	if s.why.code == 0 {
		return // the library has answered, and the reader waits for the other side
	}
	err := s.deliver()
	for n := 0; err == nil && n < maxBehind; n++ {
		select {
		case <-cursor.ready:
			cursor, err = s.follow(cursor)
			continue
		default:
		}
		break
	}
	if err != nil {
		s.hangUp()
		return
	}
	s.farewell()
}

// farewell says bye and closes our half.
func (s *subscriber) farewell() {
	if s.why.code == 0 {
		return
	}
	bye := wire.AppendBye(nil, s.why.code, s.why.reason, s.why.retry.Milliseconds())
	err := s.line.send(appendFrame(nil, bye), byeTimeout)
	if err == nil {
		err = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(s.why.code, s.why.reason), time.Now().Add(byeTimeout))
	}
	if err != nil {
		s.hangUp()
	}
}
