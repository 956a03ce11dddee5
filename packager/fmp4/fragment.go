package fmp4

import (
	"encoding/binary"

	"barrage/packager/media"
)

// trackID is the only track of every file this package writes.
const trackID = 1

// Flags of a sample (14496-12, 8.8.3.1). They are explicit for every sample,
// because players that see none assume a sync sample and seek into the middle
// of a GOP.
const (
	flagsSync    = 0x02000000 // sample_depends_on = 2: depends on no other
	flagsNonSync = 0x01010000 // sample_depends_on = 1, sample_is_non_sync_sample = 1
)

// Flags of the boxes in a fragment.
const (
	tfhdDefaultBaseIsMoof = 0x020000 // 8.8.7.1

	trunDataOffset        = 0x000001 // 8.8.8.1
	trunDuration          = 0x000100
	trunSize              = 0x000200
	trunFlags             = 0x000400
	trunCompositionOffset = 0x000800
)

// Sizes in bytes of the boxes whose content does not depend on the samples.
const (
	boxHeader     = 8
	fullBoxHeader = boxHeader + 4
	mfhdSize      = fullBoxHeader + 4
	tfhdSize      = fullBoxHeader + 4
	tfdtSize      = fullBoxHeader + 8
	trunFixed     = fullBoxHeader + 4 + 4 // sample_count, data_offset
	trunEntry     = 4 + 4 + 4             // duration, size, flags
	trunOffset    = 4                     // composition offset
)

// Fragment is the content of one moof and its mdat: consecutive samples of one
// track in decoding order.
type Fragment struct {
	Sequence uint32         // mfhd.sequence_number; grows from fragment to fragment of a rendition
	Samples  []media.Sample // DTS (not negative), CTS and Duration in ticks of the track; Data goes into mdat as it is
}

// layout holds the sizes of a fragment, known before its first byte is written.
type layout struct {
	offsets bool // trun carries composition offsets
	trun    int
	mdat    int
}

func (l layout) traf() int { return boxHeader + tfhdSize + tfdtSize + l.trun }
func (l layout) moof() int { return boxHeader + mfhdSize + l.traf() }
func (l layout) size() int { return l.moof() + l.mdat }

// AppendFragment appends one moof and its mdat to dst, which grows at most once,
// and copies every payload exactly once. A fragment without samples has no
// place in time and appends nothing. The payload of a fragment must stay below
// 4 GiB: a part is bounded far below that by its duration.
func AppendFragment(dst []byte, f Fragment) []byte {
	if len(f.Samples) == 0 {
		return dst
	}
	l := measure(f.Samples)
	dst = grow(dst, l.size())

	dst = appendHeader(dst, l.moof(), "moof")
	dst = appendFullHeader(dst, mfhdSize, "mfhd", 0, 0)
	dst = be32(dst, f.Sequence)
	dst = appendHeader(dst, l.traf(), "traf")
	// "fMP4 Segments MUST use movie-fragment-relative addressing" (RFC 8216bis,
	// 3.1.2), or a part could not stand behind another one in a segment.
	dst = appendFullHeader(dst, tfhdSize, "tfhd", 0, tfhdDefaultBaseIsMoof)
	dst = be32(dst, trackID)
	// "every Track Fragment Box MUST contain a Track Fragment Decode Time Box"
	// (3.1.2). 64 bits: 90 kHz overflows 32 after 13 hours.
	dst = appendFullHeader(dst, tfdtSize, "tfdt", 1, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.Samples[0].DTS))
	dst = appendTrun(dst, f.Samples, l)

	dst = appendHeader(dst, l.mdat, "mdat")
	for i := range f.Samples {
		dst = append(dst, f.Samples[i].Data...)
	}
	return dst
}

// grow makes room for n more bytes and, unlike slices.Grow, for none beyond: a
// part stays in memory as long as it is on offer.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}

func measure(samples []media.Sample) layout {
	l := layout{mdat: boxHeader}
	for i := range samples {
		l.mdat += len(samples[i].Data)
		l.offsets = l.offsets || samples[i].CTS != 0
	}
	entry := trunEntry
	if l.offsets {
		entry += trunOffset
	}
	l.trun = trunFixed + entry*len(samples)
	return l
}

func appendTrun(dst []byte, samples []media.Sample, l layout) []byte {
	flags := uint32(trunDataOffset | trunDuration | trunSize | trunFlags)
	if l.offsets {
		flags |= trunCompositionOffset
	}
	dst = appendFullHeader(dst, l.trun, "trun", 1, flags)
	dst = be32(dst, uint32(len(samples)))
	dst = be32(dst, uint32(l.moof()+boxHeader)) // from the moof to the first payload byte
	for i := range samples {
		s := &samples[i]
		dst = be32(dst, s.Duration)
		dst = be32(dst, uint32(len(s.Data)))
		dst = be32(dst, sampleFlags(s.Sync))
		if l.offsets {
			dst = be32(dst, uint32(s.CTS))
		}
	}
	return dst
}

func sampleFlags(sync bool) uint32 {
	if sync {
		return flagsSync
	}
	return flagsNonSync
}

func appendHeader(dst []byte, size int, boxType string) []byte {
	return append(be32(dst, uint32(size)), boxType...)
}

func appendFullHeader(dst []byte, size int, boxType string, version uint8, flags uint32) []byte {
	return be32(appendHeader(dst, size, boxType), uint32(version)<<24|flags)
}

func be32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }
