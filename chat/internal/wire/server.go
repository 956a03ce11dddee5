package wire

import (
	"strconv"
	"unicode/utf8"
)

// Comment is one comment as everybody sees it.
type Comment struct {
	ID     string
	PDT    int64 // ms since the Unix epoch
	Author string
	Nick   string
	Text   string
	Mode   string // scroll, top, bottom
	Color  string // #rrggbb
	Role   string // viewer, moderator, host
}

// AppendComment appends c as [id, pdt, authorId, nick, text, mode, color, role].
func AppendComment(dst []byte, c Comment) []byte {
	dst = append(dst, '[')
	dst = appendString(dst, c.ID)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, c.PDT, 10)
	for _, s := range [...]string{c.Author, c.Nick, c.Text, c.Mode, c.Color, c.Role} {
		dst = append(dst, ',')
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

// CommentID returns the id of an encoded comment, nil when it is none.
func CommentID(comment []byte) []byte {
	if len(comment) < 2 || comment[0] != '[' {
		return nil
	}
	id, _ := leadingString(comment[1:])
	return id
}

// CommentAuthor returns the author's id as it stands in an encoded comment, nil
// when it is none.
func CommentAuthor(comment []byte) []byte {
	if len(comment) < 2 || comment[0] != '[' {
		return nil
	}
	_, rest := leadingString(comment[1:])
	if len(rest) == 0 || rest[0] != ',' {
		return nil
	}
	i := 1
	for i < len(rest) && rest[i] != ',' { // the moment, a number
		i++
	}
	if i == len(rest) {
		return nil
	}
	author, _ := leadingString(rest[i+1:])
	return author
}

// leadingString returns the inside of the JSON string that b begins with, and
// what follows.
func leadingString(b []byte) (inside, rest []byte) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[1:i], b[i+1:]
		}
	}
	return nil, nil
}

// Tick is one frame of comments for every subscriber.
type Tick struct {
	Seq      uint64
	T        int64 // wall clock of the leader, ms
	Viewers  int
	Likes    uint64 // of the room, in total
	Rest     int
	Comments [][]byte
	Combos   []Combo
}

// Combo is what one tick adds to a comment that others have said too.
type Combo struct {
	Key          uint64 // between nodes only
	ID           string // of the comment
	Delta, Total uint64 // Total counts the comment itself
}

// AppendTick appends the tick message, and returns the offset in dst where the
// first comment begins; comments follow each other with one comma between.
func AppendTick(dst []byte, t Tick) (out []byte, comments int) {
	dst = appendUint(append(dst, `{"op":"tick","seq":`...), t.Seq)
	dst = strconv.AppendInt(append(dst, `,"t":`...), t.T, 10)
	dst = strconv.AppendInt(append(dst, `,"viewers":`...), int64(t.Viewers), 10)
	dst = appendUint(append(dst, `,"likes":`...), t.Likes)
	return appendNews(dst, t)
}

// AppendLocal appends comments that are in no tick yet: only this node has them.
func AppendLocal(dst []byte, t Tick) []byte {
	dst = strconv.AppendInt(append(dst, `{"op":"local","t":`...), t.T, 10)
	dst, _ = appendNews(dst, t)
	return dst
}

// appendNews ends a message with what t shows and counts.
func appendNews(dst []byte, t Tick) (out []byte, comments int) {
	dst = append(dst, `,"c":[`...)
	comments = len(dst)
	dst = appendList(dst, t.Comments)
	dst = append(dst, `],"k":[`...)
	for i, k := range t.Combos {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, '['), k.ID)
		dst = appendUint(append(dst, ','), k.Delta)
		dst = append(appendUint(append(dst, ','), k.Total), ']')
	}
	dst = strconv.AppendInt(append(dst, `],"rest":`...), int64(t.Rest), 10)
	return append(dst, '}'), comments
}

// Ack is the fate of one sent comment.
type Ack struct {
	CID, ID, Status string
	Note            string // rejected: the reason; merged: the id of the comment it was merged into
}

