package chat

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"barrage/chat/internal/rules"
	"barrage/chat/internal/text"
	"barrage/chat/internal/wire"
	"barrage/internal/token"
)

// law is what this node knows of the room's rules. Guarded by room.mu, but for now,
// which every comment asks.
type law struct {
	now     atomic.Pointer[rules.Law] // written under mu
	version uint64                    // of the store's document that now was made of
	stale   bool                      // there is another one
	staff   map[string]string
	readers map[*subscriber]struct{} // hosts and moderators who follow the rules
	deletes [][]byte                 // the newest events, for those who missed them
}

// maxStaff bounds the names that nobody else may look like.
const maxStaff = 64

// keptDeletes is for how many deletes one may be too slow.
const keptDeletes = 32

func (l *law) init() {
	l.now.Store(rules.Enforce(rules.Book{}))
	l.staff = make(map[string]string)
	l.readers = make(map[*subscriber]struct{})
}

// hear notes that another node knows version.
func (l *law) hear(version uint64) { l.stale = l.stale || version > l.version }

// meet remembers the names of those who look after the room, from what they say.
func (l *law) meet(comment []byte) {
	if bytes.HasSuffix(comment, []byte(`"viewer"]`)) {
		return
	}
	if c, err := wire.ParseComment(comment); err == nil && token.Role(c.Role) != token.RoleViewer {
		l.name(c.Nick, c.Author)
	}
}

func (l *law) name(nick, id string) {
	if len(l.staff) < maxStaff {
		l.staff[text.Skeleton(nick)] = id
	}
}

func (r *room) when() rules.When {
	return rules.When{Now: r.hub.now().UnixMilli(), Session: r.video.Load().state.Session}
}

func (p *person) subject() rules.Person { return rules.Person{ID: p.id, Role: p.role, Addr: p.addr} }

// object needs the lock of who's shard. It says why s may not say this now, and how long that lasts:
// negative = nobody can say.
func (r *room) object(s *subscriber, who *author, said string) (reason string, wait time.Duration) {
	l := r.law.now.Load()
	if sentence, muted := l.Muted(s.me.subject(), r.when()); muted {
		return rejectMuted, time.Duration(sentence.Left(r.hub.now().UnixMilli())) * time.Millisecond
	}
	if s.me.role != token.RoleViewer {
		return "", 0
	}
	if l.Words != nil && l.Words.In(text.AppendKey(nil, said)) {
		return rejectBlocked, 0
	}
	if l.Book.Slow > 0 {
		if wait := who.slow.take(r.hub.clock(), time.Duration(l.Book.Slow)*time.Second, 1, 1); wait > 0 {
			return rejectSlow, wait
		}
	}
	return "", 0
}

// retryMS is a wait as the protocol says it: at least 1, or −1.
func retryMS(wait time.Duration) int64 {
	if wait < 0 {
		return -1
	}
	return max(wait.Milliseconds(), 1)
}

// rename gives s a nick, unless it has a blocked word in it or looks like that of
// somebody who looks after the room. Only the reader of s calls it.
func (r *room) rename(s *subscriber, nick string) (refused string) {
	next := s.me
	next.name(nick)
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.me.role != token.RoleViewer {
		r.law.name(next.nick, s.me.id)
		s.me.nick = next.nick
		return ""
	}
	l := r.law.now.Load()
	if id, taken := r.law.staff[text.Skeleton(next.nick)]; taken && id != s.me.id {
		refused = "nick_taken"
	} else if l.Words != nil && l.Words.In(text.AppendKey(nil, next.nick)) {
		refused = "nick_blocked"
	}
	if refused == "" {
		s.me.nick = next.nick
	} else if s.me.nick == next.nick { // as in hello: there is no older one
		s.me.name("")
	}
	return refused
}

// study reads the rules when there are others than those we know.
func (r *room) study() {
	r.mu.Lock()
	stale, known := r.law.stale, r.law.now.Load().Book
	r.mu.Unlock()
	if !stale {
		return
	}
	ctx, cancel := r.deadline()
	defer cancel()
	doc, err := r.hub.broker.Rules(ctx, r.name)
	if err != nil {
		r.broken(err)
		return
	}
	book, err := rules.Parse(doc.Body)
	if err != nil {
		r.hub.log.Warn("chat rules unreadable", "room", r.name, "err", err)
		book = known
	}
	if book.Rev < known.Rev {
		// The store has lost what was decided; whoever knows most puts it back.
		if doc, err = r.restore(ctx, doc, known); err != nil {
			return // still stale: the next try reads again
		}
		book = known
	}
	r.enforce(book, doc.Version)
}

