package guard

import (
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"barrage/ingest/amf0"
)

// connect is what the answer to a connect command depends on.
type connect struct {
	transaction float64
	fourCC      bool // it named codecs by FourCC
	infoMaps    bool // or with what it does with each
	capsEx      bool
}

// Transactions towards the engine that no client can have.
const hiddenTransaction = -1

// call is a command as it came.
type call struct {
	name        string
	transaction float64
	args        []amf0.Value // the first is the command object
	stream      uint32
}

func (c *call) arg(i int) amf0.Value {
	if i < len(c.args) {
		return c.args[i]
	}
	return amf0.Value{Kind: amf0.Undefined}
}

// payload strips what AMF 3 messages put before their AMF 0: a zero byte.
func payload(kind Kind, b []byte) []byte {
	if (kind == KindCommandAMF3 || kind == KindDataAMF3) && len(b) > 0 && b[0] == 0 {
		return b[1:]
	}
	return b
}

// The commands that are understood; the rest is dropped unread.
const (
	callConnect       = "connect"
	callCreateStream  = "createStream"
	callDeleteStream  = "deleteStream"
	callCloseStream   = "closeStream"
	callReleaseStream = "releaseStream"
	callPublish       = "publish"
	callPlay          = "play"
	callFCPublish     = "FCPublish"
	callFCUnpublish   = "FCUnpublish"
)

func understood(name string) bool {
	switch name {
	case callConnect, callCreateStream, callDeleteStream, callCloseStream, callReleaseStream,
		callPublish, callPlay, callFCPublish, callFCUnpublish:
		return true
	}
	return false
}

// parseCall reads a command. ok is false for one that is not understood.
func parseCall(m *Message) (c *call, ok bool, err error) {
	r := amf0.NewReader(payload(m.Kind, m.Payload))
	name, err := r.Next()
	if err != nil || name.Kind != amf0.String || !understood(name.Text) {
		return nil, false, nil //nolint:nilerr // what has no readable name is one more unknown command
	}
	c = &call{name: name.Text, stream: m.Stream}
	for first := true; ; first = false {
		v, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return c, true, nil
		case err != nil:
			return nil, false, err
		case first && v.Kind == amf0.Number:
			c.transaction = v.Number
		default:
			c.args = append(c.args, v)
		}
	}
}

// command passes a command on, or answers it.
func (in *inbound) command(m *Message) error {
	c, ok, err := parseCall(m)
	if err != nil {
		return err
	}
	if !ok || (c.name == callConnect) == (in.connect != nil) {
		in.dropped(DropUnknown) // also a second connect, and anything before the first
		return nil
	}
	switch c.name {
	case callConnect:
		in.open(c)
	case callCreateStream:
		in.create(whole(c.transaction))
	case callReleaseStream, callFCPublish:
		// The engine stays silent on these; FMLE waits for an answer.
		in.answer = appendResult(in.answer, c.transaction)
	case callPublish:
		in.publish(c)
	case callPlay:
		in.call(in.target(c.stream), callPlay, whole(c.transaction), text(c.arg(1)), number(-2))
	case callFCUnpublish:
		in.engine = 0
		in.call(0, callFCUnpublish, whole(c.transaction), text(c.arg(1)))
	case callCloseStream:
		if s := in.engine; s != 0 {
			in.engine = 0
			in.call(s, callCloseStream, 0)
		}
	case callDeleteStream:
		in.delete(c)
	}
	return nil
}

// open writes connect with what the engine needs of it and no more.
func (in *inbound) open(c *call) {
	o := c.arg(0)
	in.connect = &connect{
		transaction: c.transaction, fourCC: has(o, "fourCcList"), capsEx: has(o, "capsEx"),
		infoMaps: has(o, "videoFourCcInfoMap") || has(o, "audioFourCcInfoMap"),
	}
	var members []amf0.Member
	for _, name := range []string{"app", "flashVer", "tcUrl"} {
		members = append(members, amf0.Member{Name: name, Value: text(o.Member(name))})
	}
	b := amf0.AppendString(nil, callConnect)
	b = amf0.AppendNumber(b, 1) // "always set to 1" (7.2.1.1), and the engine answers 1
	in.send(0, amf0.AppendObject(b, members))
}

func has(o amf0.Value, name string) bool {
	k := o.Member(name).Kind
	return k != amf0.Undefined && k != amf0.Null
}

// maxText bounds every text that is passed on: the engine knows no long strings.
const maxText = 4 << 10

