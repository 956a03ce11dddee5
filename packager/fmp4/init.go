package fmp4

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	mc "github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"

	"barrage/packager/media"
)

// sampleEntry is how a codec appears in the init section.
type sampleEntry struct {
	codec  codecs.Codec // what mediacommon is told
	name   string       // type of the sample entry box
	header int          // its bytes before the first child box, box header included
	config []byte       // its child boxes, as we want them
}

// AppendInit appends the initialization section of a track: ftyp and moov, with
// the times of the track in t.TimeScale and t.Config byte for byte.
func AppendInit(dst []byte, t media.Track) ([]byte, error) {
	if t.TimeScale == 0 {
		return dst, fmt.Errorf("init section of the %v track: no time scale", t.Kind)
	}
	entry, err := describe(t)
	if err != nil {
		return dst, fmt.Errorf("init section of the %v track: %w", t.Kind, err)
	}
	var buf seekablebuffer.Buffer
	init := mc.Init{Tracks: []*mc.InitTrack{{ID: trackID, TimeScale: t.TimeScale, Codec: entry.codec}}}
	if err = init.Marshal(&buf); err != nil {
		return dst, fmt.Errorf("init section of the %v track: %w", t.Kind, err)
	}
	moov, err := replaceConfig(skipBox(buf.Bytes()), entry)
	if err != nil {
		return dst, fmt.Errorf("init section of the %v track: %w", t.Kind, err)
	}
	return append(appendFtyp(dst), moov...), nil
}

func describe(t media.Track) (sampleEntry, error) {
	switch t.Codec {
	case media.H264:
		return describeH264(t)
	case media.AAC:
		return describeAAC(t)
	case media.HEVC:
		return describeHEVC(t)
	case media.MP3:
		return describeMP3(t)
	}
	return sampleEntry{}, fmt.Errorf("no sample entry for %v", t.Codec)
}

func describeH264(t media.Track) (sampleEntry, error) {
	c, err := parseAVCConfig(t.Config)
	if err != nil {
		return sampleEntry{}, err
	}
	var sps h264.SPS
	if err = sps.Unmarshal(c.sps[0]); err != nil {
		return sampleEntry{}, fmt.Errorf("parse SPS: %w", err)
	}
	if err = checkPicture(sps.Width(), sps.Height()); err != nil {
		return sampleEntry{}, err
	}
	config := appendHeader(nil, boxHeader+len(t.Config), "avcC")
	config = append(config, t.Config...)
	return sampleEntry{
		codec:  &codecs.H264{SPS: c.sps[0], PPS: c.pps[0]},
		name:   "avc1",
		header: boxHeader + 78, // VisualSampleEntry, 12.1.3.2
		config: appendBitrate(config, t.Bitrate),
	}, nil
}

func checkPicture(width, height int) error {
	const limit = 1<<16 - 1 // 16 bit fields in the sample entry
	if width <= 0 || height <= 0 || width > limit || height > limit {
		return fmt.Errorf("parse SPS: a picture of %d x %d", width, height)
	}
	return nil
}

func describeHEVC(t media.Track) (sampleEntry, error) {
	c, err := parseHEVCConfig(t.Config)
	if err != nil {
		return sampleEntry{}, err
	}
	var sps h265.SPS
	if err = sps.Unmarshal(c.sps); err != nil {
		return sampleEntry{}, fmt.Errorf("parse SPS: %w", err)
	}
	if err = checkPicture(sps.Width(), sps.Height()); err != nil {
		return sampleEntry{}, err
	}
	config := appendHeader(nil, boxHeader+len(t.Config), "hvcC")
	config = c.appendComplete(config, t.Config)
	return sampleEntry{
		codec:  &codecs.H265{VPS: c.vps, SPS: c.sps, PPS: c.pps},
		name:   "hvc1",
		header: boxHeader + 78, // VisualSampleEntry, 12.1.3.2
		config: appendBitrate(config, t.Bitrate),
	}, nil
}

func describeMP3(t media.Track) (sampleEntry, error) {
	oti, err := mp3Indication(t.Config)
	if err != nil {
		return sampleEntry{}, err
	}
	esds, err := appendESDS(nil, oti, nil, t.Bitrate)
	if err != nil {
		return sampleEntry{}, err
	}
	return sampleEntry{
		codec:  &codecs.MPEG1Audio{SampleRate: int(t.SampleRate), ChannelCount: t.Channels},
		name:   "mp4a",
		header: boxHeader + 28, // AudioSampleEntry, 12.2.3.2
		config: appendBitrate(esds, t.Bitrate),
	}, nil
}

func describeAAC(t media.Track) (sampleEntry, error) {
	c, err := parseAACConfig(t.Config)
	if err != nil {
		return sampleEntry{}, err
	}
	channels := c.channels
	if channels == 0 {
		channels = t.Channels
	}
	// The integer part has 16 bits. Players take the rate from esds; as every
	// muxer we looked at, write 0 when it does not fit.
	rate := c.sampleRate
	if rate > 1<<16-1 {
		rate = 0
	}
	esds, err := appendESDS(nil, indicationMPEG4, t.Config, t.Bitrate)
	if err != nil {
		return sampleEntry{}, err
	}
	return sampleEntry{
		codec: &codecs.MPEG4Audio{Config: mpeg4audio.AudioSpecificConfig{
			Type: mpeg4audio.ObjectTypeAACLC, SampleRate: rate, ChannelCount: channels,
		}},
		name:   "mp4a",
		header: boxHeader + 28, // AudioSampleEntry, 12.2.3.2
		config: appendBitrate(esds, t.Bitrate),
	}, nil
}

