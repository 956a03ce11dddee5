package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"barrage/ingest/flv"
	"barrage/packager/media"
)

// publication is one publisher's hold on one room. All but done and monitor
// belongs to the read goroutine of its connection.
type publication struct {
	room    string
	stream  uint32 // message stream
	conn    *conn
	server  *Server
	log     *slog.Logger
	sink    Sink
	start   time.Time
	monitor *monitor
	clock   clock
	tracks  tracks
	scratch []byte       // the body of the message at hand
	packets []flv.Packet // of that message
	bytes   int64
	samples int64

	before *publication  // whom it waits for; guarded by rooms.mu
	done   chan struct{} // closed by rooms.release
}

func newPublication(room string, s *session) *publication {
	now := s.server.now()
	return &publication{
		room: room, conn: s.conn, server: s.server, log: s.log.With("room", room), start: now,
		monitor: newMonitor(now, s.conn.remote.Addr().String(), s.client), done: make(chan struct{}),
	}
}

func (p *publication) released() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Bounds of one message.
const (
	maxVideoMessage = 8 << 20
	maxAudioMessage = 1 << 20
	// A scratch buffer that one big picture left is not kept.
	maxScratch = 1 << 20
)

// errTooLong ends a publisher whose message is larger than any picture.
var errTooLong = errors.New("message too long")

// message takes in one audio or video message. Its error ends the connection
// and is shown to the anchor.
func (p *publication) message(kind media.Kind, timestamp uint32, payload io.Reader) error {
	limit := maxVideoMessage
	if kind == media.Audio {
		limit = maxAudioMessage
	}
	body, err := p.read(payload, limit)
	if err != nil {
		return fmt.Errorf("%s of more than %d bytes: %w", kind, limit, err)
	}
	now := p.server.now()
	p.bytes += int64(len(body))
	if rate, limit := p.monitor.received(now, len(body)), p.server.config.MaxBitrate; limit > 0 && rate > limit {
		return fmt.Errorf("%d kb/s are more than this server takes, %d: lower the encoder's bitrate", rate/1000, limit/1000)
	}
	return p.media(kind, timestamp, body)
}

// read drains payload into the scratch buffer, which go-rtmp requires before the
// handler returns. The result is good until the next call.
func (p *publication) read(payload io.Reader, limit int) ([]byte, error) {
	if cap(p.scratch) > maxScratch {
		p.scratch = nil
	}
	b := bytes.NewBuffer(p.scratch[:0])
	n, err := b.ReadFrom(io.LimitReader(payload, int64(limit)+1))
	p.scratch = b.Bytes()
	if n > int64(limit) {
		return nil, errTooLong
	}
	return p.scratch, err
}

func (p *publication) drop(reason string) { p.server.metrics.dropped.WithLabelValues(reason).Inc() }

// write hands a sample on.
func (p *publication) write(s media.Sample) error {
	gop := p.monitor.sample(p.server.now(), s)
	if gop > gopWarning && !p.tracks.warned {
		p.tracks.warned = true
		p.log.Warn("keyframe interval too long", "gap", gop, "hint", "set the encoder's keyframe interval to 2 s: viewers wait as long as it is")
	}
	if err := p.sink.WriteSample(s); err != nil {
		return err
	}
	p.samples++
	p.server.metrics.samples.WithLabelValues(s.Kind.String()).Inc()
	return nil
}

// metadata reads onMetaData: promises only, so an odd one is no fault.
func (p *publication) metadata(payload []byte) {
	m, err := flv.ParseMetadata(payload)
	if err != nil {
		p.drop(dropMalformed)
	}
	p.tracks.meta = m
	p.monitor.promise(m.Encoder, m.VideoBitrate+m.AudioBitrate)
	if m.Video {
		p.sink.Expect(media.Video)
	}
	if m.Audio {
		p.sink.Expect(media.Audio)
	}
}
