package chat_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"barrage/chat"
)

const (
	ask     = `{"op":"ping"}`            // answered by pong
	asLast  = `{"op":"nick","nick":"é"}` // answered by you
	unknown = `{"op":"dance","a":"…é…"}` // answered by error
)

// answered is what a page that still is one hears to asLast, after these.
func answered(ops ...string) []string { return append(ops, "you") }

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// closing is a close frame with a status code.
func closing(code int, reason string) []byte {
	return frame(fin|opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// split sends a text in fragments of n bytes, with what is given between them.
func split(text string, n int, between []byte) (b []byte) {
	opcode := byte(opText)
	for part := range slices.Chunk([]byte(text), n) {
		b = append(b, frame(opcode, string(part))...)
		b = append(b, between...)
		opcode = opMore
	}
	return append(b, frame(fin|opMore, "")...)
}

// rfc6455 is the probe: what a client may and may not send once the connection is
// a WebSocket. A case without a code is followed by asLast, and must be answered.
func rfc6455() []probeCase {
	p125 := strings.Repeat("p", 125)
	long := `{"op":"dance","a":"` + strings.Repeat("x", 3000) + `"}`
	unmasked := frame(fin|opText, ask)
	unmasked = join([]byte{fin | opText, byte(len(ask))}, unmasked[6:])
	var tiny []byte // the 64-bit form for a length that needs none of it
	tiny = append(tiny, fin|opText, masked|127, 0, 0, 0, 0, 0, 0, 0, byte(len(ask)), 0, 0, 0, 0)
	tiny = append(tiny, ask...)
	return []probeCase{
		{what: "a message", send: frame(fin|opText, ask), ops: answered("pong")},
		{what: "a 16-bit length", send: frame(fin|opText, long), ops: answered("error")},
		{what: "a 64-bit length", send: tiny, ops: answered("pong")},
		{what: "an empty message", send: frame(fin|opText, ""), ops: answered("error")},
		{what: "messages in one write", send: bytes.Repeat(frame(fin|opText, ask), 5), ops: answered("pong", "pong", "pong", "pong", "pong")},
		{what: "unmasked", send: unmasked, code: 1002},
		{what: "RSV1", send: frame(fin|0x40|opText, ask), code: 1002},
		{what: "RSV2", send: frame(fin|0x20|opText, ask), code: 1002},
		{what: "RSV3 on a control frame", send: frame(fin|0x10|opPing, ""), code: 1002},
		{what: "reserved opcode 3", send: frame(fin|3, ask), code: 1002},
		{what: "reserved opcode 7, empty", send: frame(fin|7, ""), code: 1002},
		{what: "reserved opcode 11", send: frame(fin|11, ""), code: 1002},
		{what: "reserved opcode 15", send: frame(fin|15, ask), code: 1002},

		{what: "64 KiB and 1", send: frame(fin|opText, strings.Repeat("x", 1<<16+1)), code: 1009},
		{what: "a length of 2^62", send: head(fin|opText, 1<<62, "x"), code: 1009},
		{what: "a length with the highest bit set", send: head(fin|opText, 1<<63|5, "x"), code: 1009},
		{what: "fragments that are too long together", send: split(strings.Repeat("x", 8000), 2000, nil), code: 1009},

		{what: "fragments", send: split(unknown, 7, nil), ops: answered("error")},
		{what: "a fragment for each byte, also of UTF-8", send: split(unknown, 1, nil), ops: answered("error")},
		{what: "pings between fragments", send: split(ask, 7, frame(fin|opPing, "hi")), pongs: []string{"hi", "hi"}, ops: answered("pong")},
		{what: "close between fragments", send: join(frame(opText, ask[:5]), closing(1000, ""), frame(fin|opMore, ask[5:])), code: 1000},
		{what: "a continuation of nothing", send: frame(fin|opMore, ask), code: 1002},
		{what: "a continuation after the last", send: join(split(ask, 5, nil), frame(fin|opMore, "x")), code: 1002},
		{what: "a message inside another", send: join(frame(opText, ask[:5]), frame(fin|opText, ask)), code: 1002},
		{what: "bad UTF-8", send: frame(fin|opText, "{\"op\":\"nick\",\"nick\":\"\xed\xa0\x80\"}"), code: 1007},
		{what: "bad UTF-8 in fragments", send: split("{\"op\":\"nick\",\"nick\":\"\xe2\x82\"}", 22, nil), code: 1007},
		{what: "binary", send: frame(fin|opBinary, ask), code: 1003},

		{what: "ping of 125 bytes", send: frame(fin|opPing, p125), pongs: []string{p125}, ops: answered()},
		{what: "ping of 126 bytes", send: frame(fin|opPing, p125+"p"), code: 1002},
		{what: "a ping in fragments", send: join(frame(opPing, "a"), frame(fin|opMore, "b")), code: 1002},
		{what: "a pong nobody asked for", send: frame(fin|opPong, "x"), ops: answered()},

		{what: "close without a code", send: frame(fin|opClose, ""), code: noStatus},
		{what: "close with one byte", send: frame(fin|opClose, "\x03"), code: 1002},
		{what: "close with the longest reason, and more after it", send: join(closing(3000, p125[2:]), frame(fin|opText, ask)), code: 3000},
		{what: "close with 126 bytes", send: closing(1000, p125[1:]), code: 1002},
		{what: "close with a reason that is not UTF-8", send: closing(1000, "\xff"), code: 1002},
		{what: "close codes nobody may send", all: closings(0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535), code: 1002},
		{what: "close codes everybody may send", all: closings(1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)},
	}
}

type probeCase struct {
	what  string
	send  []byte
	all   map[int][]byte // in place of send: each on a connection of its own
	pongs []string
	ops   []string
	code  int // 0 with all: the code itself
}

func closings(codes ...int) map[int][]byte {
	all := make(map[int][]byte)
	for _, code := range codes {
		all[code] = closing(code, "")
	}
	return all
}

func TestRFC6455(t *testing.T) {
	cases := rfc6455()
	if len(cases) != 38 {
		t.Errorf("%d cases, want 38", len(cases))
	}
	n := start(t, setup{})
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			if c.all == nil {
				c.all = map[int][]byte{c.code: c.send}
			}
			for code, send := range c.all {
				if c.code != 0 {
					code = c.code
				}
				// At once, and byte by byte: the borders of reads mean nothing.
				n.probe(t, c, send, code, len(send))
				if len(send) < 300 {
					n.probe(t, c, send, code, 1)
				}
			}
		})
	}
}

