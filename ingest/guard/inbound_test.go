package guard_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"barrage/ingest/amf0"
	"barrage/ingest/guard"
)

const (
	connected  = `connect@0(1 {app:"live" flashVer:"" tcUrl:""})`
	created    = `createStream@0(2 null)`
	published  = `publish@1(3 null "key" "live")`
	unasked    = `createStream@0(-1 null)`
	deadObject = "\x03\x00\x01a"
)

func TestCommands(t *testing.T) {
	object := func(fields ...string) string { return begin + strings.Join(fields, "") + end }
	longText := "\x0c" + string(u32(70)) + strings.Repeat("l", 70)
	for name, c := range map[string]struct {
		w      *wire
		engine []string
		client []string
		drops  int
	}{
		"a publisher": {publisher(), []string{connected, created, published}, nil, 0},
		"L6 AMF 3 commands": {
			newWire().message(guard.KindCommandAMF3, 0, 0, "\x00"+text("connect")+number(1)+object(field("app", text("live")))).
				message(guard.KindCommandAMF3, 0, 0, "\x00"+text("createStream")+number(2)+null),
			[]string{connected, created},
			nil, 0,
		},
		"L12 odd values in connect": {
			newWire().command(0, text("connect"), number(1), object(
				field("app", longText), field("flashVer", "\x06"), field("tcUrl", text("a\xffb")), field("fpad", number(0)),
				field("capabilities", text("239")), field("when", "\x0b"+number(1)[1:]+"\x00\x00"), field("x", "\x10\x00\x01T"+end), field("u", "\x0d"),
			)),
			[]string{`connect@0(1 {app:"` + strings.Repeat("l", 70) + `" flashVer:"" tcUrl:"a�b"})`},
			nil, 0,
		},
		"L12 connect with an ECMA array": {
			newWire().command(0, text("connect"), number(1), "\x08\x00\x00\x00\x07", field("app", text("live")), end), []string{connected}, nil, 0,
		},
		"connect of nothing":         {newWire().command(0, text("connect")), []string{`connect@0(1 {app:"" flashVer:"" tcUrl:""})`}, nil, 0},
		"connect twice":              {newWire().connect().connect(), []string{connected}, nil, 1},
		"before connect":             {newWire().command(0, text("createStream"), number(2), null), nil, nil, 1},
		"transactions that are none": {newWire().connect().command(0, text("createStream"), number(-1), null), []string{connected, `createStream@0(0 null)`}, nil, 0},
		"L13 deleteStream with a text": {
			publisher().command(0, text("deleteStream"), number(4), null, text("1")),
			[]string{connected, created, published, `deleteStream@0(0 null 1)`},
			nil, 0,
		},
		"deleteStream of an unknown stream ends what is published": {
			publisher().command(0, text("deleteStream"), number(4), null, number(77)),
			[]string{connected, created, published, `deleteStream@0(0 null 1)`},
			nil, 0,
		},
		"deleteStream of nothing": {
			newWire().connect().command(0, text("deleteStream"), number(4), null, number(1)), []string{connected}, nil, 1,
		},
		"deleteStream of a stream that does not publish": {
			publisher().command(0, text("createStream"), number(4), null).command(0, text("deleteStream"), number(5), null, number(2)),
			[]string{connected, created, published, `createStream@0(4 null)`, `deleteStream@0(0 null 2)`},
			nil, 0,
		},
		"L18 releaseStream and FCPublish are answered": {
			newWire().connect().command(0, text("releaseStream"), number(2), null, text("key")).command(0, text("FCPublish"), number(3), null, text("key")),
			[]string{connected},
			[]string{`_result@0(2 null undefined)`, `_result@0(3 null undefined)`},
			0,
		},
		"L20 names missing or null": {
			newWire().connect().command(0, text("releaseStream"), number(2)).command(0, text("FCPublish"), number(3), null, null).
				command(0, text("createStream"), number(2), null).command(1, text("publish"), number(4), null, null),
			[]string{connected, created, `publish@1(4 null "" "live")`},
			[]string{`_result@0(2 null undefined)`, `_result@0(3 null undefined)`},
			0,
		},
		"L21 publish on a stream not made": {
			newWire().connect().command(7, text("publish"), number(3), null, text("key")),
			[]string{connected, unasked, published},
			nil, 0,
		},
		"L22 publish on stream 0": {
			newWire().connect().command(0, text("createStream"), number(2), null).command(0, text("publish"), number(3), null, text("key"), text("live")),
			[]string{connected, created, published},
			nil, 0,
		},
		"publish twice on one stream": {publisher().command(1, text("publish"), number(3), null, text("key")), []string{connected, created, published}, nil, 1},
		"publish again on one stream": {
			publisher().command(1, text("closeStream"), number(0), null).command(1, text("publish"), number(3), null, text("key")),
			[]string{connected, created, published, `closeStream@1(0 null)`, `deleteStream@0(0 null 1)`, unasked, published},
			nil, 0,
		},
		"goodbye": {
			publisher().command(0, text("FCUnpublish"), number(4), null, text("key")).command(0, text("deleteStream"), number(5), null, number(1)),
			[]string{connected, created, published, `FCUnpublish@0(4 null "key")`, `deleteStream@0(0 null 1)`},
			nil, 0,
		},
		"closeStream without a stream": {newWire().connect().command(1, text("closeStream"), number(0), null), []string{connected}, nil, 0},
		"play goes on": {
			newWire().connect().command(1, text("play"), number(0), null, text("key")), []string{connected, unasked, `play@1(0 null "key" -2)`}, nil, 0,
		},
		"four streams": {
			publisher().command(0, text("createStream"), number(4), null).command(0, text("createStream"), number(5), null).
				command(0, text("createStream"), number(6), null).command(9, text("publish"), number(7), null, text("key")),
			[]string{connected, created, published, `createStream@0(4 null)`, `createStream@0(5 null)`, `createStream@0(6 null)`},
			nil, 1,
		},
		"what is not understood": {
			newWire().connect().command(0, text("_checkbw"), number(4)).command(0, "\x0a\x80\x00\x00\x00").command(0, text("x"), deadObject).command(0, ""),
			[]string{connected},
			nil, 4,
		},
		"long and odd names": {
			newWire().connect().command(0, text("createStream"), number(2), null).
				command(1, text("publish"), number(3), null, "\x02\x00\x03k\xff\x00", text("live")),
			[]string{connected, created, `publish@1(3 null "k�\x00" "live")`},
			nil, 0,
		},
	} {
		for _, step := range []int{1, 1 << 20} {
			got := pass(t, c.w, step)
			if engine := calls(t, got.engine); !slices.Equal(engine, c.engine) || got.err != nil {
				t.Errorf("%s: the engine was called\n%q, %v, want\n%q", name, engine, got.err, c.engine)
			}
			if client := calls(t, got.client); !slices.Equal(client, c.client) {
				t.Errorf("%s: the client was told\n%q, want\n%q", name, client, c.client)
			}
			if len(got.drops) != c.drops {
				t.Errorf("%s: dropped %v, want %d", name, got.drops, c.drops)
			}
		}
	}
}

