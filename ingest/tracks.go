package ingest

import (
	"bytes"
	"errors"
	"fmt"

	"barrage/ingest/flv"
	"barrage/packager/media"
)

// tracks is what the encoder said about its tracks so far.
type tracks struct {
	video, audio track
	meta         flv.Metadata
}

// track is the main track of its kind. There is one once config is set.
type track struct {
	codec  media.Codec
	header []byte // configuration record as the encoder last sent it
	config []byte // in force: the header's, or what the bitstream says instead
	extra  bool   // reported that there are others
	reach  bool   // reported that not every player has the codec
}

func (t *tracks) of(k media.Kind) *track {
	if k == media.Audio {
		return &t.audio
	}
	return &t.video
}

// media takes in the body of one audio or video message.
func (p *publication) media(kind media.Kind, timestamp uint32, body []byte) (err error) {
	parse := flv.AppendVideo
	if kind == media.Audio {
		parse = flv.AppendAudio
	}
	if p.packets, err = parse(p.packets[:0], body); err != nil {
		return p.odd(err)
	}
	defer clear(p.packets) // they point into a buffer that is not ours to keep
	for _, k := range p.packets {
		if err = p.packet(kind, timestamp, k); err != nil {
			return err
		}
	}
	return nil
}

// packet takes in what a message carries for one track. A codec we do not carry
// ends the publishing with its name; what else makes no sense is only dropped.
func (p *publication) packet(kind media.Kind, timestamp uint32, k flv.Packet) error {
	switch {
	case k.Type != flv.Config && k.Type != flv.Frame:
		return nil
	case k.Track != 0:
		p.leave(kind, k)
		return nil
	case k.Codec == 0:
		return &flv.UnsupportedError{Kind: kind, Codec: k.Name}
	case len(k.Data) == 0:
		p.drop(dropEmpty)
		return nil
	case k.Codec == media.MP3:
		return p.mp3(timestamp, k)
	case k.Type == flv.Config:
		return p.header(kind, k)
	case kind == media.Audio:
		return p.unit(timestamp, k)
	}
	return p.picture(timestamp, k)
}

// leave counts what belongs to a further track, and says so once for its kind.
func (p *publication) leave(kind media.Kind, k flv.Packet) {
	p.drop(dropTrack)
	t := p.tracks.of(kind)
	if t.extra {
		return
	}
	t.extra = true
	p.log.Warn("further track not played", "media", kind.String(), "track", int(k.Track), "codec", k.Name,
		"hint", "of several tracks of a kind only the first is played: the others cost the encoder's upload for nothing")
}

// header takes in a configuration record. Many encoders repeat it with every
// sync sample; only a change of bytes is a change.
func (p *publication) header(kind media.Kind, k flv.Packet) error {
	t := p.tracks.of(kind)
	if t.codec == k.Codec && bytes.Equal(t.header, k.Data) {
		return nil
	}
	config := bytes.Clone(k.Data)
	if kind == media.Audio {
		described, err := flv.AACTrack(config)
		if err != nil {
			return err
		}
		return p.announce(t, described, config)
	}
	r, err := flv.ParseRecord(k.Codec, config)
	if err != nil {
		return err
	}
	if !r.Complete() { // the first sync sample brings what is missing
		if t.codec != k.Codec {
			t.config = nil
		}
		t.codec, t.header = k.Codec, config
		return nil
	}
	described, err := flv.VideoTrack(k.Codec, config)
	if err != nil {
		return err
	}
	return p.announce(t, described, config)
}

// announce puts a track in force. header is the record that says so, nil if the
// bitstream does.
func (p *publication) announce(t *track, described media.Track, header []byte) error {
	p.promise(&described)
	if err := p.sink.SetTrack(described); err != nil {
		return err
	}
	t.codec, t.config = described.Codec, described.Config
	if header != nil {
		t.header = header
	}
	p.monitor.setTrack(described)
	p.log.Info("track", "media", described.Kind.String(), "codec", described.Codec.String(), "config", describe(described))
	if hint := reach(described.Codec); hint != "" && !t.reach {
		t.reach = true
		p.log.Warn("codec that not every player has", "media", described.Kind.String(), "codec", described.Codec.String(), "hint", hint)
	}
	return nil
}

// reach tells the anchor whom a codec shuts out, if anybody.
func reach(c media.Codec) string {
	switch c {
	case media.MP3:
		return "browsers leave it out beside a picture, and Chrome plays none at all: set the encoder to AAC"
	case media.HEVC:
		return "browsers without a hardware decoder show nothing: set the encoder to H.264 to reach everybody"
	default:
		return ""
	}
}

func (p *publication) picture(timestamp uint32, k flv.Packet) error {
	t := &p.tracks.video
	au, err := flv.Inspect(k.Codec, k.Data)
	switch {
	case err != nil:
		return p.odd(err)
	case !au.Picture:
		p.drop(dropEmpty)
		return nil
	}
	if au.Sync && au.Sets {
		if err = p.inBand(t, k); err != nil {
			return err
		}
	}
	if t.config == nil || t.codec != k.Codec {
		p.drop(dropNoConfig)
		return nil
	}
	return p.write(media.Sample{
		Kind: media.Video, Track: k.Track, Sync: au.Sync, Leading: au.Leading,
		DTS: p.clock.next(timestamp), CTS: k.CTS, Data: bytes.Clone(k.Data),
	})
}

// inBand follows the parameter sets in front of a sync sample. Ones that make no
// sense change nothing: the picture may be good with what is in force.
func (p *publication) inBand(t *track, k flv.Packet) error {
	have := t.config
	if t.codec != k.Codec {
		have = nil
	}
	config, err := flv.InBand(k.Codec, have, k.Data)
	if err == nil && len(config) == len(have) && bytes.Equal(config, have) {
		return nil
	}
	var described media.Track
	if err == nil {
		described, err = flv.VideoTrack(k.Codec, config)
	}
	if err != nil {
		return p.odd(err)
	}
	return p.announce(t, described, nil)
}

func (p *publication) unit(timestamp uint32, k flv.Packet) error {
	t := &p.tracks.audio
	if t.config == nil || t.codec != k.Codec {
		p.drop(dropNoConfig)
		return nil
	}
	return p.write(media.Sample{
		Kind: media.Audio, Track: k.Track, Sync: true, DTS: p.clock.next(timestamp), Data: bytes.Clone(k.Data),
	})
}

// mp3 takes in the frames of one message. They describe themselves.
func (p *publication) mp3(timestamp uint32, k flv.Packet) error {
	if k.Type != flv.Frame {
		return nil
	}
	t := &p.tracks.audio
	at, rest := p.clock.next(timestamp), k.Data
	for played := int64(0); len(rest) > 0; {
		var frame []byte
		var f flv.MP3Frame
		var err error
		if f, frame, rest, err = flv.CutMP3(rest); err != nil {
			return p.odd(err)
		}
		if t.codec != media.MP3 || !f.Is(t.config) {
			if err = p.announce(t, f.Track(), nil); err != nil {
				return err
			}
		}
		err = p.write(media.Sample{
			Kind: media.Audio, Track: k.Track, Sync: true, DTS: at + played*flv.TimeScale/int64(f.SampleRate), Data: bytes.Clone(frame),
		})
		if err != nil {
			return err
		}
		played += int64(f.Samples)
	}
	return nil
}

// odd drops what cannot be read, unless it is of a codec that is not carried.
func (p *publication) odd(err error) error {
	var unsupported *flv.UnsupportedError
	if errors.As(err, &unsupported) {
		return err
	}
	p.drop(dropMalformed)
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
