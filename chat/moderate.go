package chat

import (
	"errors"
	"slices"

	"barrage/chat/internal/rules"
	"barrage/chat/internal/text"
	"barrage/chat/internal/wire"
	"barrage/internal/token"
)

// Bounds of one order.
const (
	maxDeleted = 50  // comments
	searched   = 512 // newest batches of the log where a comment may be
	showHours  = 12  // that "for this show" means when there is none
)

// Errors of orders.
var (
	errForbidden = errors.New("not allowed to this role")
	errNoComment = errors.New("no such comment among the newest")
)

// orderCode is the one table from errors of an order to the protocol.
func orderCode(err error) string {
	switch {
	case errors.Is(err, errForbidden), errors.Is(err, rules.ErrForbidden):
		return "forbidden"
	case errors.Is(err, errNoComment):
		return "no_such_comment"
	case errors.Is(err, rules.ErrBad):
		return "bad_order"
	case errors.Is(err, rules.ErrFull):
		return "rules_full"
	case errors.Is(err, ErrConflict):
		return rejectBusy
	default:
		return rejectUnavailable
	}
}

// order follows what a host or a moderator wants, and answers.
func (r *room) order(s *subscriber, m wire.Client) {
	if !wire.ValidCID(m.CID) || m.Order == nil {
		s.tell(wire.AppendError(nil, "bad_message", 0))
		return
	}
	if err := r.follow(s, *m.Order, m.Text); err != nil {
		s.tell(wire.AppendOrderError(nil, m.CID, orderCode(err)))
		return
	}
	s.tell(wire.AppendDone(nil, m.CID, m.Do))
}

func (r *room) follow(s *subscriber, o wire.Order, said string) error {
	if s.me.role != token.RoleHost && s.me.role != token.RoleModerator {
		return errForbidden
	}
	if len(o.Who) > 4*maxAuthor || len(o.IDs) > maxDeleted {
		return rules.ErrBad
	}
	deed := wire.Deed{
		Do: o.Do, By: s.me.id, Role: string(s.me.role), Who: o.Who, IDs: o.IDs, CIDR: o.CIDR, Addr: o.Addr,
		Seconds: o.Seconds, Words: o.Words, Text: said,
	}
	switch o.Do {
	case "list":
		r.mu.Lock()
		r.law.readers[s] = struct{}{}
		book := readable(r.law.now.Load().Book)
		r.mu.Unlock()
		s.tell(book)
		return nil
	case "delete":
		return r.remove(s, deed)
	}
	order := rules.Order{
		Do: o.Do, Who: o.Who, Nick: text.Cut(text.Clean(o.Name), maxNick), CIDR: o.CIDR, Addr: o.Addr, Seconds: o.Seconds,
		Words: o.Words, Text: said, By: s.me.id, Host: s.me.role == token.RoleHost,
	}
	switch o.Do {
	case rules.Mute, rules.Ban:
		if r.outranks(o.Who, s.me.role) {
			return errForbidden
		}
		if o.Show && o.Seconds == 0 {
			order.Session = r.video.Load().state.Session
			if deed.Show = order.Session; order.Session == "" {
				order.Seconds = showHours * 3600
			}
		}
	case rules.Pin:
		found, err := r.find(o.IDs)
		if err != nil || len(found) != 1 {
			return errors.Join(err, rules.ErrBad)
		}
		order.Pinned = found[0]
	}
	if err := r.change(order); err != nil {
		return err
	}
	return r.enact(deed)
}

// readable are the rules as those who look after the room see them: without the
// addresses of people.
func readable(b rules.Book) []byte {
	b.Bans = slices.Clone(b.Bans)
	b.Bans = slices.DeleteFunc(b.Bans, func(s rules.Sentence) bool { return s.Of != "" })
	frame, err := wire.AppendRules(nil, b)
	if err != nil {
		panic(err) // a Book is JSON
	}
	return frame
}

// outranks reports whether the person is known to be out of reach for role: a
// host for everybody, a moderator for moderators. Who is not known here is protected
// by rules.Law, which looks at the token.
func (r *room) outranks(who string, role token.Role) bool {
	theirs := token.RoleViewer
	r.mu.Lock()
	for s := range r.members {
		if s.me.id == who && s.me.role != token.RoleViewer {
			theirs = s.me.role
		}
	}
	for _, c := range r.past.comments {
		if c, err := wire.ParseComment(c); err == nil && c.Author == who && c.Role != string(token.RoleViewer) {
			theirs = token.Role(c.Role)
		}
	}
	r.mu.Unlock()
	return protected(theirs, role)
}

// protected reports whether what belongs to one role is out of another's reach.
func protected(theirs, role token.Role) bool {
	switch theirs {
	case token.RoleHost:
		return role != token.RoleHost
	case token.RoleModerator:
		return role == token.RoleModerator
	default:
		return false
	}
}

