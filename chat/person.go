package chat

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"time"

	"barrage/chat/internal/text"
	"barrage/chat/internal/wire"
	"barrage/internal/token"
)

const (
	guestTTL  = 30 * 24 * time.Hour
	maxNick   = 32 // runes
	maxAuthor = 64
)

// person is who speaks through a socket.
type person struct {
	id, nick string
	role     token.Role
	addr     netip.Addr
	expires  int64
	token    string
	hash     uint64 // of id
}

// identify returns the bearer of a token, a new guest without one, or why the
// token is refused.
func (h *Hub) identify(m wire.Client, room string) (p person, refused string) {
	claims := token.Claims{Role: token.RoleViewer, Subject: strings.ToLower(rand.Text()[:16])}
	if m.Token != "" {
		var err error
		switch claims, err = token.Parse(h.secret, token.UsePerson, m.Token, h.now()); {
		case errors.Is(err, token.ErrExpired):
			return p, "token_expired"
		case err != nil:
			return p, "token_invalid"
		case !claims.Allows(room, token.RoleViewer):
			return p, "token_other_room"
		}
	}
	p = person{id: text.Cut(text.Clean(claims.Subject), maxAuthor), role: claims.Role, expires: claims.Expires, token: m.Token}
	if p.id == "" {
		return p, "token_invalid"
	}
	p.hash = h.hash([]byte(p.id))
	if p.role == token.RoleViewer && claims.Room == "" {
		// A guest's token lives as long as he keeps coming.
		claims.Expires = h.now().Add(guestTTL).Unix()
		p.expires = claims.Expires
		var err error
		if p.token, err = token.Sign(h.secret, token.UsePerson, claims); err != nil {
			return p, "token_invalid"
		}
	}
	p.name(m.Nick)
	return p, ""
}

// name takes over a nick, as far as it can be shown.
func (p *person) name(nick string) {
	p.nick = text.Cut(text.Clean(nick), maxNick)
	if p.nick == "" {
		p.nick = "guest-" + text.Cut(p.id, 4)
	}
}

func (p *person) you() wire.You {
	return wire.You{ID: p.id, Nick: p.nick, Role: string(p.role), Token: p.token}
}
