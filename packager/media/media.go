// Package media is the model that ingest and packager share: tracks and samples.
// It has no behaviour beyond naming.
//
// Decisions
//
//   - One Sample type on both sides of the timeline, over one type a side: its
//     times are integer ticks of its track, and only the track's TimeScale
//     differs (1000 as RTMP delivers it, 90000 or the sampling rate after).
//   - The payload stays as the bitstream came (NAL units behind their
//     lengths for H.264 and HEVC, raw frames for AAC and MP3), over a parsed form: it is the mdat of the part, verbatim.
package media

// Kind is what a track carries.
type Kind uint8

// The kinds of tracks.
const (
	Video Kind = iota + 1
	Audio
)

func (k Kind) String() string {
	switch k {
	case Video:
		return "video"
	case Audio:
		return "audio"
	}
	return "unknown"
}

// Codec names the coding of a track's samples.
type Codec uint8

// The codecs the server carries.
const (
	H264 Codec = iota + 1
	AAC
	HEVC
	MP3
)

func (c Codec) String() string {
	switch c {
	case H264:
		return "h264"
	case AAC:
		return "aac"
	case HEVC:
		return "hevc"
	case MP3:
		return "mp3"
	}
	return "unknown"
}

// TrackID tells the tracks of one kind apart; 0 is the main one (E-RTMP v2, trackId).
type TrackID uint8

// Track describes one elementary stream. It is immutable: a change of
// configuration is a new Track.
//
// Config is avcC or hvcC (ISO/IEC 14496-15) or AudioSpecificConfig (14496-3),
// verbatim. MP3 has no such record: it is the header of a frame (4 bytes, ISO/IEC
// 11172-3, 2.4.1.3) without what differs from frame to frame.
type Track struct {
	ID        TrackID
	Kind      Kind
	Codec     Codec
	TimeScale uint32 // ticks per second of the samples' times
	Config    []byte // what a decoder must know, see below

	Width, Height int     // luma samples as shown (after cropping); video only
	FrameRate     float64 // frames per second promised by the bitstream or the encoder, 0 = unknown; video only
	SampleRate    uint32  // samples per second after SBR; audio only
	Channels      int     // audio only
	Bitrate       int     // bits per second promised by the encoder, 0 = unknown
}

// Sample is one access unit of one track.
type Sample struct {
	Kind     Kind
	Track    TrackID
	Sync     bool   // decoding can start here; truth from the bitstream, not from the container
	Leading  bool   // shown before the sync sample it follows: of no use when decoding starts there
	DTS      int64  // decoding time in ticks
	CTS      int32  // composition offset in ticks: PTS = DTS + CTS; may be negative
	Duration uint32 // ticks; 0 until the timeline knows it
	Data     []byte // owned by the sample, never written after it was made
}