// change makes the order part of the rules, of the store first.
func (r *room) change(o rules.Order) error {
	const tries = 5
	var err error
	for range tries {
		var done bool
		if done, err = r.tryChange(o); done || !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

func (r *room) tryChange(o rules.Order) (done bool, err error) {
	ctx, cancel := r.deadline()
	defer cancel()
	doc, err := r.hub.broker.Rules(ctx, r.name)
	if err != nil {
		return false, err
	}
	book, err := rules.Parse(doc.Body)
	if err != nil {
		return false, err
	}
	known, session := r.law.now.Load().Book, r.video.Load().state.Session
	if book.Rev < known.Rev { // lost by the store, see study
		book = known
	}
	o.At = r.hub.now().UnixMilli()
	if book, err = book.Apply(o, session); err != nil {
		return false, err
	}
	if doc.Body, err = book.Encode(); err != nil {
		return false, err
	}
	if err = r.hub.broker.SetRules(ctx, r.name, doc); err != nil {
		return false, err
	}
	r.enforce(book, doc.Version+1)
	return true, nil
}

// enact writes the deed into the log, which is the audit, and takes the events and
// the version of the rules to the other nodes with it.
func (r *room) enact(deed wire.Deed, events ...[]byte) error {
	r.mu.Lock()
	p := wire.Partial{Events: events}
	r.label(&p)
	if p.N == 0 { // a record counts, too
		r.out.n++
		p.N = r.out.n
	}
	now := r.hub.clock()
	s := &shipment{n: p.N, likes: p.Likes, at: now, tried: now, frame: wire.AppendPartial(nil, p)}
	r.out.open = append(r.out.open, s)
	r.gate()
	r.mu.Unlock()
	record, err := wire.AppendRecord(nil, wire.Record{Node: r.node, N: p.N, T: r.hub.now().UnixMilli(), Mod: &deed})
	if err != nil {
		panic(err) // a Deed is JSON
	}
	ctx, cancel := r.deadline()
	defer cancel()
	if _, err = r.hub.broker.Append(ctx, r.name, record, s.frame); err != nil {
		r.mu.Lock()
		s.doubt = true
		r.mu.Unlock()
		r.broken(err)
		return err
	}
	r.logged(s)
	return nil
}

// remove makes comments vanish: from every screen, from the history and the tape of
// every node, and for all who read the log.
func (r *room) remove(s *subscriber, deed wire.Deed) error {
	d := wire.Deleted{IDs: deed.IDs, Who: deed.Who}
	switch {
	case (len(d.IDs) == 0) == (d.Who == ""):
		return rules.ErrBad
	case d.Who != "":
		if r.outranks(d.Who, s.me.role) {
			return errForbidden
		}
	default:
		found, err := r.find(d.IDs)
		if err != nil {
			return err
		}
		for _, c := range found {
			if c, err := wire.ParseComment(c); err != nil || c.Author != s.me.id && protected(token.Role(c.Role), s.me.role) {
				return errForbidden
			}
		}
	}
	pinned := r.law.now.Load().Book.Pinned
	if pinned != nil && d.Has(pinned) {
		if err := r.change(rules.Order{Do: rules.Unpin, By: s.me.id}); err != nil {
			return err
		}
	}
	return r.enact(deed, wire.AppendDeleteEvent(nil, d))
}

// find returns the comments with these ids, from the history or the log.
func (r *room) find(ids []string) ([][]byte, error) {
	var found [][]byte
	wanted := wire.Deleted{IDs: ids}
	r.mu.Lock()
	for _, c := range r.past.comments {
		if wanted.Has(c) {
			found = append(found, c)
		}
	}
	r.mu.Unlock()
	if len(found) == len(ids) {
		return found, nil
	}
	ctx, cancel := r.deadline()
	defer cancel()
	for n := 8; n <= searched; n *= 8 { // in a surge a batch is 1 MiB
		entries, err := r.hub.broker.Tail(ctx, r.name, n)
		if err != nil {
			return nil, err
		}
		comments, _ := said(entries)
		found = found[:0]
		for _, c := range comments {
			if slices.Contains(ids, string(wire.CommentID(c))) {
				found = append(found, c)
			}
		}
		if len(found) == len(ids) {
			return found, nil
		}
	}
	return nil, errNoComment
}

// tombstone returns what a record of the log deletes.
func tombstone(rec wire.Record) (wire.Deleted, bool) {
	if rec.Mod == nil || rec.Mod.Do != "delete" {
		return wire.Deleted{}, false
	}
	return wire.Deleted{IDs: rec.Mod.IDs, Who: rec.Mod.Who}, true
}