func (r *room) restore(ctx context.Context, doc Rules, known rules.Book) (Rules, error) {
	body, err := known.Encode()
	if err != nil {
		return doc, err
	}
	doc.Body = body
	if err = r.hub.broker.SetRules(ctx, r.name, doc); err != nil {
		if !errors.Is(err, ErrConflict) {
			r.broken(err)
		}
		return doc, err
	}
	r.hub.log.Warn("chat rules restored", "room", r.name)
	doc.Version++
	return doc, nil
}

// enforce puts the rules into force: everybody hears what concerns everybody, the
// banned go, the muted hear so. version is that of the store.
func (r *room) enforce(book rules.Book, version uint64) {
	next := rules.Enforce(book)
	r.mu.Lock()
	if book.Rev < r.law.now.Load().Book.Rev { // another call was faster
		r.mu.Unlock()
		return
	}
	old := r.law.now.Load()
	changed := book.Rev != old.Book.Rev
	r.law.now.Store(next)
	r.law.version, r.law.stale = version, false
	var told []notice
	if changed {
		r.proclaim(old.Book, book)
		told = r.apply(old)
	}
	r.mu.Unlock()
	for _, n := range told {
		n.deliver()
	}
	for _, n := range told {
		if n.net != "" {
			r.banAddress(n)
		}
	}
}

// proclaim needs mu. It tells everybody what changed for everybody.
func (r *room) proclaim(old, book rules.Book) {
	if book.Slow != old.Slow {
		r.tape.event(wire.AppendPolicyEvent(nil, r.policy()))
	}
	if !bytes.Equal(book.Pinned, old.Pinned) {
		r.tape.event(wire.AppendPinEvent(nil, book.Pinned))
	}
	if book.Notice != old.Notice {
		r.tape.event(wire.AppendNoticeEvent(nil, book.Notice))
	}
}

// notice is what one subscriber is to hear of new rules, after the lock.
type notice struct {
	to       *subscriber
	frame    []byte
	bye      *bye
	net      string // of a person whose address is to be banned, too
	sentence rules.Sentence
}

func (n notice) deliver() {
	if n.bye != nil {
		n.to.close(*n.bye)
	} else {
		n.to.tell(n.frame)
	}
}

// apply needs mu. It finds those whom the new rules concern in particular.
func (r *room) apply(old *rules.Law) (told []notice) {
	when, l := r.when(), r.law.now.Load()
	for s := range r.members {
		p := s.me.subject()
		if sentence, out := l.Banned(p, when); out {
			told = append(told, dismissal(s, sentence, when.Now))
			continue
		}
		sentence, muted := l.Muted(p, when)
		if before, was := old.Muted(p, when); muted != was || muted && sentence.Until != before.Until {
			left := int64(0)
			if muted {
				left = sentence.Left(when.Now)
			}
			told = append(told, notice{to: s, frame: wire.AppendMuteEvent(nil, muted, left)})
		}
	}
	if len(r.law.readers) > 0 {
		book := readable(l.Book)
		for s := range r.law.readers {
			told = append(told, notice{to: s, frame: book})
		}
	}
	return told
}

// dismissal is what a banned person hears, and what is to be done about his address.
func dismissal(s *subscriber, sentence rules.Sentence, now int64) notice {
	b := byeBanned(sentence, now)
	n := notice{to: s, bye: &b, sentence: sentence}
	if addr := s.me.addr; sentence.Addr && addr.IsValid() {
		n.net = group(addr).String()
		if addr.Unmap().Is6() {
			n.net += "/64"
		}
	}
	return n
}

// addressBan is how long the address of a banned person stays out: other people
// share it, and tomorrow it may be somebody else's.
const addressBan = 24 * time.Hour

// banAddress makes the network of a banned person, whom only this node sees,
// part of the rules.
func (r *room) banAddress(n notice) {
	s := n.sentence
	err := r.change(rules.Order{
		Do: rules.Ban, CIDR: n.net, Of: s.Who, Nick: s.Nick, Seconds: int64(addressBan / time.Second), By: s.By, Host: s.ByHost,
	})
	if err != nil {
		r.hub.log.Warn("address of a banned person not banned", "room", r.name, "err", err)
	}
}

// happen needs mu. It delivers an event of a tick.
func (r *room) happen(event []byte) {
	if d, ok := wire.ParseDeleteEvent(event); ok {
		r.tape.erase(d)
		if len(r.law.deletes) >= keptDeletes {
			r.law.deletes = r.law.deletes[1:]
		}
		r.law.deletes = append(slices.Clip(r.law.deletes), event)
	}
	r.tape.event(event)
}
