package guard_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"barrage/ingest/guard"
)

// answers runs a client's bytes through a guard, then what the engine writes,
// and returns what the client was sent.
func answers(t *testing.T, codecs guard.Codecs, client *wire, engine []byte) []guard.Message {
	t.Helper()
	n := &network{Reader: bytes.NewReader(append(handshake(), client.b...))}
	c := guard.New(n, guard.Options{Codecs: codecs})
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	n.sent.Reset()
	for b := range slices.Chunk(append(handshake(), engine...), 100) {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil || !n.closed {
		t.Errorf("Close = %v, closed %v", err, n.closed)
	}
	sent := n.sent.Bytes()
	if !bytes.HasPrefix(sent, handshake()) {
		t.Fatalf("the client was sent %q, want the handshake first", sent[:min(len(sent), 100)])
	}
	return messages(t, sent[len(handshake()):])
}

func connectResult(name string) *wire {
	return newWire().message(guard.KindWindowAckSize, 0, 0, "\x7f\xff\xff\xff").
		message(guard.KindPeerBandwidth, 0, 0, "\x00\x26\x25\xa0\x01").
		message(guard.KindUserControl, 0, 0, "\x00\x00\x00\x00\x00\x00").
		command(0, text(name), number(1), begin, field("fmsVer", text("FMS/3")), end,
			begin, field("code", text("NetConnection.Connect.Success")), field("more", text(strings.Repeat("x", 300))), end)
}

func TestL15ConnectResult(t *testing.T) {
	codecs := guard.Codecs{Video: []string{"avc1"}, Audio: []string{"mp4a"}, CapsEx: 4}
	info := `{code:"NetConnection.Connect.Success" more:"` + strings.Repeat("x", 300) + `" objectEncoding:0`
	connect := func(fields ...string) *wire {
		return newWire().command(0, text("connect"), number(9), begin, strings.Join(fields, ""), end)
	}
	for name, c := range map[string]struct {
		client *wire
		answer string
		want   string
	}{
		"plain":     {connect(), "_result", "_result@0(9 {fmsVer:\"FMS/3\"} " + info + "})"},
		"AMF 3":     {connect(field("objectEncoding", number(3))), "_result", "_result@0(9 {fmsVer:\"FMS/3\"} " + info + "})"},
		"refused":   {connect(), "_error", "_error@0(9 {fmsVer:\"FMS/3\"} " + info + "})"},
		"no wish":   {connect(field("fourCcList", null), field("capsEx", "\x06")), "_result", "_result@0(9 {fmsVer:\"FMS/3\"} " + info + "})"},
		"FourCCs":   {connect(field("fourCcList", "\x0a\x00\x00\x00\x01"+text("hvc1"))), "_result", "_result@0(9 {fmsVer:\"FMS/3\"} " + info + ` fourCcList:{"avc1" "mp4a"}})`},
		"info maps": {connect(field("videoFourCcInfoMap", begin+field("*", number(7))+end)), "_result", "_result@0(9 {fmsVer:\"FMS/3\"} " + info + ` videoFourCcInfoMap:{avc1:4} audioFourCcInfoMap:{mp4a:4}})`},
		"v2":        {connect(field("capsEx", number(15))), "_result", "_result@0(9 {fmsVer:\"FMS/3\"} " + info + ` capsEx:4})`},
	} {
		got := answers(t, codecs, c.client, connectResult(c.answer).b)
		if have := calls(t, got); !slices.Equal(have, []string{c.want}) {
			t.Errorf("%s: the client was told\n%q, want\n%q", name, have, c.want)
		}
		if len(got) != 5 || string(got[0].Payload) != "\x00\x26\x25\xa0" {
			t.Errorf("%s: %d messages, want window, bandwidth, begin, result and ping: %v", name, len(got), got)
		}
	}
}

// L28: one write for the handshake, one for the four messages of connect.
func TestL28Writes(t *testing.T) {
	n := &network{Reader: bytes.NewReader(append(handshake(), newWire().connect().b...))}
	c := guard.New(n, guard.Options{})
	mustRead(t, c, 1)
	for b := range slices.Chunk(handshake(), 450) { // the engine writes in 7
		mustWrite(t, c, b)
	}
	if n.writes != 0 {
		t.Errorf("%d writes while the client's own handshake is at hand, want 0", n.writes)
	}
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	if n.writes != 1 || n.sent.Len() != len(handshake()) {
		t.Errorf("%d writes of %d bytes, want the handshake in 1", n.writes, n.sent.Len())
	}
	for b := range slices.Chunk(connectResult("_result").b, 128) {
		mustWrite(t, c, b)
	}
	if n.writes != 2 {
		t.Errorf("%d writes, want 2: the answer to connect in 1", n.writes)
	}
	if after := n.sent.Bytes()[len(handshake()):]; !bytes.HasPrefix(after, []byte("\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\x01\x00\x00")) {
		t.Errorf("after the handshake: %q, want the chunk size first", after[:16])
	}
}

func TestStatusGoesWhereTheClientPublishes(t *testing.T) {
	client := newWire().connect().command(0, text("publish"), number(3), null, text("key"))
	engine := connectResult("_result").
		command(0, text("_result"), number(-1), null, number(1)). // of a stream the client never asked for
		command(1, text("onStatus"), number(0), null, begin, field("code", text("NetStream.Publish.Start")), end)
	got := calls(t, answers(t, guard.Codecs{}, client, engine.b))
	if want := `onStatus@0(0 null {code:"NetStream.Publish.Start"})`; len(got) != 2 || got[1] != want {
		t.Errorf("the client was told %q, want the second to be %q", got, want)
	}
}

func TestEngineAcksAreDropped(t *testing.T) {
	got := answers(t, guard.Codecs{}, newWire(), newWire().message(guard.KindAck, 0, 0, "\x00\x00\x00\x01").chunkSize(4096).b)
	if len(got) != 0 {
		t.Errorf("the client was sent %v, want nothing", got)
	}
}

// L28: acknowledgements count the client's bytes, and only if it asked.
func TestL28Acks(t *testing.T) {
	for name, c := range map[string]struct {
		window string
		want   int
	}{"nobody asked": {"", 0}, "every 100 kB": {"\x00\x01\x86\xa0", 2}, "every byte": {"\x00\x00\x00\x01", 7}} {
		w := publisher()
		if c.window != "" {
			w.message(guard.KindWindowAckSize, 0, 0, c.window)
		}
		w.chunkSize(65536)
		for i := range 250 {
			w.message(a, uint32(i), 1, strings.Repeat("x", 1000))
		}
		res := pass(t, w, 4096)
		if len(res.client) != c.want {
			t.Errorf("%s: %d acknowledgements, want %d", name, len(res.client), c.want)
		}
		for _, m := range res.client {
			if n := int(m.Payload[1])<<16 | int(m.Payload[2])<<8 | int(m.Payload[3]); m.Kind != guard.KindAck || n%4096 != 0 && n != len(w.b)+3073 {
				t.Errorf("%s: %+v, want an acknowledgement of wire bytes", name, m)
			}
		}
	}
}

func TestL23Handshake(t *testing.T) {
	for name, b := range map[string]string{"HTTP": "GET / HTTP/1.1\r\n", "TLS": "\x16\x03\x01", "RTMPE": "\x06" + strings.Repeat("x", 3072)} {
		c := guard.New(&network{Reader: strings.NewReader(b)}, guard.Options{})
		if n, err := c.Read(make([]byte, 100)); n != 0 || !errors.Is(err, guard.ErrNotRTMP) || !errors.Is(c.Err(), guard.ErrNotRTMP) {
			t.Errorf("%s: Read = %d, %v, Err = %v, want %v", name, n, err, c.Err(), guard.ErrNotRTMP)
		}
	}
	// Byte by byte, and never more than the handshake at a time.
	c := guard.New(&network{Reader: iotest.OneByteReader(bytes.NewReader(append(handshake(), newWire().connect().b...)))}, guard.Options{})
	if n, err := io.ReadFull(c, make([]byte, 3073)); err != nil {
		t.Fatalf("%d bytes of the handshake, %v", n, err)
	}
	b := make([]byte, 3)
	if n, err := c.Read(b); err != nil || string(b[:n]) != "\x02\x00\x00" {
		t.Errorf("behind the handshake: %q, %v, want the guard's own chunk size", b[:n], err)
	}
}

// The engine has read a command before what follows it is handed on.
func TestMediaComesAfterTheCommandsBefore(t *testing.T) {
	w := publisher().message(a, 1, 1, "x").command(1, text("closeStream"), number(0), null).
		message(a, 2, 1, "late").command(1, text("publish"), number(5), null, text("key")).message(a, 3, 1, "y")
	var order []string
	c := guard.New(&network{Reader: bytes.NewReader(append(handshake(), w.b...))}, guard.Options{
		Media: func(_ guard.Kind, _ uint32, payload []byte) error { order = append(order, string(payload)); return nil },
	})
	mustRead(t, c, len(handshake()))
	engine := guard.NewReader(func(guard.Drop) {})
	var have []byte
	for b := make([]byte, 1); ; { // byte by byte: it asks for no more than it needs
		if _, err := c.Read(b); err != nil {
			break
		}
		rest, m, err := engine.Next(append(have, b...))
		if err != nil {
			t.Fatal(err)
		}
		if have = slices.Clone(rest); m != nil {
			order = append(order, values(t, *m)[0].Text)
		}
	}
	want := []string{"connect", "createStream", "publish", "x", "closeStream", "deleteStream", "createStream", "publish", "y"}
	if !slices.Equal(order, want) {
		t.Errorf("the order was %q, want %q", order, want)
	}
}

// What Media objects to ends the connection, and Media may use it meanwhile.
func TestMediaEnds(t *testing.T) {
	objection := errors.New("not in my room")
	n := &network{Reader: bytes.NewReader(append(handshake(), publisher().message(a, 1, 1, "x").message(a, 2, 1, "y").b...))}
	var c *guard.Conn
	calls := 0
	c = guard.New(n, guard.Options{Media: func(guard.Kind, uint32, []byte) error {
		calls++
		mustWrite(t, c, handshake())
		return objection
	}})
	if _, err := io.ReadAll(c); !errors.Is(err, objection) || !errors.Is(c.Err(), objection) || calls != 1 {
		t.Errorf("Read = %v, Err = %v after %d calls, want %v after 1", err, c.Err(), calls, objection)
	}
}

func TestErrorsOfTheNetwork(t *testing.T) {
	cut := errors.New("cable cut")
	for name, r := range map[string]io.Reader{
		"at once":      iotest.ErrReader(cut),
		"in handshake": io.MultiReader(bytes.NewReader(handshake()[:100]), iotest.ErrReader(cut)),
		"in a chunk":   io.MultiReader(bytes.NewReader(handshake()), strings.NewReader("\x03\x00"), iotest.ErrReader(cut)),
	} {
		c := guard.New(&network{Reader: r}, guard.Options{})
		if _, err := io.ReadAll(c); !errors.Is(err, cut) || c.Err() != nil {
			t.Errorf("%s: %v, Err = %v, want %v, and it is no fault of the protocol", name, err, c.Err(), cut)
		}
	}
	c := guard.New(&brokenWriter{Reader: bytes.NewReader(append(handshake(), newWire().connect().command(0, text("FCPublish"), number(2)).b...)), err: cut}, guard.Options{})
	if _, err := io.ReadAll(c); !errors.Is(err, cut) {
		t.Errorf("answering on a broken connection: %v, want %v", err, cut)
	}
	mustWrite(t, c, handshake())
	if _, err := c.Write(connectResult("_result").b); !errors.Is(err, cut) {
		t.Errorf("Write on a broken connection: %v, want %v", err, cut)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close of a broken connection: %v", err)
	}
	c = guard.New(&network{}, guard.Options{})
	if _, err := c.Write(append(handshake(), 0xc4)); !errors.Is(err, guard.ErrNoHeader) {
		t.Errorf("nonsense of the engine: %v, want %v", err, guard.ErrNoHeader)
	}
}

type brokenWriter struct {
	io.Reader
	err error
}

func (b *brokenWriter) Write([]byte) (int, error) { return 0, b.err }
func (b *brokenWriter) Close() error              { return nil }

// gate gives its reader one piece after another, as they are let in.
type gate struct {
	pieces chan []byte
	have   []byte
	network
}

func (g *gate) Read(p []byte) (int, error) {
	if len(g.have) == 0 {
		var ok bool
		if g.have, ok = <-g.pieces; !ok {
			return 0, io.EOF
		}
	}
	n := copy(p, g.have)
	g.have = g.have[n:]
	return n, nil
}

// L24: pings are answered both ways, and tell the round trip.
func TestL24RoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{pieces: make(chan []byte)}
		c := guard.New(g, guard.Options{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(io.Discard, c) // until the client goes
		}()
		pong := func(token byte) {
			g.pieces <- newWire().message(guard.KindUserControl, 0, 0, "\x00\x07\x00\x00\x00"+string([]byte{token})).b
			synctest.Wait()
		}
		g.pieces <- append(handshake(), newWire().connect().b...)
		synctest.Wait()
		mustWrite(t, c, handshake())
		mustWrite(t, c, connectResult("_result").b) // with a ping behind it
		if d, ok := c.RTT(); ok {
			t.Errorf("RTT before any answer = %v", d)
		}
		<-time.After(30 * time.Millisecond)
		pong(9)
		if d, ok := c.RTT(); ok {
			t.Errorf("RTT after an answer to no ping = %v", d)
		}
		if c.Answered() {
			t.Error("answered before the answer")
		}
		pong(1)
		if !c.Answered() {
			t.Error("not answered after the answer")
		}
		if d, ok := c.RTT(); !ok || d != 30*time.Millisecond {
			t.Errorf("RTT = %v, %v, want 30ms", d, ok)
		}
		<-time.After(time.Second)
		pong(1) // again
		if err := c.Ping(); err != nil {
			t.Error(err)
		}
		<-time.After(70 * time.Millisecond)
		if d, _ := c.RTT(); d != 30*time.Millisecond {
			t.Errorf("RTT = %v, want still 30ms", d)
		}
		pong(2)
		if d, _ := c.RTT(); d != 70*time.Millisecond {
			t.Errorf("RTT = %v, want 70ms", d)
		}
		close(g.pieces)
		<-done
	})
}

