package hlscheck

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
)

// Track is what an init section says.
type Track struct {
	Codec     string // as CODECS should name it; only the sample entry when more is unknown
	Timescale uint32
	trex      *mp4.TrexBox
}

// Span is the media of one part or segment.
type Span struct {
	Start, End time.Duration // decoding time
	Unit       time.Duration // longest sample
	Sync       bool          // the first sample is one
}

var (
	errNoTrack    = errors.New("no moov with one track")
	errNoFragment = errors.New("no moof with samples")
)

// parseInit reads an init section.
func parseInit(data []byte) (*Track, error) {
	file, err := mp4.DecodeFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if file.Moov == nil || file.Moov.Trak == nil || file.Moov.Mvex == nil || len(file.Moov.Traks) != 1 {
		return nil, errNoTrack
	}
	mdia := file.Moov.Trak.Mdia
	t := &Track{Timescale: mdia.Mdhd.Timescale, trex: file.Moov.Mvex.Trex}
	if t.Timescale == 0 {
		return nil, errNoTrack
	}
	stsd := mdia.Minf.Stbl.Stsd
	if len(stsd.Children) == 0 {
		return nil, errNoTrack
	}
	t.Codec = stsd.Children[0].Type()
	if stsd.AvcX != nil && stsd.AvcX.AvcC != nil {
		c := stsd.AvcX.AvcC
		t.Codec += fmt.Sprintf(".%02x%02x%02x", c.AVCProfileIndication, c.ProfileCompatibility, c.AVCLevelIndication)
	}
	if stsd.Mp4a != nil && stsd.Mp4a.Esds != nil {
		t.Codec += audioObject(stsd.Mp4a.Esds)
	}
	return t, nil
}

// audioObject is the rest of the name of an mp4a codec (RFC 6381, 3.3).
func audioObject(esds *mp4.EsdsBox) string {
	d := esds.DecConfigDescriptor
	if d == nil {
		return ""
	}
	if d.ObjectType != 0x40 {
		return "" // MP3 has several names
	}
	if d.DecSpecificInfo == nil || len(d.DecSpecificInfo.DecConfig) == 0 {
		return ".40"
	}
	return fmt.Sprintf(".40.%d", d.DecSpecificInfo.DecConfig[0]>>3)
}

// named says that the attribute CODECS names the codec of the track, or H.264 of the
// same profile and a higher level: who decodes that decodes this ("all levels lower
// than the specified one", H.264, A.3.1).
func (t *Track) named(codecs string) bool {
	for name := range strings.SplitSeq(codecs, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == t.Codec || !strings.Contains(t.Codec, ".") && strings.HasPrefix(name, t.Codec) {
			return true
		}
		if n := len("avc1.PPCC"); len(name) == n+2 && len(t.Codec) == n+2 && name[:n] == t.Codec[:n] && name > t.Codec {
			return true
		}
	}
	return false
}

// nonSync is the flag sample_is_non_sync_sample (ISO/IEC 14496-12, 8.8.3.1).
const nonSync = 1 << 16

// span reads the fragments of a part or segment.
func (t *Track) span(data []byte) (s Span, err error) {
	file, err := mp4.DecodeFile(bytes.NewReader(data))
	if err != nil {
		return s, err
	}
	var end uint64
	found := false
	for _, seg := range file.Segments {
		for _, frag := range seg.Fragments {
			samples, err := frag.GetFullSamples(t.trex)
			if err != nil {
				return s, err
			}
			for i := range samples {
				one := &samples[i]
				if !found {
					found, s.Sync, s.Start = true, one.Flags&nonSync == 0, t.at(one.DecodeTime)
				}
				end = one.DecodeTime + uint64(one.Dur)
				s.Unit = max(s.Unit, t.at(uint64(one.Dur)))
			}
		}
	}
	if !found {
		return s, errNoFragment
	}
	s.End = t.at(end)
	return s, nil
}

func (t *Track) at(ticks uint64) time.Duration {
	scale := uint64(t.Timescale)
	return time.Duration(ticks/scale)*time.Second + time.Duration(ticks%scale*uint64(time.Second)/scale)
}