// AppendAck appends one ack to an acks message that AppendAcks completes.
func AppendAck(dst []byte, a Ack) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	dst = appendString(append(dst, '['), a.CID)
	dst = appendString(append(dst, ','), a.ID)
	dst = appendString(append(dst, ','), a.Status)
	if a.Note != "" {
		dst = appendString(append(dst, ','), a.Note)
	}
	return append(dst, ']')
}

// AppendAcks appends the acks message of what AppendAck collected.
func AppendAcks(dst, acks []byte) []byte {
	dst = append(append(dst, `{"op":"acks","a":[`...), acks...)
	return append(dst, ']', '}')
}

// You is who the subscriber is.
type You struct {
	ID, Nick, Role string
	Token          string // welcome only
}

// Policy is what a page must know to behave and to draw.
type Policy struct {
	Tick  int64 // ms between two ticks
	Delay int64 // D, ms
	Rate  float64
	Burst int
	Runes int
	Bytes int
	Slow  int // seconds a viewer waits between two comments; 0 = only Rate counts
}

// Session is what subscribers are told of the room's video.
type Session struct {
	Phase, Session, Epoch string
	Live                  bool
	Players               int
}

// Counters are the room's totals.
type Counters struct {
	Viewers         int
	Comments, Likes uint64
}

// Welcome answers hello.
type Welcome struct {
	Epoch    string
	Seq      uint64
	Resumed  bool
	You      You
	Policy   Policy
	History  [][]byte
	Counters Counters
	Session  Session
	Pinned   []byte // a comment
	Notice   string
	Degraded string // why comments do not get through; empty when they do
	Now      int64
}

// AppendWelcome appends the welcome message.
func AppendWelcome(dst []byte, w Welcome) []byte {
	dst = appendString(append(dst, `{"op":"welcome","v":1,"epoch":`...), w.Epoch)
	dst = appendUint(append(dst, `,"seq":`...), w.Seq)
	dst = strconv.AppendBool(append(dst, `,"resumed":`...), w.Resumed)
	dst = appendYou(append(dst, `,"you":{`...), w.You)
	dst = appendString(append(dst, `,"token":`...), w.You.Token)
	dst = appendPolicy(append(dst, `},"policy":{`...), w.Policy)
	dst = appendList(append(dst, `},"history":[`...), w.History)
	dst = append(append(dst, `],"pinned":[`...), w.Pinned...)
	dst = appendString(append(dst, `],"notice":`...), w.Notice)
	dst = strconv.AppendInt(append(dst, `,"counters":{"viewers":`...), int64(w.Counters.Viewers), 10)
	dst = appendUint(append(dst, `,"comments":`...), w.Counters.Comments)
	dst = appendUint(append(dst, `,"likes":`...), w.Counters.Likes)
	dst = appendSession(append(dst, `},"session":{`...), w.Session)
	dst = appendDegraded(append(dst, `},`...), w.Degraded)
	dst = strconv.AppendInt(append(dst, `,"now":`...), w.Now, 10)
	return append(dst, '}')
}

// AppendYou appends the answer to a change of nick.
func AppendYou(dst []byte, y You) []byte {
	return append(appendYou(append(dst, `{"op":"you",`...), y), '}')
}

// AppendSessionEvent appends the event that the room's video changed.
func AppendSessionEvent(dst []byte, s Session) []byte {
	return append(appendSession(append(dst, `{"op":"event","kind":"session",`...), s), '}')
}

// AppendPolicyEvent appends the event that the policy changed.
func AppendPolicyEvent(dst []byte, p Policy) []byte {
	return append(appendPolicy(append(dst, `{"op":"event","kind":"policy",`...), p), '}')
}

// AppendDegradedEvent appends the event that comments do not get through, and why;
// without a reason, that they do.
func AppendDegradedEvent(dst []byte, reason string) []byte {
	return append(appendDegraded(append(dst, `{"op":"event","kind":"degraded",`...), reason), '}')
}