func TestCommandErrors(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"L1 list of 2^31":         {text("connect") + number(1) + "\x0a\x80\x00\x00\x00", amf0.ErrShort},
		"L1 list of 2^32-1 nulls": {text("connect") + number(1) + "\x0a\xff\xff\xff\xff" + strings.Repeat(null, 5000), amf0.ErrNodes},
		"L2 nested":               {text("connect") + number(1) + strings.Repeat(deadObject, 15_000), amf0.ErrDepth},
		"half an object":          {text("connect") + number(1) + deadObject, amf0.ErrShort},
		"unknown marker":          {text("connect") + number(1) + "\x99", amf0.ErrMarker},
	} {
		if got := pass(t, newWire().command(0, c.body), 4096); !errors.Is(got.err, c.want) || len(calls(t, got.engine)) != 0 {
			t.Errorf("%s: %v, engine called %q, want %v", name, got.err, calls(t, got.engine), c.want)
		}
	}
}

func tag(kind guard.Kind, at uint32, body string) string {
	return string([]byte{byte(kind)}) + string(u24(uint32(len(body)))) + string(u24(at)) + string([]byte{byte(at >> 24)}) + "\x00\x00\x00" + body +
		string(u32(uint32(11+len(body))))
}

func metadata(at uint32, body string) guard.Message {
	m := audio(at, body)
	m.Kind = guard.KindData
	return m
}

