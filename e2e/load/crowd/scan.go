//go:build load && linux

package main

import "bytes"

// kind is what a message of the server is, as far as it matters here.
type kind uint8

const (
	kindOther kind = iota
	kindTick
	kindAcks
	kindWelcome
	kindBye
	kindGap
	kindReset
	kindError
)

// kindOf looks at the beginning of a message.
func kindOf(msg []byte) kind {
	const before = `{"op":"`
	if !bytes.HasPrefix(msg, []byte(before)) {
		return kindOther
	}
	op, _, _ := bytes.Cut(msg[len(before):min(len(msg), 32)], []byte(`"`))
	switch string(op) {
	case "tick":
		return kindTick
	case "acks":
		return kindAcks
	case "welcome":
		return kindWelcome
	case "bye":
		return kindBye
	case "gap":
		return kindGap
	case "reset":
		return kindReset
	case "error":
		return kindError
	}
	return kindOther
}

// after returns what follows the first key, which must come with its quotes and its
// colon: a quote inside a string is escaped, so a key is found nowhere else.
func after(msg []byte, key string) []byte {
	i := bytes.Index(msg, []byte(key))
	if i < 0 {
		return nil
	}
	return msg[i+len(key):]
}

// number reads the number of a key, or 0.
func number(msg []byte, key string) (n int64) {
	digits := after(msg, key)
	negative := len(digits) > 0 && digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		return -n
	}
	return n
}

// word reads the string of a key as it stands, or nil.
func word(msg []byte, key string) []byte {
	text, _, ok := bytes.Cut(after(msg, key+`"`), []byte(`"`))
	if !ok {
		return nil
	}
	return text
}

// headSize is enough for a tick's number and time.
const headSize = 64

// tickHead is what everybody but the observers reads of a tick.
type tickHead struct {
	seq  uint64
	time int64 // ms since the Unix epoch
}

func parseTickHead(msg []byte) tickHead {
	msg = msg[:min(len(msg), headSize)]
	return tickHead{seq: uint64(number(msg, `"seq":`)), time: number(msg, `"t":`)}
}

// ack is one element of acks. Its fields point into the message. Extra is the
// reason of a rejection, or the comment that this one was merged into.
type ack struct{ cid, id, status, extra []byte }

// scanAcks calls f for each ack and returns false when the message is not what
// the protocol says.
func scanAcks(msg []byte, f func(ack)) bool {
	rest := after(msg, `"a":[`)
	for len(rest) > 0 && rest[0] != ']' {
		a, more, ok := scanAck(bytes.TrimPrefix(rest, []byte(",")))
		if !ok {
			return false
		}
		f(a)
		rest = more
	}
	return len(rest) > 0
}

// scanAck reads one ["cid","id","status",…]: ids and statuses have no escapes.
func scanAck(b []byte) (a ack, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '[' {
		return a, nil, false
	}
	var fields [4][]byte
	n := 0
	for rest = b[1:]; len(rest) > 0 && rest[0] != ']'; n++ {
		quoted, found := bytes.CutPrefix(bytes.TrimPrefix(rest, []byte(",")), []byte(`"`))
		text, more, closed := bytes.Cut(quoted, []byte(`"`))
		if !found || !closed {
			return a, nil, false
		}
		if n < len(fields) {
			fields[n] = text
		}
		rest = more
	}
	if len(rest) == 0 || n < 3 {
		return a, nil, false
	}
	return ack{fields[0], fields[1], fields[2], fields[3]}, rest[1:], true
}