func appendDegraded(dst []byte, reason string) []byte {
	if reason == "" {
		return append(dst, `"degraded":false`...)
	}
	return appendString(append(dst, `"degraded":true,"reason":`...), reason)
}

// AppendGap appends the news that ticks from..to will never come.
func AppendGap(dst []byte, from, to uint64) []byte {
	dst = appendUint(append(dst, `{"op":"gap","from":`...), from)
	dst = appendUint(append(dst, `,"to":`...), to)
	return append(dst, '}')
}

// AppendReset appends the news that the numbering of ticks started anew.
func AppendReset(dst []byte, epoch string, seq uint64) []byte {
	dst = appendString(append(dst, `{"op":"reset","epoch":`...), epoch)
	dst = appendUint(append(dst, `,"seq":`...), seq)
	return append(dst, '}')
}

// AppendError appends an error that does not end the connection.
func AppendError(dst []byte, code string, retryMS int64) []byte {
	dst = appendString(append(dst, `{"op":"error","code":`...), code)
	dst = strconv.AppendInt(append(dst, `,"retry_ms":`...), retryMS, 10)
	return append(dst, '}')
}

// AppendPong appends the answer to ping.
func AppendPong(dst []byte, now int64) []byte {
	return append(strconv.AppendInt(append(dst, `{"op":"pong","now":`...), now, 10), '}')
}

// AppendBye appends the last message of a connection.
func AppendBye(dst []byte, code int, reason string, retryMS int64) []byte {
	dst = strconv.AppendInt(append(dst, `{"op":"bye","code":`...), int64(code), 10)
	dst = appendString(append(dst, `,"reason":`...), reason)
	dst = strconv.AppendInt(append(dst, `,"retry_ms":`...), retryMS, 10)
	return append(dst, '}')
}

func appendYou(dst []byte, y You) []byte {
	dst = appendString(append(dst, `"id":`...), y.ID)
	dst = appendString(append(dst, `,"nick":`...), y.Nick)
	return appendString(append(dst, `,"role":`...), y.Role)
}

func appendPolicy(dst []byte, p Policy) []byte {
	dst = strconv.AppendInt(append(dst, `"tick":`...), p.Tick, 10)
	dst = strconv.AppendInt(append(dst, `,"delay":`...), p.Delay, 10)
	dst = strconv.AppendFloat(append(dst, `,"rate":`...), p.Rate, 'f', -1, 64)
	dst = strconv.AppendInt(append(dst, `,"burst":`...), int64(p.Burst), 10)
	dst = strconv.AppendInt(append(dst, `,"max_runes":`...), int64(p.Runes), 10)
	dst = strconv.AppendInt(append(dst, `,"max_bytes":`...), int64(p.Bytes), 10)
	return strconv.AppendInt(append(dst, `,"slow":`...), int64(p.Slow), 10)
}

func appendSession(dst []byte, s Session) []byte {
	dst = appendString(append(dst, `"phase":`...), s.Phase)
	dst = appendString(append(dst, `,"session":`...), s.Session)
	dst = appendString(append(dst, `,"epoch":`...), s.Epoch)
	dst = strconv.AppendBool(append(dst, `,"live":`...), s.Live)
	return strconv.AppendInt(append(dst, `,"players":`...), int64(s.Players), 10)
}

func appendList(dst []byte, items [][]byte) []byte {
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, item...)
	}
	return dst
}

func appendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }

// appendString appends s as a JSON string. RFC 8259, 7: quotation mark, reverse
// solidus and control characters must be escaped; what is not UTF-8 becomes
// U+FFFD, so that no input can make a frame browsers refuse.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0 // not yet appended
	for i := 0; i < len(s); {
		c := s[i]
		size := 1
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if size = n; r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
		case c == '"' || c == '\\':
			dst = append(append(dst, s[from:i]...), '\\', c)
			from = i + 1
		case c < 0x20:
			dst = append(append(dst, s[from:i]...), '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			from = i + 1
		}
		i += size
	}
	return append(append(dst, s[from:]...), '"')
}
