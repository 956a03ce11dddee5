package guard_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"barrage/ingest/amf0"
	"barrage/ingest/guard"
)

// wire writes a chunk stream the way a client does, bytes of the specification.
type wire struct {
	b     []byte
	chunk int
}

func newWire() *wire { return &wire{chunk: 128} }

func (w *wire) raw(parts ...string) *wire {
	for _, p := range parts {
		w.b = append(w.b, p...)
	}
	return w
}

func basic(form byte, id int) []byte {
	switch {
	case id < 64:
		return []byte{form<<6 | byte(id)}
	case id < 320:
		return []byte{form << 6, byte(id - 64)}
	default:
		return []byte{form<<6 | 1, byte(id - 64), byte((id - 64) >> 8)}
	}
}

func u24(v uint32) []byte { return []byte{byte(v >> 16), byte(v >> 8), byte(v)} }
func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// head writes a chunk header of type form with the time or delta at.
func (w *wire) head(form byte, id int, at uint32, kind guard.Kind, stream uint32, length int) *wire {
	w.b = append(w.b, basic(form, id)...)
	if form < 3 {
		w.b = append(w.b, u24(min(at, 0xffffff))...)
	}
	if form < 2 {
		w.b = append(append(w.b, u24(uint32(length))...), byte(kind))
	}
	if form == 0 {
		w.b = binary.LittleEndian.AppendUint32(w.b, stream)
	}
	if form < 3 && at >= 0xffffff {
		w.b = append(w.b, u32(at)...)
	}
	return w
}

// message writes a whole message: type 0 and type 3 chunks.
func (w *wire) message(kind guard.Kind, at, stream uint32, body string) *wire {
	w.head(0, 4, at, kind, stream, len(body))
	for i := 0; i < len(body); i += w.chunk {
		if i > 0 {
			w.head(3, 4, 0, 0, 0, 0)
			if at >= 0xffffff {
				w.b = append(w.b, u32(at)...)
			}
		}
		w.b = append(w.b, body[i:min(i+w.chunk, len(body))]...)
	}
	return w
}

func (w *wire) chunkSize(n int) *wire {
	w.message(guard.KindSetChunkSize, 0, 0, string(u32(uint32(n))))
	w.chunk = n
	return w
}

func text(s string) string    { return string(amf0.AppendString(nil, s)) }
func number(v float64) string { return string(amf0.AppendNumber(nil, v)) }

const (
	null  = "\x05"
	end   = "\x00\x00\x09"
	begin = "\x03"
)

func field(name, value string) string { return text(name)[1:] + value }

func (w *wire) command(stream uint32, parts ...string) *wire {
	return w.message(guard.KindCommand, 0, stream, strings.Join(parts, ""))
}

func (w *wire) connect() *wire {
	return w.command(0, text("connect"), number(1), begin, field("app", text("live")), end)
}

// publisher is connected and publishes on stream 1.
func publisher() *wire {
	return newWire().connect().
		command(0, text("createStream"), number(2), null).
		command(1, text("publish"), number(3), null, text("key"), text("live"))
}

// network is the inner connection of a guard.
type network struct {
	io.Reader
	sent   bytes.Buffer
	writes int
	closed bool
}

func (n *network) Write(p []byte) (int, error) { n.writes++; return n.sent.Write(p) }
func (n *network) Close() error                { n.closed = true; return nil }

func handshake() []byte { return append([]byte{3}, make([]byte, 3072)...) }

// result is what came through a guard.
type result struct {
	engine []guard.Message // what the engine reads
	media  []guard.Message // what Media got; its stream is not told
	client []guard.Message // what the client was sent, but for the chunk size
	drops  []guard.Drop
	err    error // of the guard
}

// pass sends w through a guard whose network gives at most step bytes at once.
func pass(tb testing.TB, w *wire, step int) result {
	tb.Helper()
	var res result
	n := &network{Reader: &trickle{b: append(handshake(), w.b...), step: step}}
	c := guard.New(n, guard.Options{
		Dropped: func(d guard.Drop) { res.drops = append(res.drops, d) },
		Media: func(kind guard.Kind, at uint32, payload []byte) error {
			m := audio(at, string(payload))
			m.Kind = kind
			res.media = append(res.media, m)
			return nil
		},
	})
	got, err := io.ReadAll(c)
	if res.err = c.Err(); res.err != err { //nolint:errorlint // the same one
		tb.Fatalf("Read = %v, Err = %v", err, res.err)
	}
	if !bytes.HasPrefix(got, handshake()) {
		tb.Fatalf("the engine read %d bytes that do not begin with the handshake", len(got))
	}
	res.engine = messages(tb, got[len(handshake()):])
	res.client = messages(tb, n.sent.Bytes())
	return res
}

type trickle struct {
	b    []byte
	step int
}

func (t *trickle) Read(p []byte) (int, error) {
	if len(t.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), t.step)], t.b)
	t.b = t.b[n:]
	return n, nil
}

// messages takes apart what a guard wrote: each message one type 0 chunk.
func messages(tb testing.TB, b []byte) (ms []guard.Message) {
	tb.Helper()
	r := guard.NewReader(func(d guard.Drop) { tb.Errorf("the guard wrote something that is dropped: %s", d) })
	r.SetPublishing(true)
	for {
		if len(b) > 0 && b[0]>>6 != 0 {
			tb.Errorf("the guard wrote a chunk of type %d, want 0", b[0]>>6)
		}
		rest, m, err := r.Next(b)
		if err != nil {
			tb.Fatal(err)
		}
		if b = rest; m == nil {
			break
		}
		m.Payload = slices.Clone(m.Payload)
		ms = append(ms, *m)
	}
	if len(b) > 0 {
		tb.Fatalf("%d bytes behind the last message", len(b))
	}
	return ms
}

// values reads the AMF0 of a message.
func values(tb testing.TB, m guard.Message) (vs []amf0.Value) {
	tb.Helper()
	r := amf0.NewReader(m.Payload)
	for {
		v, err := r.Next()
		if err == io.EOF { //nolint:errorlint // never wrapped
			return vs
		}
		if err != nil {
			tb.Fatalf("AMF0 of %q: %v", m.Payload, err)
		}
		vs = append(vs, v)
	}
}

// calls names the commands among messages, with their streams and arguments.
func calls(tb testing.TB, ms []guard.Message) (names []string) {
	tb.Helper()
	for _, m := range ms {
		if m.Kind == guard.KindCommand {
			names = append(names, describe(m.Stream, values(tb, m)))
		}
	}
	return names
}

// describe writes a call as name@stream(arguments), objects by their strings.
func describe(stream uint32, vs []amf0.Value) string {
	var args []string
	for _, v := range vs[1:] {
		args = append(args, short(v))
	}
	return fmt.Sprintf("%s@%d(%s)", vs[0].Text, stream, strings.Join(args, " "))
}

func short(v amf0.Value) string {
	switch v.Kind {
	case amf0.Number:
		return fmt.Sprint(v.Number)
	case amf0.String:
		return strconv.Quote(v.Text)
	case amf0.Null:
		return "null"
	case amf0.Undefined:
		return "undefined"
	default:
		var members []string
		for _, m := range v.Members {
			members = append(members, strings.TrimPrefix(m.Name+":"+short(m.Value), ":"))
		}
		return "{" + strings.Join(members, " ") + "}"
	}
}
