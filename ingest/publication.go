package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

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
	monitor *monitor
	clock   clock
	tracks  tracks
	lookout lookout
	bytes   int64
	samples int64

	before *publication  // whom it waits for; guarded by rooms.mu
	done   chan struct{} // closed by rooms.release
}

// tracks is what the encoder said about its tracks so far.
type tracks struct {
	video, audio []byte // decoder configuration in force
	meta         flv.Metadata
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

// minScratch is the first size of a buffer for the message at hand.
const minScratch = 4 << 10

// message takes in one audio or video message. Its error ends the connection
// and is shown to the anchor.
func (p *publication) message(kind media.Kind, timestamp uint32, payload io.Reader) error {
	scratch := p.server.buffers.Take()
	defer p.server.buffers.GiveBack(scratch)
	body, err := drain(scratch, payload)
	if err != nil {
		return fmt.Errorf("read %s: %w", kind, err)
	}
	now := p.server.now()
	p.bytes += int64(len(body))
	if rate, limit := p.monitor.received(now, len(body)), p.server.config.MaxBitrate; limit > 0 && rate > limit {
		return fmt.Errorf("%d kb/s are more than this server takes, %d: lower the encoder's bitrate", rate/1000, limit/1000)
	}
	p.lookOut(now)
	if kind == media.Audio {
		return p.audio(timestamp, body)
	}
	return p.video(timestamp, body)
}

// drain reads payload to its end, which go-rtmp requires before the handler
// returns. The result lies in scratch, which grows to hold it.
func drain(scratch *[]byte, payload io.Reader) ([]byte, error) {
	b := (*scratch)[:0]
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, max(len(b), minScratch))
		}
		n, err := payload.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			*scratch = b
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return b, err
		}
	}
}

func (p *publication) video(timestamp uint32, body []byte) error {
	v, err := flv.ParseVideo(body)
	switch {
	case err != nil:
		return p.odd(err)
	case v.Track != 0:
		p.drop(dropTrack)
		return nil
	}
	switch v.Packet {
	case flv.Config:
		return p.setTrack(&p.tracks.video, v.Data, flv.VideoTrack)
	case flv.Frame:
		return p.picture(timestamp, v)
	default:
		return nil
	}
}

func (p *publication) picture(timestamp uint32, v flv.Video) error {
	if p.tracks.video == nil {
		p.drop(dropNoConfig)
		return nil
	}
	au, err := flv.InspectAVC(v.Data)
	if err != nil {
		return p.odd(err)
	}
	if !au.Picture {
		p.drop(dropEmpty)
		return nil
	}
	return p.write(media.Sample{
		Kind: media.Video, Sync: au.Sync, DTS: p.clock.next(timestamp), CTS: v.CTS, Data: bytes.Clone(v.Data),
	})
}

func (p *publication) audio(timestamp uint32, body []byte) error {
	a, err := flv.ParseAudio(body)
	switch {
	case err != nil:
		return p.odd(err)
	case a.Track != 0:
		p.drop(dropTrack)
		return nil
	}
	switch {
	case a.Packet == flv.Config:
		return p.setTrack(&p.tracks.audio, a.Data, flv.AudioTrack)
	case a.Packet != flv.Frame:
	case p.tracks.audio == nil:
		p.drop(dropNoConfig)
	case len(a.Data) == 0:
		p.drop(dropEmpty)
	default:
		return p.write(media.Sample{
			Kind: media.Audio, Sync: true, DTS: p.clock.next(timestamp), Data: bytes.Clone(a.Data),
		})
	}
	return nil
}

// odd decides about a message that could not be read: a codec we do not carry
// ends the publishing with its name, anything else is only dropped.
func (p *publication) odd(err error) error {
	var unsupported *flv.UnsupportedError
	if errors.As(err, &unsupported) {
		return err
	}
	p.drop(dropMalformed)
	return nil
}

func (p *publication) drop(reason string) { p.server.metrics.dropped.WithLabelValues(reason).Inc() }

// setTrack announces a track when its configuration is new. Many encoders repeat
// it with every sync sample; only a change of bytes is a change.
func (p *publication) setTrack(have *[]byte, config []byte, parse func([]byte) (media.Track, error)) error {
	if len(config) == 0 {
		p.drop(dropEmpty)
		return nil
	}
	if bytes.Equal(*have, config) {
		return nil
	}
	config = bytes.Clone(config)
	t, err := parse(config)
	if err != nil {
		return err
	}
	p.promise(&t)
	if err = p.sink.SetTrack(t); err != nil {
		return err
	}
	*have = config
	p.monitor.setTrack(t)
	p.log.Info("track", "media", t.Kind.String(), "codec", t.Codec.String(), "config", describe(t))
	return nil
}

// promise fills in what only onMetaData says.
func (p *publication) promise(t *media.Track) {
	if t.Kind == media.Audio {
		t.Bitrate = p.tracks.meta.AudioBitrate
		return
	}
	t.Bitrate = p.tracks.meta.VideoBitrate
	if t.FrameRate == 0 {
		t.FrameRate = p.tracks.meta.FrameRate
	}
}

func describe(t media.Track) string {
	if t.Kind == media.Audio {
		return fmt.Sprintf("%d Hz, %d channels", t.SampleRate, t.Channels)
	}
	return fmt.Sprintf("%dx%d, %g fps", t.Width, t.Height, t.FrameRate)
}

// write hands a sample on.
func (p *publication) write(s media.Sample) error {
	p.monitor.sample(p.server.now(), s)
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
