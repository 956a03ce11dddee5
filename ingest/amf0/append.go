package amf0

import (
	"encoding/binary"
	"math"
	"strings"
)

// MaxText is the longest text that a plain string holds.
const MaxText = math.MaxUint16

// AppendNumber writes a number.
func AppendNumber(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(Number)), math.Float64bits(v))
}

// AppendNull writes null.
func AppendNull(dst []byte) []byte { return append(dst, byte(Null)) }

// AppendUndefined writes undefined.
func AppendUndefined(dst []byte) []byte { return append(dst, byte(Undefined)) }

// AppendString writes a text as a string, or as a long string if it must be. What
// is not UTF-8 in it becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > MaxText {
		dst = binary.BigEndian.AppendUint32(append(dst, markerLongString), uint32(len(s)))
		return append(dst, s...)
	}
	return appendName(append(dst, byte(String)), s)
}

func appendName(dst []byte, s string) []byte {
	s = s[:min(len(s), MaxText)]
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// AppendObject writes an object. Members without a name are left out: the end
// of an object is a member without a name.
func AppendObject(dst []byte, members []Member) []byte {
	dst = append(dst, byte(Object))
	return appendMembers(dst, members)
}

func appendMembers(dst []byte, members []Member) []byte {
	for _, m := range members {
		if m.Name != "" {
			dst = Append(appendName(dst, m.Name), m.Value)
		}
	}
	return append(dst, 0, 0, markerEnd)
}

// Append writes any value.
func Append(dst []byte, v Value) []byte {
	switch v.Kind {
	case Number:
		return AppendNumber(dst, v.Number)
	case Boolean:
		b := byte(0)
		if v.Number != 0 {
			b = 1
		}
		return append(dst, byte(Boolean), b)
	case String:
		return AppendString(dst, v.Text)
	case Object:
		return AppendObject(dst, v.Members)
	case Array:
		// The count is advice, and 0 what most write.
		dst = append(dst, byte(Array), 0, 0, 0, 0)
		return appendMembers(dst, v.Members)
	case List:
		dst = binary.BigEndian.AppendUint32(append(dst, byte(List)), uint32(len(v.Members)))
		for _, m := range v.Members {
			dst = Append(dst, m.Value)
		}
		return dst
	case Date:
		dst = binary.BigEndian.AppendUint64(append(dst, byte(Date)), math.Float64bits(v.Number))
		return append(dst, 0, 0)
	case Null:
		return AppendNull(dst)
	default:
		return AppendUndefined(dst)
	}
}
