package guard

import (
	"encoding/binary"

	"barrage/ingest/amf0"
)

const (
	// ffmpeg mirrors the chunk size it is told: its pushes get eight times faster
	// than with the protocol's 128 bytes.
	serverChunkSize = 65536
	// The window that servers announce. Nobody enforces it.
	serverWindow = 2_500_000

	handshakeSize = 1 + 1536 + 1536 // version, then two blocks, each way
)

// Codecs is what a client of Enhanced RTMP is told about the server.
type Codecs struct {
	Video, Audio []string // FourCCs that are carried
	CapsEx       float64  // bits of Enhanced RTMP v2, capsEx
}

// outbound turns what the engine writes into what the client gets. It does no
// I/O: queue is what to send next.
type outbound struct {
	queue     []byte
	handshake int // bytes of it still to come
	reader    *Reader
	tail      []byte // of the engine's last write, an incomplete chunk header
	begun     bool   // a message was sent
	connected bool   // the connect command was answered
	connect   *connect
	engine    uint32 // stream on which the engine publishes
	client    uint32 // what the client calls it
	codecs    Codecs
}

func newOutbound(codecs Codecs) *outbound {
	return &outbound{handshake: handshakeSize, reader: NewReader(func(Drop) {}), codecs: codecs}
}

// write takes in bytes of the engine. due tells that the queue should be sent
// now; small messages that precede a command wait for it.
func (o *outbound) write(b []byte) (due bool, err error) {
	n := min(o.handshake, len(b))
	o.queue = append(o.queue, b[:n]...)
	o.handshake -= n
	b = b[n:]
	if len(o.tail) > 0 {
		b = append(o.tail, b...)
	}
	for {
		rest, m, err := o.reader.Next(b)
		if err != nil {
			return due, err
		}
		if b = rest; m == nil {
			o.tail = append([]byte(nil), b...)
			return due, nil
		}
		due = o.message(m) || due
	}
}

// message queues one message of the engine and reports whether it is due.
func (o *outbound) message(m *Message) (due bool) {
	switch m.Kind {
	case KindCommand:
		o.begin()
		return o.command(m)
	case KindWindowAckSize:
		o.begin()
		o.control(m.Header, binary.BigEndian.AppendUint32(nil, serverWindow))
	case KindPeerBandwidth, KindUserControl:
		o.begin()
		o.control(m.Header, m.Payload)
	default:
		// Its acknowledgements count canonical bytes, and only a client that asked
		// for some should get any: one that never reads loses the end of its stream
		// when it closes with them unread.
	}
	return false
}

// begin announces the chunk size, once and before everything else.
func (o *outbound) begin() {
	if !o.begun {
		o.begun = true
		o.control(Header{Kind: KindSetChunkSize}, binary.BigEndian.AppendUint32(nil, serverChunkSize))
	}
}

func (o *outbound) control(h Header, payload []byte) {
	h.Timestamp, h.Stream = 0, 0
	o.queue = appendMessage(o.queue, chunkControl, h, payload)
}

// command rewrites the answers that the engine cannot give as they should be.
func (o *outbound) command(m *Message) (due bool) {
	r := amf0.NewReader(m.Payload)
	name, err1 := r.Next()
	transaction, err2 := r.Next()
	body, chunkStream := m.Payload, byte(chunkCommand)
	h := Header{Kind: KindCommand, Stream: m.Stream}
	switch {
	case err1 != nil || err2 != nil: // as it is
	case name.Text == "onStatus":
		chunkStream = chunkStatus
		if o.engine != 0 && h.Stream == o.engine {
			h.Stream = o.client
		}
	case transaction.Number == hiddenTransaction:
		return false
	case !o.connected && o.connect != nil && transaction.Number == 1:
		o.connected = true
		body = o.connectResult(name.Text, r)
	}
	o.queue = appendMessage(o.queue, chunkStream, h, body)
	return true
}

// connectResult answers connect: with the client's transaction, AMF 0, and to a
// client of Enhanced RTMP with the codecs.
func (o *outbound) connectResult(name string, r *amf0.Reader) []byte {
	b := amf0.AppendNumber(amf0.AppendString(nil, name), o.connect.transaction)
	for i := 0; ; i++ {
		v, err := r.Next()
		if err != nil {
			return b
		}
		if i == 1 { // the information object
			v.Members = append(v.Members, o.information()...)
		}
		b = amf0.Append(b, v)
	}
}

func (o *outbound) information() []amf0.Member {
	members := []amf0.Member{{Name: "objectEncoding", Value: number(0)}}
	if o.connect.fourCC {
		list := amf0.Value{Kind: amf0.List}
		for _, codecs := range [][]string{o.codecs.Video, o.codecs.Audio} {
			for _, c := range codecs {
				list.Members = append(list.Members, amf0.Member{Value: amf0.Value{Kind: amf0.String, Text: c}})
			}
		}
		members = append(members, amf0.Member{Name: "fourCcList", Value: list})
	}
	if o.connect.infoMaps {
		members = append(members,
			amf0.Member{Name: "videoFourCcInfoMap", Value: infoMap(o.codecs.Video)},
			amf0.Member{Name: "audioFourCcInfoMap", Value: infoMap(o.codecs.Audio)})
	}
	if o.connect.capsEx {
		members = append(members, amf0.Member{Name: "capsEx", Value: number(o.codecs.CapsEx)})
	}
	return members
}

// canForward is FourCcInfoMask.CanForward of Enhanced RTMP v2.
const canForward = 4

func infoMap(codecs []string) amf0.Value {
	v := amf0.Value{Kind: amf0.Object}
	for _, c := range codecs {
		v.Members = append(v.Members, amf0.Member{Name: c, Value: number(canForward)})
	}
	return v
}
