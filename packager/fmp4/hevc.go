package fmp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// hevcConfig is what an HEVCDecoderConfigurationRecord tells about its stream
// (ISO/IEC 14496-15, 8.3.3.1). The parameter sets alias the record.
type hevcConfig struct {
	vps, sps, pps []byte // the first of each
	profile       []byte // 12 bytes: profile, compatibility, constraints, level
	arrays        []int  // where the arrays of parameter sets begin
}

// NAL unit types of parameter sets (ITU-T H.265, table 7-1).
const (
	hevcVPS = 32
	hevcSPS = 33
	hevcPPS = 34
)

// parseHEVCConfig reads a record far enough to describe the track.
func parseHEVCConfig(record []byte) (hevcConfig, error) {
	var c hevcConfig
	const fixed = 23 // bytes before the arrays
	if len(record) < fixed {
		return c, fmt.Errorf("parse hvcC: %d bytes, want at least %d", len(record), fixed)
	}
	rest := record[fixed:]
	for i := range record[fixed-1] {
		if len(rest) < 3 {
			return c, fmt.Errorf("parse hvcC: ends before array %d", i+1)
		}
		start := len(record) - len(rest)
		kind, n := rest[0]&0x3f, int(binary.BigEndian.Uint16(rest[1:]))
		var units [][]byte
		var err error
		if units, rest, err = parameterSets(rest[3:], n); err != nil {
			return c, fmt.Errorf("parse hvcC: NAL unit of type %d: %w", kind, err)
		}
		if n > 0 {
			c.add(kind, units[0])
		}
		if kind >= hevcVPS && kind <= hevcPPS {
			c.arrays = append(c.arrays, start)
		}
	}
	if c.vps == nil || c.sps == nil || c.pps == nil {
		return c, errors.New("parse hvcC: want at least one VPS, SPS and PPS")
	}
	// Behind the NAL unit's header and a byte that begins with the id of the VPS
	// (7.3.2.2) lies profile_tier_level; of its sub layers nothing is needed.
	raw := h264.EmulationPreventionRemove(c.sps)
	if len(raw) < 3+12 {
		return c, fmt.Errorf("parse hvcC: SPS of %d bytes has no profile and level", len(c.sps))
	}
	c.profile = raw[3:15]
	return c, nil
}

func (c *hevcConfig) add(kind byte, unit []byte) {
	for _, l := range []struct {
		kind byte
		into *[]byte
	}{{hevcVPS, &c.vps}, {hevcSPS, &c.sps}, {hevcPPS, &c.pps}} {
		if l.kind == kind && *l.into == nil {
			*l.into = unit
		}
	}
}

// appendComplete appends the record with array_completeness set for parameter
// sets: in hvc1 its "default and mandatory value [is] 1" (8.4.1.1), and encoders,
// which do not know the sample entry, write 0. It is true: parameter sets that
// change in band make another track.
func (c *hevcConfig) appendComplete(dst, record []byte) []byte {
	n := len(dst)
	dst = append(dst, record...)
	for _, at := range c.arrays {
		dst[n+at] |= 0x80
	}
	return dst
}

// hevcString writes a profile, tier and level as ISO/IEC 14496-15, E.3 does:
// "hvc1.", the profile space as a letter unless it is 0, the profile; the
// compatibility flags "in reverse bit order", in hexadecimal; L or H for the
// tier and the level; the constraint bytes, "trailing zero bytes may be omitted".
func hevcString(p []byte) string {
	var b strings.Builder
	b.WriteString("hvc1.")
	if space := p[0] >> 6; space > 0 {
		b.WriteByte('A' + space - 1)
	}
	b.WriteString(strconv.Itoa(int(p[0] & 0x1f)))
	compatible := bits.Reverse32(binary.BigEndian.Uint32(p[1:5]))
	tier := byte('L')
	if p[0]&0x20 != 0 {
		tier = 'H'
	}
	fmt.Fprintf(&b, ".%X.%c%d", compatible, tier, p[11])
	constraints := p[5:11]
	for len(constraints) > 0 && constraints[len(constraints)-1] == 0 {
		constraints = constraints[:len(constraints)-1]
	}
	for _, c := range constraints {
		fmt.Fprintf(&b, ".%X", c)
	}
	return b.String()
}
