package guard_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"barrage/ingest/guard"
)

// read takes w apart, step bytes at a time, as one that publishes.
func read(w *wire, step int) (ms []guard.Message, drops []guard.Drop, err error) {
	r := guard.NewReader(func(d guard.Drop) { drops = append(drops, d) })
	r.SetPublishing(true)
	var buf []byte // one for all that comes, as in a Conn
	for have, b := buf, w.b; ; {
		rest, m, err := r.Next(have)
		if err != nil {
			return ms, drops, err
		}
		if have = rest; m != nil {
			m.Payload = slices.Clone(m.Payload)
			ms = append(ms, *m)
			continue
		}
		if len(have) > 18 {
			return ms, drops, fmt.Errorf("%d bytes left over", len(have))
		}
		if len(b) == 0 {
			return ms, drops, nil
		}
		n := min(step, len(b))
		buf = append(append(buf[:0], have...), b[:n]...)
		have, b = buf, b[n:]
	}
}

func audio(at uint32, body string) guard.Message {
	return guard.Message{Header: guard.Header{Timestamp: at, Length: uint32(len(body)), Kind: guard.KindAudio, Stream: 1}, Payload: []byte(body)}
}

func same(a, b guard.Message) bool {
	return a.Header == b.Header && a.Skipped == b.Skipped && bytes.Equal(a.Payload, b.Payload)
}

const a = guard.KindAudio

var long = strings.Repeat("0123456789", 40)