// create makes a stream of the engine and returns its number, 0 when there is
// no room: the engine then says so to the client.
func (in *inbound) create(transaction float64) uint32 {
	in.call(0, callCreateStream, transaction)
	for i := uint32(1); i < MessageStreams; i++ {
		if s := &in.streams[i]; !s.made {
			*s = streamState{made: true}
			return i
		}
	}
	return 0
}

// target finds the engine's stream for what the client sent on stream: that one
// if it exists, else any; one is made for a client that never asked for any.
func (in *inbound) target(stream uint32) uint32 {
	if stream > 0 && stream < MessageStreams && in.streams[stream].made {
		return stream
	}
	for i, s := range in.streams {
		if s.made {
			return uint32(i)
		}
	}
	return in.create(hiddenTransaction)
}

// publish passes the command on, on a stream where the engine hears it.
func (in *inbound) publish(c *call) {
	s := in.target(c.stream)
	if in.streams[s].used && in.engine != 0 {
		in.dropped(DropUnknown) // it is publishing on it already
		return
	}
	if in.streams[s].used {
		in.forget(s)
		s = in.create(hiddenTransaction)
	}
	in.streams[s].used = true
	in.engine, in.client = s, c.stream
	mode := text(c.arg(2))
	if mode.Text == "" {
		mode.Text = "live" // optional: Extron leaves it out
	}
	in.call(s, callPublish, whole(c.transaction), text(c.arg(1)), mode)
}

// delete passes deleteStream on for a stream that exists. GStreamer names it as
// text.
func (in *inbound) delete(c *call) {
	s := uint32(0)
	switch v := c.arg(1); v.Kind {
	case amf0.Number:
		s = streamNumber(v.Number)
	case amf0.String:
		n, _ := strconv.ParseFloat(v.Text, 64) // what is no number is no stream
		s = streamNumber(n)
	default:
	}
	if s == 0 || !in.streams[s].made {
		s = in.engine
	}
	if s == 0 {
		in.dropped(DropUnknown)
		return
	}
	if s == in.engine {
		in.engine = 0
	}
	in.forget(s)
}

func (in *inbound) forget(s uint32) {
	in.streams[s] = streamState{}
	in.call(0, callDeleteStream, 0, number(float64(s)))
}

func streamNumber(v float64) uint32 {
	if v >= 1 && v < MessageStreams {
		return uint32(v)
	}
	return 0
}

func number(v float64) amf0.Value { return amf0.Value{Kind: amf0.Number, Number: v} }

// text makes a string of v that the engine can read.
func text(v amf0.Value) amf0.Value {
	s := v.Text[:min(len(v.Text), maxText)]
	return amf0.Value{Kind: amf0.String, Text: strings.ToValidUTF8(s, "\uFFFD")}
}

// call writes a command for the engine: name, transaction, null, arguments.
func (in *inbound) call(stream uint32, name string, transaction float64, args ...amf0.Value) {
	b := amf0.AppendNull(amf0.AppendNumber(amf0.AppendString(nil, name), transaction))
	for _, a := range args {
		b = amf0.Append(b, a)
	}
	in.send(stream, b)
}

// whole makes a transaction one that survives the engine's int64.
func whole(v float64) float64 {
	if v >= 0 && v < 1<<53 && v == math.Trunc(v) {
		return v
	}
	return 0
}

func (in *inbound) send(stream uint32, b []byte) {
	in.head = appendMessage(in.head, chunkCommand, Header{Kind: KindCommand, Stream: stream}, b)
}

// appendResult answers a command that wants no more than an answer.
func appendResult(dst []byte, transaction float64) []byte {
	b := amf0.AppendNumber(amf0.AppendString(nil, "_result"), transaction)
	return appendMessage(dst, chunkCommand, Header{Kind: KindCommand}, amf0.AppendUndefined(amf0.AppendNull(b)))
}

// Names of data messages.
const (
	setDataFrame = "@setDataFrame"
	onMetaData   = "onMetaData"
)

// data hands metadata on, without what some clients put before it. The rest
// (captions, cue points) has no reader here.
func (in *inbound) data(kind Kind, timestamp uint32, b []byte) error {
	b = payload(kind, b)
	r := amf0.NewReader(b)
	name, err := r.Next()
	if err == nil && name.Text == setDataFrame {
		b = r.Rest()
		name, err = r.Next()
	}
	if err != nil || name.Text != onMetaData {
		in.dropped(DropUnknown)
		return nil //nolint:nilerr // what has no readable name is one more unknown message
	}
	return in.media(KindData, timestamp, b)
}