// probe sends one case in pieces and compares what it hears.
func (n *node) probe(t *testing.T, c probeCase, send []byte, code, piece int) {
	t.Helper()
	r := n.raw(t)
	defer r.Close()
	if code == 0 {
		send = join(send, frame(fin|opText, asLast))
	}
	_, _ = r.Write(frame(fin|opText, `{"op":"hello"}`))
	for part := range slices.Chunk(send, piece) {
		_, _ = r.Write(part) // fails when the server has seen enough
	}
	h, err := r.listen()
	if err != nil {
		t.Fatalf("in pieces of %d: %+v, %v", piece, h, err)
	}
	ops := slices.DeleteFunc(h.ops, func(op string) bool { return op == "welcome" || op == "tick" || op == "bye" })
	// Who breaks the rules need not hear what was under way.
	if code == 0 && !slices.Equal(ops, c.ops) || h.code != code || len(h.pongs) < len(c.pongs) || len(c.pongs) > 0 && h.pongs[0] != c.pongs[0] {
		t.Errorf("in pieces of %d: heard %+v, want %v, pongs %.10q, code %d", piece, h, c.ops, c.pongs, code)
	}
	// RFC 6455, 7.1.1: the server closes TCP first. Who goes on sending after a
	// close frame may be reset.
	if code != 0 && !errors.Is(h.rest, io.EOF) && !errors.Is(h.rest, syscall.ECONNRESET) {
		t.Errorf("in pieces of %d: after the close frame: %v, want the end", piece, h.rest)
	}
}

// FuzzFrames sends any bytes to a hub as frames. Nothing of them may end the
// process, hold the connection, or make the server break the protocol itself.
func FuzzFrames(f *testing.F) {
	for _, c := range rfc6455() {
		f.Add(true, c.send)
		f.Add(false, c.send)
	}
	for _, text := range []string{
		`{"op":"send","cid":"1","text":"バルス!!","pdt":5,"mode":"top","color":"#ff0000"}`, `{"op":"like","n":50}`, `{"op":"nick","nick":"\u202e"}`,
		`{"op":"hello","nick":"a","resume":{"epoch":"e","seq":18446744073709551615}}`, `{"op":"mod","do":"delete","ids":["a"]}`,
	} {
		f.Add(true, frame(fin|opText, text))
	}
	f.Add(false, frame(fin|opText, `{"op":"hello","token":"a.b","resume":{"epoch":"e1","seq":1}}`))
	n := start(f, setup{pipes: true, config: func(c *chat.Config) { c.MaxNewConnsPerSecond = 1_000_000 }})
	f.Fuzz(func(t *testing.T, hello bool, sent []byte) {
		r := n.raw(t)
		done := make(chan error, 1)
		go func() {
			for {
				opcode, payload, err := r.next()
				if err != nil {
					done <- err
					return
				}
				if m := new(message); opcode == opText && json.Unmarshal(payload, m) != nil {
					t.Errorf("server said %q", payload)
				}
			}
		}()
		if hello {
			_, _ = r.Write(frame(fin|opText, `{"op":"hello"}`))
		}
		// A pipe holds nothing: the write lasts until the server has read all of it, or closed.
		_ = r.SetWriteDeadline(time.Now().Add(5 * time.Second))
		if _, err := r.Write(sent); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the server neither reads nor closes")
		}
		_ = r.Close()
		if err := <-done; errors.Is(err, errServer) {
			t.Error(err)
		}
	})
}