func mustRead(t *testing.T, r io.Reader, n int) {
	t.Helper()
	if _, err := io.ReadFull(r, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t *testing.T, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
}

// Before each read of a publisher's bytes the guard tells how many it lacks at least.
func TestAwait(t *testing.T) {
	w := publisher().chunkSize(4096)
	before := len(w.b)
	w.message(guard.KindVideo, 40, 1, "\x27\x01\x00\x00\x00"+strings.Repeat("v", 995)) // 12 bytes of header, 1000 of payload
	w.message(guard.KindAudio, 40, 1, "\xaf\x01aaaa")
	client := append(handshake(), w.b...)
	cuts := []int{ // how much of the video and what follows has come
		0, 6, 12, 12 + 400, 12 + 1000, 12 + 1000 + 5, len(w.b) - before,
	}
	want := []int{0, 1, 1000, 600, 0, 1, 0}
	var pieces []io.Reader
	last := 0
	for _, cut := range cuts {
		next := len(handshake()) + before + cut
		pieces = append(pieces, bytes.NewReader(client[last:next]))
		last = next
	}
	var got []int
	c := guard.New(&network{Reader: io.MultiReader(pieces...)}, guard.Options{
		Await: func(missing int) { got = append(got, missing) },
		Now:   late(),
	})
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	got = slices.Compact(got)
	if !slices.Equal(got, slices.Compact(want)) {
		t.Errorf("awaited %v, want %v", got, want)
	}
}

// late is a clock that jumps, so that no answer to a ping is waited for.
func late() func() time.Time {
	at := time.Unix(0, 0)
	return func() time.Time { at = at.Add(time.Minute); return at }
}
