package chat

import (
	"bytes"
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
	old := r.recall(resume)
	r.mu.Lock()
	law := r.law.now.Load()
	if sentence, out := law.Banned(s.me.subject(), r.when()); out {
		r.mu.Unlock()
		b := byeBanned(sentence, r.hub.now().UnixMilli())
		return nil, nil, &b
	}
	r.members[s] = struct{}{}
	w := wire.Welcome{
		Epoch: r.team.epoch, You: s.me.you(), Policy: r.policy(), Session: r.video.Load().session(),
		Pinned: law.Book.Pinned, Notice: law.Book.Notice,
		Degraded: r.trouble(), Now: r.hub.now().UnixMilli(),
	}
	r.out.subs++
	w.Counters = wire.Counters{Viewers: r.countViewers(), Comments: r.team.comments, Likes: r.team.likes}
	cursor = r.tape.tail
	w.Seq = cursor.seq
	var missed [][]byte // what the ring does not have
	if resume != nil && resume.Epoch != "" && resume.Epoch == r.team.epoch && resume.Seq <= cursor.seq {
		last := resume.Seq
		if len(old) > 0 {
			last = old[len(old)-1].Tick.Seq
		}
		if from, ok := r.tape.after(last); ok {
			cursor, w.Resumed = from, true
			for _, f := range old {
				missed = append(append(missed, f.Public), f.Events...)
			}
		} else {
			missed = append(missed, wire.AppendGap(nil, resume.Seq+1, w.Seq))
		}
	}
	if !w.Resumed {
		w.History = append(w.History, r.past.comments...)
	}
	r.mu.Unlock()
	return cursor, append([][]byte{wire.AppendWelcome(nil, w)}, missed...), nil
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
	session, policy, degraded := r.video.Load().session(), r.policy(), r.trouble()
	epoch, book, deletes := r.team.epoch, r.law.now.Load().Book, r.law.deletes
	r.mu.Unlock()
	if place.seq > old.seq {
		news = append(news, wire.AppendGap(nil, old.seq+1, place.seq))
	} else if place.seq < old.seq {
		news = append(news, wire.AppendReset(nil, epoch, place.seq))
	}
	news = append(append(news, deletes...), wire.AppendSessionEvent(nil, session), wire.AppendPolicyEvent(nil, policy))
	return place, append(news, wire.AppendDegradedEvent(nil, degraded),
		wire.AppendPinEvent(nil, book.Pinned), wire.AppendNoticeEvent(nil, book.Notice))
}

// like counts n likes; they go out with the next beat.
func (r *room) like(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.link.degraded {
		r.out.likes += uint64(n)
	}
}

// say takes a comment of s into the intake, or tells s why not. What becomes of
// it is told with the tick.
func (r *room) say(s *subscriber, m wire.Client) {
	if !wire.ValidCID(m.CID) {
		s.tell(wire.AppendError(nil, "bad_message", 0))
		return
	}
	c, refused := s.comment(m)
	if refused == "" {
		r.in.backlog(s.done)
		var wait time.Duration
		if refused, wait = r.accept(s, m, c); refused == "" {
			return
		}
		if wait != 0 {
			s.tell(wire.AppendError(nil, refused, retryMS(wait)))
		}
	}
	r.hub.metrics.rejected.WithLabelValues(refused).Inc()
	s.ack(wire.Ack{CID: m.CID, Status: statusRejected, Note: refused})
	ring(s.wake)
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

// accept puts c into the intake, or says why not, and how long to wait. A comment
// that was sent before is not taken again: the fate of the first is told.
func (r *room) accept(s *subscriber, m wire.Client, c wire.Comment) (refused string, wait time.Duration) {
	now, cid := r.hub.clock(), hashCID(m.CID)
	shard := r.authors.shard(s.me.hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	who := shard.author(s.me.hash)
	who.seen = now
	if before := who.find(cid); before != nil {
		r.repeat(s, who, m.CID, before)
		return "", 0
	}
	if r.in.shut.Load() {
		return rejectUnavailable, 0
	}
	if refused, wait = r.object(s, who, c.Text); refused != "" {
		return refused, wait
	}
	if wait = who.bucket.take(now, r.hub.cfg.Rate.interval(), r.hub.cfg.Burst, 1); wait > 0 {
		return rejectTooFast, wait
	}
	wall := r.hub.now()
	it := item{id: r.in.nextID(wall), at: now, from: who, to: s, cid: cid}
	c.ID = r.commentID(it.id)
	c.PDT = r.video.Load().moment(m.PDT, now, wall)
	p := r.hub.pads.Get().(*pad)
	defer r.hub.pads.Put(p)
	if s.me.role == token.RoleViewer {
		it.key, p.key = r.hub.key(p.key[:0], c.Text, c.PDT)
	}
	p.comment = wire.AppendComment(p.comment[:0], c)
	refused, news := r.in.put(it, m.CID, p.comment)
	if refused != "" {
		return refused, 0
	}
	who.remember(sent{cid: cid, id: it.id})
	if news {
		ring(r.bells.flush)
	}
	return "", 0
}

// repeat answers a comment that came again, now or with the tick. Needs the
// lock of who's shard.
func (r *room) repeat(s *subscriber, who *author, cid string, before *sent) {
	if before.status != "" {
		s.ack(wire.Ack{CID: cid, ID: r.commentID(before.id), Status: before.status, Note: before.into})
		ring(s.wake)
		if before.status != statusSpooled {
			return
		}
	}
	if who.moved == nil {
		who.moved = make(map[uint64]*subscriber)
	}
	who.moved[before.cid] = s // he may have a new socket
}

// commentID is the public id of a comment: the node in it keeps those of
// different nodes apart.
func (r *room) commentID(id int64) string {
	var b [64]byte
	return string(append(append(strconv.AppendInt(b[:0], id, 36), '-'), r.node...))
}

// ownID is the inverse of commentID; 0 for comments of other nodes.
func (r *room) ownID(id []byte) int64 {
	number, node, _ := bytes.Cut(id, []byte("-"))
	if string(node) != r.node {
		return 0
	}
	n, err := strconv.ParseInt(string(number), 36, 64)
	if err != nil {
		return 0
	}
	return n
}
