package ingest

import (
	"fmt"
	"log/slog"
	"time"

	"barrage/ingest/flv"
	"barrage/ingest/guard"
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
	monitor *monitor
	clock   clock
	tracks  tracks
	lookout lookout
	packets []flv.Packet // of the message at hand
	now     time.Time    // when that came
	bytes   int64
	samples int64

	before *publication  // whom it waits for; guarded by rooms.mu
	done   chan struct{} // closed by rooms.release
}

func newPublication(room string, s *session) *publication {
	now := s.server.now()
	return &publication{
		room: room, conn: s.conn, server: s.server, log: s.log.With("room", room), lookout: lookout{line: s.guard, pinged: now},
		monitor: newMonitor(now, s.conn.remote.Addr().String(), s.client, s.server.config.MaxBitrate), done: make(chan struct{}),
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

// message takes in one audio or video message. Its error ends the connection
// and is shown to the anchor.
func (p *publication) message(kind guard.Kind, timestamp uint32, body []byte) error {
	p.now = p.server.now()
	p.bytes += int64(len(body))
	if rate, limit := p.monitor.received(p.now, len(body)), p.server.config.MaxBitrate; limit > 0 && rate > limit {
		return fmt.Errorf("%d kb/s are more than this server takes, %d: lower the encoder's bitrate", rate/1000, limit/1000)
	}
	p.lookOut(p.now)
	if kind == guard.KindAudio {
		return p.media(media.Audio, timestamp, body)
	}
	return p.media(media.Video, timestamp, body)
}

func (p *publication) drop(reason string) { p.server.metrics.dropped.WithLabelValues(reason).Inc() }

// write hands a sample on.
func (p *publication) write(s media.Sample) error {
	p.monitor.sample(p.now, s)
	if err := p.sink.WriteSample(s); err != nil {
		return err
	}
	p.samples++
	if s.Kind == media.Audio {
		p.server.metrics.audio.Inc()
	} else {
		p.server.metrics.video.Inc()
	}
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