func TestMedia(t *testing.T) {
	const late = 0xffffffff
	meta := text("onMetaData") + "\x08\x00\x00\x00\x00" + field("width", number(640)) + end
	frame := text("@setDataFrame") + meta
	video := func(at uint32, body string) guard.Message { m := audio(at, body); m.Kind = guard.KindVideo; return m }
	for name, c := range map[string]struct {
		w     *wire
		want  []guard.Message
		drops []guard.Drop
	}{
		"passes": {publisher().message(a, 1, 1, long).message(guard.KindVideo, 2, 1, "v"), []guard.Message{audio(1, long), video(2, "v")}, nil},
		"L3 late": {
			publisher().message(a, late, 1, long).message(a, 0xffffff, 1, long).message(a, 0xfffffe, 1, "x"),
			[]guard.Message{audio(late, long), audio(0xffffff, long), audio(0xfffffe, "x")},
			nil,
		},
		"L4 empty":         {publisher().message(a, 1, 1, "").message(guard.KindVideo, 2, 1, "").message(a, 3, 1, "x"), []guard.Message{audio(3, "x")}, []guard.Drop{guard.DropEmpty, guard.DropEmpty}},
		"L21 any stream":   {publisher().message(a, 1, 0, "x").message(a, 2, 99, "y"), []guard.Message{audio(1, "x"), audio(2, "y")}, nil},
		"before publish":   {newWire().connect().message(a, 1, 1, "x").message(guard.KindData, 1, 1, frame), nil, []guard.Drop{guard.DropEarly, guard.DropEarly}},
		"after the end":    {publisher().command(1, text("closeStream"), number(0), null).message(a, 1, 1, "x"), nil, []guard.Drop{guard.DropEarly}},
		"L7 shared object": {publisher().message(19, 1, 1, "x").message(16, 1, 1, "x").message(77, 1, 1, long), nil, []guard.Drop{guard.DropUnknown, guard.DropUnknown, guard.DropUnknown}},
		"L7 aggregate": {
			publisher().message(guard.KindAggregate, 1000, 1, tag(a, 5, "x")+tag(guard.KindVideo, 9, "y")+tag(a, 9, "")+tag(99, 9, "?")+tag(a, 20, long)),
			[]guard.Message{audio(1000, "x"), video(1004, "y"), audio(1015, long)},
			[]guard.Drop{guard.DropEmpty, guard.DropUnknown},
		},
		"L7 aggregate without its last pointer": {
			publisher().message(guard.KindAggregate, 7, 1, tag(a, 7, "xyz")[:14]), []guard.Message{audio(7, "xyz")}, nil,
		},
		"L7 aggregate cut off":          {publisher().message(guard.KindAggregate, 0, 1, tag(a, 0, "x")+tag(a, 1, "yyyy")[:13]), []guard.Message{audio(0, "x")}, []guard.Drop{guard.DropMalformed}},
		"L7 aggregate of 3 bytes":       {publisher().message(guard.KindAggregate, 0, 1, "abc"), nil, []guard.Drop{guard.DropMalformed}},
		"L7 metadata in aggregate":      {publisher().message(guard.KindAggregate, 5, 1, tag(guard.KindData, 0, meta)), []guard.Message{metadata(5, meta)}, nil},
		"metadata":                      {publisher().message(guard.KindData, 5, 1, frame), []guard.Message{metadata(5, meta)}, nil},
		"L19 without @setDataFrame":     {publisher().message(guard.KindData, 5, 1, meta), []guard.Message{metadata(5, meta)}, nil},
		"L6 AMF 3 metadata":             {publisher().message(guard.KindDataAMF3, 5, 1, "\x00"+frame), []guard.Message{metadata(5, meta)}, nil},
		"L19 other data":                {publisher().message(guard.KindData, 0, 1, text("onTextData")+null), nil, []guard.Drop{guard.DropUnknown}},
		"L20 data without a name":       {publisher().message(guard.KindData, 0, 1, number(5)).message(guard.KindData, 0, 1, "").message(a, 1, 1, "x"), []guard.Message{audio(1, "x")}, []guard.Drop{guard.DropUnknown, guard.DropUnknown}},
		"L1 a bomb in data is not read": {publisher().message(guard.KindData, 0, 1, "\x0a\x80\x00\x00\x00"), nil, []guard.Drop{guard.DropUnknown}},
	} {
		for _, step := range []int{1, 50, 1 << 20} {
			got := pass(t, c.w, step)
			if !slices.EqualFunc(got.media, c.want, same) || got.err != nil || !slices.Equal(got.drops, c.drops) {
				t.Errorf("%s: got\n%v, drops %v, %v, want\n%v, drops %v", name, got.media, got.drops, got.err, c.want, c.drops)
			}
			if len(calls(t, got.engine)) != len(got.engine) {
				t.Errorf("%s: the engine got more than commands: %v", name, got.engine)
			}
		}
	}
}

func TestControl(t *testing.T) {
	got := pass(t, publisher().
		message(guard.KindUserControl, 0, 0, "\x00\x06\x01\x02\x03\x04"). // L24 ping
		message(guard.KindUserControl, 0, 0, "\x00\x1f\x00\x00\x00\x01"). // L8
		message(guard.KindUserControl, 0, 0, "\x00\x20\x00\x00\x00\x01"). // L8
		message(guard.KindUserControl, 0, 0, "\x00\x03\x00\x00\x00\x01\x00\x00\x00\x64").
		message(guard.KindUserControl, 0, 0, "\x00").
		message(guard.KindAck, 0, 0, "\x00\x00\x00\x01").
		message(guard.KindPeerBandwidth, 0, 0, "\x00\x00\x00\x01\x02").
		message(guard.KindWindowAckSize, 0, 0, "\x00").
		message(a, 1, 1, "x"), 100)
	if want := []guard.Message{audio(1, "x")}; !slices.EqualFunc(got.media, want, same) || got.err != nil {
		t.Errorf("got %v, %v, want %v", got.media, got.err, want)
	}
	if len(got.engine) != 3 { // its chunk size is no message
		t.Errorf("the engine got %d messages, want 3: no control message is its business", len(got.engine))
	}
	last := got.client[len(got.client)-1]
	if last.Kind != guard.KindUserControl || string(last.Payload) != "\x00\x07\x01\x02\x03\x04" {
		t.Errorf("the client got %+v, want the answer to its ping", last)
	}
	want := []guard.Drop{guard.DropUnknown, guard.DropUnknown, guard.DropMalformed, guard.DropMalformed}
	if !slices.Equal(got.drops, want) {
		t.Errorf("dropped %v, want %v", got.drops, want)
	}
}