func TestReader(t *testing.T) {
	const late = 0x1000000
	ext := string(u32(late))
	for name, c := range map[string]struct {
		w     *wire
		want  []guard.Message
		drops []guard.Drop
	}{
		"one chunk":  {newWire().message(a, 5, 1, "x"), []guard.Message{audio(5, "x")}, nil},
		"chunks":     {newWire().message(a, 5, 1, long), []guard.Message{audio(5, long)}, nil},
		"no payload": {newWire().message(a, 5, 1, "").message(a, 6, 1, "x"), []guard.Message{audio(5, ""), audio(6, "x")}, nil},
		"type 1 and 2": {
			newWire().message(a, 5, 1, "x").head(1, 4, 10, a, 0, 2).raw("yz").head(2, 4, 20, 0, 0, 0).raw("uv"),
			[]guard.Message{audio(5, "x"), audio(15, "yz"), audio(35, "uv")},
			nil,
		},
		"L25 type 3 after type 0 adds its time again": {
			newWire().message(a, 5, 1, "x").head(3, 4, 0, 0, 0, 0).raw("y").head(3, 4, 0, 0, 0, 0).raw("z"),
			[]guard.Message{audio(5, "x"), audio(10, "y"), audio(15, "z")},
			nil,
		},
		"type 3 after type 2 adds its delta": {
			newWire().message(a, 5, 1, "x").head(2, 4, 7, 0, 0, 0).raw("y").head(3, 4, 0, 0, 0, 0).raw("z"),
			[]guard.Message{audio(5, "x"), audio(12, "y"), audio(19, "z")},
			nil,
		},
		"time wraps": {
			newWire().message(a, 0xfffffffe, 1, "x").head(2, 4, 5, 0, 0, 0).raw("y"),
			[]guard.Message{audio(0xfffffffe, "x"), audio(3, "y")},
			nil,
		},
		"first chunk of type 1 (DJI)": {
			newWire().head(1, 9, 10, a, 0, 1).raw("x"),
			[]guard.Message{{Header: guard.Header{Timestamp: 10, Length: 1, Kind: a}, Payload: []byte("x")}},
			nil,
		},
		"chunk stream ids of 1, 2 and 3 bytes": {
			newWire().head(0, 63, 1, a, 1, 1).raw("a").head(0, 64, 2, a, 1, 1).raw("b").head(0, 319, 3, a, 1, 1).raw("c").
				head(0, 320, 4, a, 1, 1).raw("d").head(0, 65599, 5, a, 1, 1).raw("e").head(2, 65599, 5, 0, 0, 0).raw("f"),
			[]guard.Message{audio(1, "a"), audio(2, "b"), audio(3, "c"), audio(4, "d"), audio(5, "e"), audio(10, "f")},
			nil,
		},
		"interleaved": {
			newWire().head(0, 4, 1, a, 1, 200).raw(long[:128]).head(0, 5, 2, a, 1, 130).raw(long[:128]).
				head(3, 4, 0, 0, 0, 0).raw(long[128:200]).head(3, 5, 0, 0, 0, 0).raw(long[128:130]),
			[]guard.Message{audio(1, long[:200]), audio(2, long[:130])},
			nil,
		},
		"L3 extended time on type 3": {newWire().message(a, late, 1, long), []guard.Message{audio(late, long)}, nil},
		"L3 extended time not on type 3 (librtmp)": {
			newWire().head(0, 4, late, a, 1, 200).raw(long[:128]).head(3, 4, 0, 0, 0, 0).raw(long[128:200]),
			[]guard.Message{audio(late, long[:200])},
			nil,
		},
		"extended delta, and again by type 3": {
			newWire().message(a, 1, 1, "x").head(2, 4, late, 0, 0, 0).raw("y").head(3, 4, 0, 0, 0, 0).raw(ext, "z"),
			[]guard.Message{audio(1, "x"), audio(late+1, "y"), audio(2*late+1, "z")},
			nil,
		},
		"extended time that needs none": {
			newWire().raw("\x04\xff\xff\xff\x00\x00\x01\x08\x01\x00\x00\x00\x00\x00\x00\x05x"), []guard.Message{audio(5, "x")}, nil,
		},
		"chunk size": {
			newWire().message(a, 1, 1, "x").chunkSize(7).message(a, 2, 1, long).chunkSize(65536).message(a, 3, 1, long),
			[]guard.Message{audio(1, "x"), audio(2, long), audio(3, long)},
			nil,
		},
		"chunk size 1":             {newWire().chunkSize(1).message(a, 2, 1, long), []guard.Message{audio(2, long)}, nil},
		"chunk size of 2^31-1":     {newWire().chunkSize(1<<31-1).message(a, 2, 1, long), []guard.Message{audio(2, long)}, nil},
		"chunk size 0":             {newWire().message(guard.KindSetChunkSize, 0, 0, "\x00\x00\x00\x00").message(a, 2, 1, long), []guard.Message{audio(2, long)}, []guard.Drop{guard.DropMalformed}},
		"chunk size of half a one": {newWire().message(guard.KindSetChunkSize, 0, 0, "\x00\x00").message(a, 2, 1, long), []guard.Message{audio(2, long)}, []guard.Drop{guard.DropMalformed}},
		"chunk size in mid-message": {
			newWire().head(0, 4, 1, a, 1, 200).raw(long[:128]).head(0, 2, 0, guard.KindSetChunkSize, 0, 4).raw("\x00\x00\x00\x32").
				head(3, 4, 0, 0, 0, 0).raw(long[128:178]).head(3, 4, 0, 0, 0, 0).raw(long[178:200]),
			[]guard.Message{audio(1, long[:200])},
			nil,
		},
		"L5 new header in mid-message": {
			newWire().head(0, 4, 1, a, 1, 200).raw(long[:128]).message(a, 9, 1, "short"),
			[]guard.Message{audio(9, "short")},
			[]guard.Drop{guard.DropPartial},
		},
		"L5 abort": {
			newWire().head(0, 4, 1, a, 1, 200).raw(long[:128]).head(0, 2, 0, guard.KindAbort, 0, 4).raw("\x00\x00\x00\x04").
				head(3, 4, 0, 0, 0, 0).raw(long[:128]).head(3, 4, 0, 0, 0, 0).raw(long[:72]),
			[]guard.Message{audio(2, long[:128]+long[:72])},
			[]guard.Drop{guard.DropPartial},
		},
		"abort of nothing":     {newWire().message(guard.KindAbort, 0, 0, "\x00\x00\x00\x09").message(a, 2, 1, "x"), []guard.Message{audio(2, "x")}, nil},
		"abort of half a name": {newWire().message(guard.KindAbort, 0, 0, "\x00").message(a, 2, 1, "x"), []guard.Message{audio(2, "x")}, []guard.Drop{guard.DropMalformed}},
		"an unknown type is skipped": {
			newWire().message(99, 2, 1, long).message(a, 2, 1, "x"),
			[]guard.Message{{Header: guard.Header{Timestamp: 2, Length: 400, Kind: 99, Stream: 1}, Skipped: true}, audio(2, "x")},
			nil,
		},
	} {
		for _, step := range []int{1, 3, 17, 128, 1 << 20} {
			got, drops, err := read(c.w, step)
			if err != nil || !slices.EqualFunc(got, c.want, same) || !slices.Equal(drops, c.drops) {
				t.Errorf("%s, %d bytes at once: %v, drops %v, %v\nwant %v, drops %v", name, step, got, drops, err, c.want, c.drops)
			}
		}
	}
}