// appendFtyp writes the brands: an init section "MUST contain a File Type Box
// [...] containing a brand that is compatible with 'iso6' or higher" (RFC
// 8216bis, 3.1.2).
func appendFtyp(dst []byte) []byte {
	dst = appendHeader(dst, boxHeader+4+4+4+4, "ftyp")
	dst = append(dst, "iso6"...)
	dst = be32(dst, 0) // minor_version
	return append(dst, "iso6mp41"...)
}

// appendBitrate writes a btrt box when somebody promised a bit rate; none is
// better than a guess.
func appendBitrate(dst []byte, bitrate int) []byte {
	if bitrate <= 0 {
		return dst
	}
	dst = appendHeader(dst, boxHeader+12, "btrt")
	dst = be32(dst, 0) // bufferSizeDB: unknown
	dst = be32(dst, uint32(bitrate))
	return be32(dst, uint32(bitrate))
}

// Descriptor tags of an elementary stream (ISO/IEC 14496-1, 7.2.2.1).
const (
	tagESDescriptor  = 0x03
	tagDecoderConfig = 0x04
	tagSpecificInfo  = 0x05
	tagSLConfig      = 0x06
)

// appendESDS writes the esds box of an object type, around its specific info
// unless that is empty. Lengths take one byte each, so the info is bounded; real
// ones have 2 to 16 bytes.
func appendESDS(dst []byte, indication byte, info []byte, bitrate int) ([]byte, error) {
	const (
		fixed = 13 // of the decoder configuration
		limit = 0x7f - (3 + 2 + fixed + 2 + 3)
	)
	if len(info) > limit {
		return dst, fmt.Errorf("AudioSpecificConfig of %d bytes, want at most %d", len(info), limit)
	}
	decoderConfig := fixed
	if len(info) > 0 {
		decoderConfig += 2 + len(info)
	}
	es := 3 + 2 + decoderConfig + 3
	dst = appendFullHeader(dst, fullBoxHeader+2+es, "esds", 0, 0)
	dst = append(dst, tagESDescriptor, byte(es), 0, trackID, 0) // ES_ID, no optional field
	dst = append(dst, tagDecoderConfig, byte(decoderConfig),
		indication,
		0x05<<2|1, // streamType audio, upStream 0, reserved 1
		0, 0, 0)   // bufferSizeDB: unknown
	dst = be32(dst, uint32(max(bitrate, 0))) // maxBitrate
	dst = be32(dst, uint32(max(bitrate, 0))) // avgBitrate
	if len(info) > 0 {
		dst = append(dst, tagSpecificInfo, byte(len(info)))
		dst = append(dst, info...)
	}
	return append(dst, tagSLConfig, 1, 2), nil // predefined: reserved for MP4 files
}

var errUnexpectedBox = errors.New("mediacommon wrote another box tree than expected")

// replaceConfig puts entry.config in place of the child boxes of the sample
// entry and corrects the size of every box around it.
func replaceConfig(moov []byte, entry sampleEntry) ([]byte, error) {
	path := []struct {
		name   string
		header int
	}{
		{"moov", boxHeader},
		{"trak", boxHeader},
		{"mdia", boxHeader},
		{"minf", boxHeader},
		{"stbl", boxHeader},
		{"stsd", fullBoxHeader + 4},
		{entry.name, entry.header},
	}
	var sizes []int // offsets of the size fields on the way down
	start, end := 0, len(moov)
	for _, step := range path {
		offset, size := findBox(moov[start:end], step.name)
		if size < step.header {
			return nil, fmt.Errorf("%w: no %s", errUnexpectedBox, step.name)
		}
		offset += start
		sizes = append(sizes, offset)
		start, end = offset+step.header, offset+size
	}
	out := make([]byte, 0, len(moov)+len(entry.config))
	out = append(out, moov[:start]...)
	out = append(out, entry.config...)
	out = append(out, moov[end:]...)
	for _, at := range sizes {
		size := int(binary.BigEndian.Uint32(out[at:])) + len(out) - len(moov)
		binary.BigEndian.PutUint32(out[at:], uint32(size))
	}
	return out, nil
}

// findBox looks for the first box of that type among siblings; size is 0 when
// there is none.
func findBox(siblings []byte, boxType string) (offset, size int) {
	for offset+boxHeader <= len(siblings) {
		size = int(binary.BigEndian.Uint32(siblings[offset:]))
		if size < boxHeader || size > len(siblings)-offset {
			return 0, 0
		}
		if string(siblings[offset+4:offset+8]) == boxType {
			return offset, size
		}
		offset += size
	}
	return 0, 0
}

func skipBox(b []byte) []byte {
	if len(b) < boxHeader {
		return nil
	}
	return b[min(int(binary.BigEndian.Uint32(b)), len(b)):]
}
