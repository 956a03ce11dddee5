package mpegts

import (
	"encoding/binary"
	"fmt"

	"barrage/packager/media"
)

// startCode opens every NAL unit; the long form is as long as the length it replaces
// as a rule, and the one 14496-10, annex B demands at the start of an access unit.
const startCode = "\x00\x00\x00\x01"

// delimiter is the access unit delimiter: "each AVC access unit shall contain an
// access unit delimiter NAL unit" (13818-1, 2.14.1). primary_pic_type 7 allows all.
const delimiter = startCode + "\x09\xf0"

const nalDelimiter = 9 // nal_unit_type

// avc turns access units of length-prefixed NAL units (14496-15) into Annex B.
type avc struct {
	scale      int64
	lengthSize int
	sets       []byte // SPS and PPS with their start codes
}

// newAVC reads an AVCDecoderConfigurationRecord (14496-15, 5.3.3.1).
func newAVC(t media.Track) (*avc, error) {
	const fixed = 6
	if len(t.Config) < fixed || t.TimeScale == 0 {
		return nil, fmt.Errorf("transport stream of h264: avcC of %d bytes, time scale %d", len(t.Config), t.TimeScale)
	}
	v := &avc{scale: int64(t.TimeScale), lengthSize: 1 + int(t.Config[4]&3)}
	rest := t.Config[fixed-1:]
	for _, mask := range []byte{0x1f, 0xff} { // SPS, then PPS, each behind its count
		if len(rest) == 0 {
			return nil, fmt.Errorf("transport stream of h264: avcC ends before its PPS")
		}
		n := int(rest[0] & mask)
		rest = rest[1:]
		for range n {
			if len(rest) < 2 || int(binary.BigEndian.Uint16(rest)) > len(rest)-2 {
				return nil, fmt.Errorf("transport stream of h264: avcC ends inside a parameter set")
			}
			end := 2 + int(binary.BigEndian.Uint16(rest))
			v.sets = append(append(v.sets, startCode...), rest[2:end]...)
			rest = rest[end:]
		}
	}
	return v, nil
}

// unit takes the first NAL unit off au. What does not start with the length of
// something that is there ends the access unit.
func (v *avc) unit(au []byte) (unit, rest []byte, ok bool) {
	if len(au) < v.lengthSize {
		return nil, nil, false
	}
	n := 0
	for _, b := range au[:v.lengthSize] {
		n = n<<8 | int(b)
	}
	if au = au[v.lengthSize:]; n > len(au) {
		return nil, nil, false
	}
	return au[:n], au[n:], true
}

// dropped says that a NAL unit is replaced by ours, or empty.
func dropped(unit []byte) bool { return len(unit) == 0 || unit[0]&0x1f == nalDelimiter }

// size returns how long a sample is in Annex B.
func (v *avc) size(s *media.Sample) int {
	n := len(delimiter)
	if s.Sync {
		n += len(v.sets)
	}
	for unit, rest, ok := v.unit(s.Data); ok; unit, rest, ok = v.unit(rest) {
		if !dropped(unit) {
			n += len(startCode) + len(unit)
		}
	}
	return n
}

// write gives a sample in Annex B to w.
func (v *avc) write(w *packets, s *media.Sample) {
	w.text(delimiter)
	if s.Sync {
		w.bytes(v.sets)
	}
	for unit, rest, ok := v.unit(s.Data); ok; unit, rest, ok = v.unit(rest) {
		if !dropped(unit) {
			w.text(startCode)
			w.bytes(unit)
		}
	}
}