func TestReaderErrors(t *testing.T) {
	streams := newWire()
	for id := range 17 {
		streams.head(0, id+3, 0, a, 1, 1).raw("x")
	}
	unfinished := newWire().chunkSize(1 << 20)
	for id := range 9 {
		unfinished.head(0, id+3, 0, guard.KindVideo, 1, 1<<20+1).raw(strings.Repeat("x", 1<<20))
	}
	for name, c := range map[string]struct {
		w    *wire
		want string
	}{
		"continues nothing":           {newWire().raw("\xc4"), "chunk without a header before it"},
		"17 chunk streams":            {streams, "more than 16 chunk streams"},
		"L9 too much unfinished":      {unfinished, "too many bytes of unfinished messages"},
		"L9 video of 8 MiB and more":  {newWire().head(0, 6, 0, guard.KindVideo, 1, 8<<20+1), "video of more than 8388608 bytes"},
		"L9 audio of 1 MiB and more":  {newWire().head(0, 6, 0, a, 1, 1<<20+1), "audio of more than 1048576 bytes"},
		"L9 command of more":          {newWire().head(0, 6, 0, guard.KindCommand, 1, 64<<10+1), "command of more than 65536 bytes"},
		"L9 metadata of more":         {newWire().head(0, 6, 0, guard.KindData, 1, 64<<10+1), "metadata of more than 65536 bytes"},
		"L9 aggregate of more":        {newWire().head(0, 6, 0, guard.KindAggregate, 1, 8<<20+1), "aggregate of more than 8388608 bytes"},
		"L9 control message of more":  {newWire().head(0, 6, 0, guard.KindAck, 1, 64<<10+1), "message of type 3 of more than 65536 bytes"},
		"L9 by type 1 the same":       {newWire().message(a, 0, 1, "x").head(1, 4, 0, a, 1, 1<<20+1), "audio of more"},
		"aggregate of AMF 3 metadata": {newWire().head(0, 6, 0, guard.KindDataAMF3, 1, 64<<10+1), "metadata of more"},
	} {
		if _, _, err := read(c.w, 1<<22); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	var tooLong *guard.TooLongError
	if _, _, err := read(newWire().head(0, 6, 0, a, 1, 1<<20+1), 100); !errors.As(err, &tooLong) || tooLong.Kind != a {
		t.Errorf("%v, want a TooLongError", err)
	}
}

// Before it publishes, a client can have 64 KiB in the air, whatever it announces.
func TestReaderBeforePublish(t *testing.T) {
	r := guard.NewReader(func(guard.Drop) {})
	w := newWire().chunkSize(40_000).head(0, 3, 0, guard.KindCommand, 0, 60_000).raw(strings.Repeat("x", 40_000)).
		head(0, 4, 0, guard.KindVideo, 0, 16<<20-1).raw(strings.Repeat("x", 40_000)) // skipped
	rest, m, err := r.Next(w.b)
	if m != nil || err != nil || len(rest) != 0 {
		t.Fatalf("Next = %v, %v, %d bytes left", m, err, len(rest))
	}
	w = newWire().head(0, 5, 0, guard.KindCommand, 0, 60_000).raw(strings.Repeat("x", 40_000))
	if _, _, err = r.Next(w.b); !errors.Is(err, guard.ErrUnfinished) {
		t.Errorf("80,000 bytes unfinished before publish: %v, want %v", err, guard.ErrUnfinished)
	}
}

// Announcing is free, so nothing may be allocated for it.
func TestReaderMemory(t *testing.T) {
	w := newWire()
	for id := range 16 {
		w.head(0, id+3, 0, guard.KindVideo, 1, 8<<20).raw("x" + strings.Repeat("y", 127))
	}
	if got := allocated(func() { _, _, _ = read(w, 1<<20) }); got > 256<<10 {
		t.Errorf("16 messages of 8 MiB announced cost %d bytes, want little", got)
	}
}

// Random messages, cut up and interleaved at random, come out as they went in.
func TestReaderRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		w, want := randomWire(rnd)
		got, drops, err := read(w, 1+rnd.IntN(5000))
		if err != nil || len(drops) != 0 || !slices.EqualFunc(got, want, same) {
			t.Fatalf("seed %d: %d messages, drops %v, %v, want %d messages", seed, len(got), drops, err, len(want))
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// sending is a message on its way.
type sending struct {
	id, sent int
	ext      []byte
	message  guard.Message
}

// randomWire sends up to 40 messages on up to 4 chunk streams. The messages come
// in the order in which they end.
func randomWire(rnd *rand.Rand) (w *wire, done []guard.Message) {
	w = newWire()
	ids := []int{3, 63, 64, 400}
	last := map[int]guard.Header{}
	busy := map[int]*sending{}
	for left := 40; left > 0 || len(busy) > 0; {
		if rnd.IntN(10) == 0 {
			w.chunkSizeOn(2, 4+rnd.IntN(3000)) // its own 4 bytes stay one chunk
		}
		id := ids[rnd.IntN(len(ids))]
		s := busy[id]
		switch {
		case s == nil && left == 0:
			continue
		case s == nil:
			left--
			s = &sending{id: id, message: randomMessage(rnd)}
			s.begin(w, rnd, last)
			busy[id] = s
		default:
			w.head(3, id, 0, 0, 0, 0)
			w.b = append(w.b, s.ext...)
		}
		n := min(w.chunk, len(s.message.Payload)-s.sent)
		w.b = append(w.b, s.message.Payload[s.sent:s.sent+n]...)
		if s.sent += n; s.sent == len(s.message.Payload) {
			done = append(done, s.message)
			delete(busy, id)
		}
	}
	return w, done
}

func randomMessage(rnd *rand.Rand) guard.Message {
	body := make([]byte, rnd.IntN(6000))
	for i := range body {
		body[i] = byte(rnd.Uint32())
	}
	at := rnd.Uint32()
	if rnd.IntN(2) == 0 {
		at %= 1 << 24
	}
	return guard.Message{
		Header:  guard.Header{Timestamp: at, Length: uint32(len(body)), Kind: []guard.Kind{8, 9, 18, 20}[rnd.IntN(4)], Stream: rnd.Uint32N(3)},
		Payload: body,
	}
}

// begin writes a header of a type that may be used after the last.
func (s *sending) begin(w *wire, rnd *rand.Rand, last map[int]guard.Header) {
	h, before := &s.message.Header, last[s.id]
	form, at := byte(0), h.Timestamp
	if _, ok := last[s.id]; ok && rnd.IntN(3) > 0 {
		form, at, h.Stream = 1, h.Timestamp-before.Timestamp, before.Stream
		if before.Length == h.Length && before.Kind == h.Kind {
			form = 2
		}
	}
	w.head(form, s.id, at, h.Kind, h.Stream, int(h.Length))
	if at >= 0xffffff {
		s.ext = u32(at)
	}
	last[s.id] = *h
}

func (w *wire) chunkSizeOn(id, n int) {
	w.head(0, id, 0, guard.KindSetChunkSize, 0, 4).raw(string(u32(uint32(n))))
	w.chunk = n
}
