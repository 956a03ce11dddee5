package mpegts

import (
	"fmt"
	"slices"

	"barrage/packager/media"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// Limits of the ADTS header (14496-3, 1.A.2.2).
const (
	adtsHeader = 7
	adtsLimit  = 1<<13 - 1 // aac_frame_length, header included
)

// adts puts the header of an Audio Data Transport Stream before access units of AAC.
type adts struct {
	scale int64
	unit  int64 // ticks of the track in an access unit
	head  [adtsHeader]byte
}

// newADTS reads an AudioSpecificConfig. What ADTS has no word for is an error: a
// channel layout of its own, a sampling rate beyond the table, frames of 960 samples.
// SBR and PS it does not mention either; decoders find them in the stream (1.6.6).
func newADTS(t media.Track) (*adts, error) {
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(t.Config); err != nil {
		return nil, fmt.Errorf("transport stream of aac: %w", err)
	}
	rates := []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	index := slices.Index(rates, c.SampleRate)
	if index < 0 || c.ChannelConfig < 1 || c.ChannelConfig > 7 || c.FrameLengthFlag || t.TimeScale == 0 {
		return nil, fmt.Errorf("transport stream of aac: ADTS has no header for %d Hz, channel configuration %d, short frames %t, time scale %d",
			c.SampleRate, c.ChannelConfig, c.FrameLengthFlag, t.TimeScale)
	}
	const (
		mpeg4NoCRC  = 0xf1
		lowProfile  = byte(mpeg4audio.ObjectTypeAACLC-1) << 6
		bufferFull  = 0x7ff // variable rate
		coreSamples = 1024
	)
	channels := c.ChannelConfig
	return &adts{
		scale: int64(t.TimeScale), unit: coreSamples * int64(t.TimeScale) / int64(c.SampleRate),
		head: [adtsHeader]byte{0xff, mpeg4NoCRC, lowProfile | byte(index)<<2 | channels>>2, channels << 6, 0, bufferFull >> 6, bufferFull & 0x3f << 2},
	}, nil
}

// fits says that ADTS can hold the sample. Six channels of AAC need 4608 bytes at most.
func fits(s *media.Sample) bool { return len(s.Data) <= adtsLimit-adtsHeader }

// write gives an access unit behind its header to w.
func (a *adts) write(w *packets, s *media.Sample) {
	head, n := a.head, len(s.Data)+adtsHeader
	head[3] |= byte(n >> 11)
	head[4] = byte(n >> 3)
	head[5] |= byte(n << 5)
	w.bytes(head[:])
	w.bytes(s.Data)
}
