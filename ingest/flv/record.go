package flv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"barrage/packager/media"
)

// Record is the part that we need of a video configuration record: the
// parameter sets. They are NAL units that slice into the record.
type Record struct {
	VPS [][]byte // HEVC only
	SPS [][]byte
	PPS [][]byte

	codec media.Codec
}

// Errors of configuration records.
var (
	errRecordVersion = errors.New("version is not 1")
	errRecordLength  = errors.New("NAL unit lengths that are not 4 bytes wide are not carried")
	errRecordSize    = fmt.Errorf("more than %d bytes", maxRecord)
	errNoSets        = errors.New("parse video config: no parameter sets: the encoder must send them before the first picture")
)

// ParseRecord reads an avcC (ISO/IEC 14496-15, 5.3.3.1) or an hvcC (8.3.3.1).
// One without parameter sets is no error: they come with the first picture then.
func ParseRecord(codec media.Codec, b []byte) (Record, error) {
	parse, name := parseAVC, "avcC"
	if codec == media.HEVC {
		parse, name = parseHEVC, "hvcC"
	}
	if len(b) > maxRecord {
		return Record{}, fmt.Errorf("parse %s: %w", name, errRecordSize)
	}
	r, err := parse(b)
	if err != nil {
		return Record{}, fmt.Errorf("parse %s: %w", name, err)
	}
	r.codec = codec
	return r, nil
}

// Complete reports whether a decoder could start with the record.
func (r Record) Complete() bool {
	return len(r.SPS) > 0 && len(r.PPS) > 0 && (len(r.VPS) > 0 || r.codec != media.HEVC)
}

// parameterSets reads n NAL units, each behind its length in 2 bytes.
func parameterSets(b []byte, n int) (sets [][]byte, rest []byte, err error) {
	for range n {
		if len(b) < 2 {
			return nil, nil, ErrShort
		}
		size := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; size == 0 || size > len(b) {
			return nil, nil, fmt.Errorf("parameter set of %d bytes where %d are left", size, len(b))
		}
		sets = append(sets, b[:size:size])
		b = b[size:]
	}
	return sets, b, nil
}

func appendSets(dst []byte, sets [][]byte) []byte {
	for _, s := range sets {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// InBand returns the configuration record that is in force with the access unit
// au: have itself, unless au brings parameter sets that have lacks or contradicts.
// have may be empty. The result may be incomplete.
//
// Encoders that tell the truth only in band exist (facts of the field: a header
// that says Baseline before pictures in High), and so do those whose header has
// no parameter sets at all.
func InBand(codec media.Codec, have, au []byte) ([]byte, error) {
	old := Record{codec: codec}
	if len(have) > 0 {
		var err error
		if old, err = ParseRecord(codec, have); err != nil {
			return nil, err
		}
	}
	fresh := Record{codec: codec}
	changed := false
	err := walk(au, func(nal []byte) {
		kind := old.kind(nal)
		if kind == nil {
			return
		}
		// A NAL unit never ends with a zero byte; some writers pad it.
		if nal = bytes.TrimRight(nal, "\x00"); holds(*kind, nal) {
			return
		}
		changed = true
		into := fresh.kind(nal)
		*into = append(*into, nal)
	})
	if err != nil || !changed {
		return have, err
	}
	return encodeRecord(fresh.over(old))
}

// kind returns the list that a NAL unit belongs to, nil if it is no parameter set.
func (r *Record) kind(nal []byte) *[][]byte {
	switch nalType(r.codec, nal) {
	case setVPS:
		return &r.VPS
	case setSPS:
		return &r.SPS
	case setPPS:
		return &r.PPS
	default:
		return nil
	}
}

func holds(sets [][]byte, nal []byte) bool {
	for _, s := range sets {
		if bytes.Equal(bytes.TrimRight(s, "\x00"), nal) {
			return true
		}
	}
	return false
}

// over returns the sets of r, and behind them those of old whose ids r does not
// use again.
func (r Record) over(old Record) (Record, error) {
	out := Record{codec: r.codec}
	for _, l := range []struct {
		into       *[][]byte
		fresh, old [][]byte
	}{{&out.VPS, r.VPS, old.VPS}, {&out.SPS, r.SPS, old.SPS}, {&out.PPS, r.PPS, old.PPS}} {
		seen := map[uint32]bool{}
		// The last of several with one id is the one in force.
		for _, s := range slices.Backward(l.fresh) {
			if err := addSet(l.into, seen, r.codec, s); err != nil {
				return Record{}, err
			}
		}
		for _, s := range l.old {
			if err := addSet(l.into, seen, r.codec, s); err != nil {
				return Record{}, err
			}
		}
	}
	return out, nil
}

func addSet(into *[][]byte, seen map[uint32]bool, codec media.Codec, set []byte) error {
	id, err := setID(codec, set)
	if err != nil {
		return fmt.Errorf("read id of a parameter set: %w", err)
	}
	if !seen[id] {
		seen[id] = true
		*into = append(*into, set)
	}
	return nil
}

// encodeRecord takes the result of over.
func encodeRecord(r Record, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if !r.Complete() {
		return nil, errNoSets
	}
	encode := encodeAVC
	if r.codec == media.HEVC {
		encode = encodeHEVC
	}
	b, err := encode(r)
	if err == nil && len(b) > maxRecord {
		err = errRecordSize
	}
	if err != nil {
		return nil, fmt.Errorf("write video config: %w", err)
	}
	return b, nil
}
