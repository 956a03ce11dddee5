package rules

import (
	"encoding/json"
	"net/netip"
	"slices"
	"time"
	"unicode/utf8"

	"barrage/chat/internal/text"
)

// What an Order can do to a Book.
const (
	Slow    = "slow"
	Mute    = "mute"
	Unmute  = "unmute"
	Ban     = "ban"
	Unban   = "unban"
	Block   = "block"
	Unblock = "unblock"
	Pin     = "pin"
	Unpin   = "unpin"
	Notice  = "notice"
)

// Order is one change to a Book, and who wants it when.
type Order struct {
	Do      string
	Who     string // mute, ban and their ends
	Nick    string
	CIDR    string // ban, unban: a network or one address, instead of Who
	Of      string // ban: the person whose network it is
	Addr    bool   // ban: the person's network, too
	Seconds int64  // slow; mute, ban: how long, 0 = for good
	Session string // mute, ban: until another session begins
	Words   []string
	Pinned  json.RawMessage
	Text    string // notice; empty takes it away

	By   string
	Host bool
	At   int64 // ms since the Unix epoch
}

// Apply returns b as the order wants it. b itself is not changed. session is the
// room's present one. Errors: ErrBad, ErrFull, ErrForbidden.
func (b Book) Apply(o Order, session string) (Book, error) {
	b.Mutes, b.Bans, b.Words = slices.Clone(b.Mutes), slices.Clone(b.Bans), slices.Clone(b.Words)
	b.expire(o.At, session)
	b.Rev++
	var err error
	switch o.Do {
	case Slow:
		if o.Seconds < 0 || o.Seconds > int64(MaxSlow/time.Second) {
			return b, ErrBad
		}
		b.Slow = int(o.Seconds)
	case Mute, Ban:
		err = b.punish(o)
	case Unmute:
		b.Mutes, err = pardon(b.Mutes, o.Who, o.Host)
	case Unban:
		b.Bans, err = pardon(b.Bans, o.subject(), o.Host)
	case Block, Unblock:
		err = b.words(o)
	case Pin:
		b.Pinned = o.Pinned
	case Unpin:
		b.Pinned = nil
	case Notice:
		b.Notice = text.Clean(o.Text)
		if !text.Fits(b.Notice, MaxNotice, 3*MaxNotice) {
			err = ErrBad
		}
	default:
		err = ErrBad
	}
	return b, err
}

func (o Order) subject() string {
	if o.Who != "" {
		return o.Who
	}
	p, _ := network(o.CIDR)
	return p.String()
}

func (b *Book) punish(o Order) (err error) {
	const longest = 10 * 365 * 24 * 60 * 60
	s := Sentence{Who: o.Who, Nick: o.Nick, Of: o.Of, Addr: o.Addr, Session: o.Session, By: o.By, ByHost: o.Host, At: o.At}
	if o.Seconds < 0 || o.Seconds > longest {
		return ErrBad
	}
	if o.Seconds > 0 {
		s.Until = o.At + o.Seconds*1000
	}
	switch {
	case o.Who != "" && o.CIDR != "":
		return ErrBad
	case o.Who == "":
		var ok bool
		if s.CIDR, ok = network(o.CIDR); !ok || o.Do == Mute {
			return ErrBad
		}
	}
	if o.Do == Mute {
		b.Mutes, err = sentence(b.Mutes, s)
	} else {
		b.Bans, err = sentence(b.Bans, s)
	}
	return err
}

// network reads a network or one address. One that holds most of the world is
// a slip of the finger.
func network(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		p = netip.PrefixFrom(a, a.BitLen())
	}
	least := 8
	if p.Addr().Is6() {
		least = 16
	}
	if p.Addr().Is4In6() || p.Bits() < least {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}

func (b *Book) words(o Order) error {
	if len(o.Words) == 0 {
		return ErrBad
	}
	for _, w := range o.Words {
		w = text.Clean(w)
		key := string(text.AppendKey(nil, w))
		if key == "" || utf8.RuneCountInString(key) > MaxWord || len(w) > 4*MaxWord {
			return ErrBad
		}
		same := func(v string) bool { return v == w }
		if o.Do == Unblock {
			b.Words = slices.DeleteFunc(b.Words, same)
		} else if !slices.ContainsFunc(b.Words, same) {
			b.Words = append(b.Words, w)
		}
	}
	if len(b.Words) > MaxWords {
		return ErrFull
	}
	return nil
}
