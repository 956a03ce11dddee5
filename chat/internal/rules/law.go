package rules

import (
	"net/netip"

	"barrage/internal/token"
)

// Law answers quickly what a Book says. It does not change.
type Law struct {
	Book  Book
	Words *Words // nil = all words may be said
	mutes map[string]Sentence
	bans  map[string]Sentence
	nets  []Sentence
}

// Enforce makes the law of b.
func Enforce(b Book) *Law {
	l := &Law{Book: b, mutes: make(map[string]Sentence, len(b.Mutes)), bans: make(map[string]Sentence, len(b.Bans))}
	for _, s := range b.Mutes {
		l.mutes[s.Who] = s
	}
	for _, s := range b.Bans {
		if s.Who != "" {
			l.bans[s.Who] = s
		} else {
			l.nets = append(l.nets, s)
		}
	}
	if len(b.Words) > 0 {
		l.Words = NewWords(b.Words)
	}
	return l
}

// Person is whom the law is asked about.
type Person struct {
	ID   string
	Role token.Role
	Addr netip.Addr
}

// When is the moment of the question.
type When struct {
	Now     int64 // ms since the Unix epoch
	Session string
}

// Muted returns the sentence that keeps p from speaking.
func (l *Law) Muted(p Person, w When) (Sentence, bool) {
	s, ok := l.mutes[p.ID]
	return s, ok && s.binds(p.Role) && !s.Over(w.Now, w.Session)
}

// Banned returns the sentence that keeps p out.
func (l *Law) Banned(p Person, w When) (Sentence, bool) {
	if s, ok := l.bans[p.ID]; ok && s.binds(p.Role) && !s.Over(w.Now, w.Session) {
		return s, true
	}
	addr := p.Addr.Unmap().WithZone("")
	for _, s := range l.nets {
		if s.CIDR.Contains(addr) && s.binds(p.Role) && !s.Over(w.Now, w.Session) {
			return s, true
		}
	}
	return Sentence{}, false
}

// binds says whether the sentence is for people of this role: never for a host,
// for a moderator only when a host named him.
func (s Sentence) binds(role token.Role) bool {
	switch role {
	case token.RoleHost:
		return false
	case token.RoleModerator:
		return s.ByHost && s.Who != ""
	default:
		return true
	}
}

// Left is how long the sentence still lasts in ms; -1 = there is no saying.
func (s Sentence) Left(now int64) int64 {
	if s.Until == 0 {
		return -1
	}
	return max(s.Until-now, 1)
}
