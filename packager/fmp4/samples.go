package fmp4

import (
	"encoding/binary"
	"errors"

	"barrage/packager/media"
)

// ErrFragment says that the bytes are not one fragment as AppendFragment writes it.
var ErrFragment = errors.New("not a fragment of this package")

// AppendSamples appends to dst the samples of a fragment that AppendFragment wrote: a
// part explains itself, so that nothing is kept beside it for those who want its media
// in another wrapping. Data aliases the fragment; Kind is left to the caller, who knows
// whose fragment it is. After an error dst is as it was.
func AppendSamples(dst []media.Sample, fragment []byte) ([]media.Sample, error) {
	const (
		tfdt  = boxHeader + mfhdSize + boxHeader + tfhdSize
		trun  = tfdt + tfdtSize
		table = trun + trunFixed
	)
	if len(fragment) < table+boxHeader {
		return dst, ErrFragment
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(fragment[at:]) }
	l := layout{trun: int(u32(trun)), mdat: boxHeader}
	l.offsets = u32(trun+boxHeader)&trunCompositionOffset != 0
	entry := trunEntry
	if l.offsets {
		entry += trunOffset
	}
	count := int(u32(trun + fullBoxHeader))
	if string(fragment[trun+4:trun+8]) != "trun" || l.trun-trunFixed != count*entry || l.size() > len(fragment) {
		return dst, ErrFragment
	}
	at := int64(binary.BigEndian.Uint64(fragment[tfdt+fullBoxHeader:]))
	payload, out := fragment[l.size():], dst
	for row := table; row < table+count*entry; row += entry {
		s := media.Sample{DTS: at, Duration: u32(row), Sync: u32(row+8) == flagsSync}
		if l.offsets {
			s.CTS = int32(u32(row + trunEntry))
		}
		size := int(u32(row + 4))
		if size > len(payload) {
			return dst, ErrFragment
		}
		s.Data, payload = payload[:size:size], payload[size:]
		at += int64(s.Duration)
		out = append(out, s)
	}
	if len(payload) > 0 {
		return dst, ErrFragment
	}
	return out, nil
}
