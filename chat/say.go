package chat

import (
	"strconv"
	"time"

	"barrage/chat/internal/text"
	"barrage/chat/internal/wire"
	"barrage/internal/token"
)

// Bounds of a comment after cleaning.
const (
	maxRunes = 200
	maxBytes = 600
)

// join makes s a subscriber of the room. It returns where s begins to read and
// the frames that come before.
func (r *room) join(s *subscriber, resume *wire.Resume) (cursor *entry, frames [][]byte, banned *bye) {
	r.mu.Lock()
	if sentence, out := r.law.now.Banned(s.me.subject(), r.when()); out {
		r.mu.Unlock()
		b := byeBanned(sentence, r.hub.now().UnixMilli())
		return nil, nil, &b
	}
	r.members[s] = struct{}{}
	w := wire.Welcome{
		Epoch: r.team.epoch, You: s.me.you(), Policy: r.policy(), Session: r.video.session(),
		Pinned: r.law.now.Book.Pinned, Notice: r.law.now.Book.Notice,
		Degraded: r.link.degraded, Now: r.hub.now().UnixMilli(),
	}
	r.out.subs++
	w.Counters = wire.Counters{Viewers: r.countViewers(), Comments: r.team.comments, Likes: r.team.likes}
	cursor = r.tape.tail
	w.Seq = cursor.seq
	var gap []byte
	if resume != nil && resume.Epoch != "" && resume.Epoch == r.team.epoch && resume.Seq <= cursor.seq {
		if from, ok := r.tape.after(resume.Seq); ok {
			cursor, w.Resumed = from, true
		} else {
			gap = wire.AppendGap(nil, resume.Seq+1, w.Seq)
		}
	}
	if !w.Resumed {
		w.History = append(w.History, r.past.comments...)
	}
	r.mu.Unlock()
	frames = [][]byte{wire.AppendWelcome(nil, w)}
	if gap != nil {
		frames = append(frames, gap)
	}
	return cursor, frames, nil
}

// depart ends what join began.
func (r *room) depart(s *subscriber) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, s)
	delete(r.law.readers, s)
	r.out.subs--
}

// skip brings a subscriber from an old place to just before the newest entry: it
// returns that place and what must be known there.
func (r *room) skip(old *entry) (place *entry, news [][]byte) {
	r.mu.Lock()
	place = r.tape.prev
	session, policy, degraded := r.video.session(), r.policy(), r.link.degraded
	epoch := r.team.epoch
	r.mu.Unlock()
	if place.seq > old.seq {
		news = append(news, wire.AppendGap(nil, old.seq+1, place.seq))
	} else if place.seq < old.seq {
		news = append(news, wire.AppendReset(nil, epoch, place.seq))
	}
	return place, append(news, wire.AppendSessionEvent(nil, session), wire.AppendPolicyEvent(nil, policy),
		wire.AppendDegradedEvent(nil, degraded))
}

// like counts n likes; they go out with the next beat.
func (r *room) like(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.link.degraded {
		r.out.likes += uint64(n)
	}
}

// say takes a comment of s into the outbox, or tells s why not.
func (r *room) say(s *subscriber, m wire.Client) {
	if !wire.ValidCID(m.CID) {
		s.tell(wire.AppendError(nil, "bad_message", 0))
		return
	}
	c, refused := s.comment(m)
	if refused == "" {
		var ack wire.Ack
		var wait time.Duration
		ack, wait = r.accept(s, m, c)
		switch {
		case ack.Status == statusRejected:
			refused = ack.Reason
		case ack.Status != "":
			s.tell(wire.AppendAcks(nil, []wire.Ack{ack}))
			return
		default:
			return // the ack comes with the tick
		}
		if wait != 0 {
			s.tell(wire.AppendError(nil, ack.Reason, retryMS(wait)))
		}
	}
	r.hub.metrics.rejected.WithLabelValues(refused).Inc()
	s.tell(wire.AppendAcks(nil, []wire.Ack{{CID: m.CID, Status: statusRejected, Reason: refused}}))
}

// comment makes what s sent presentable, or says why it cannot be.
func (s *subscriber) comment(m wire.Client) (c wire.Comment, refused string) {
	c = wire.Comment{Author: s.me.id, Nick: s.me.nick, Text: text.Clean(m.Text), Mode: m.Mode, Role: string(s.me.role)}
	if c.Text == "" {
		return c, rejectEmpty
	}
	if !text.Fits(c.Text, maxRunes, maxBytes) {
		return c, rejectTooLong
	}
	switch c.Mode {
	case "":
		c.Mode = "scroll"
	case "scroll", "top", "bottom":
	default:
		return c, rejectMode
	}
	var ok bool
	if c.Color, ok = text.Color(m.Color); !ok {
		return c, rejectColor
	}
	return c, ""
}

// accept queues c. An ack with a status is to be sent now; without one it comes
// when the comment's fate is known.
func (r *room) accept(s *subscriber, m wire.Client, c wire.Comment) (ack wire.Ack, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.hub.clock()
	who, known := r.authors[s.me.id]
	if !known {
		who = newAuthor()
		r.authors[s.me.id] = who
	}
	who.seen = now
	if before, again := who.cids[m.CID]; again {
		if before.status == "" {
			before.to = s // he has a new socket
			return wire.Ack{}, 0
		}
		return wire.Ack{CID: m.CID, ID: before.id, Status: before.status}, 0
	}
	if reason := r.refuse(); reason != "" {
		return wire.Ack{Status: statusRejected, Reason: reason}, 0
	}
	if reason, wait := r.judge(s, who, c.Text); reason != "" {
		return wire.Ack{Status: statusRejected, Reason: reason}, wait
	}
	if wait = who.bucket.take(now, r.hub.cfg.Rate.interval(), r.hub.cfg.Burst, 1); wait > 0 {
		return wire.Ack{Status: statusRejected, Reason: rejectTooFast}, wait
	}
	wall := r.hub.now()
	c.ID = r.nextID(wall)
	c.PDT = r.video.moment(m.PDT, now, wall)
	rec := receipt{cid: m.CID, from: who, sent: &sent{id: c.ID, to: s, at: now}}
	who.remember(m.CID, rec.sent)
	r.out.items = append(r.out.items, wire.Item{Priority: s.me.role != token.RoleViewer, Comment: wire.AppendComment(nil, c)})
	r.out.sent = append(r.out.sent, rec)
	if len(r.out.items) == 1 {
		ring(r.bells.flush)
	}
	return wire.Ack{}, 0
}

// refuse needs mu. It says why no comment can be taken now.
func (r *room) refuse() string {
	select {
	case <-r.stop:
		return rejectUnavailable
	default:
	}
	switch {
	case r.link.degraded || len(r.out.open) >= maxOpen:
		return rejectUnavailable
	case len(r.out.items) >= maxQueued:
		return rejectBusy
	}
	return ""
}

// nextID needs mu. IDs of one node in one room grow with time even when the
// clock goes back; the node in them keeps those of different nodes apart.
func (r *room) nextID(wall time.Time) string {
	r.out.lastID = max(wall.UnixMicro(), r.out.lastID+1)
	return strconv.FormatInt(r.out.lastID, 36) + "-" + r.node
}
