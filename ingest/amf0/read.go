package amf0

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Bounds of what one Reader reads.
const (
	MaxDepth = 16
	MaxNodes = 4096
)

// Errors of a Reader. All mean that the bytes are of no use.
var (
	ErrShort  = errors.New("read AMF0: ends in the middle of a value")
	ErrDepth  = fmt.Errorf("read AMF0: nested more than %d deep", MaxDepth)
	ErrNodes  = fmt.Errorf("read AMF0: more than %d values", MaxNodes)
	ErrMarker = errors.New("read AMF0: unknown type marker")
)

// Kind is the type of a value: what "AMF 0 specification", 2.1, calls its
// marker, less the differences that mean nothing to a receiver.
type Kind byte

// Kinds of values.
const (
	Number    Kind = 0x00
	Boolean   Kind = 0x01
	String    Kind = 0x02 // also long strings and XML documents
	Object    Kind = 0x03 // also typed objects
	Null      Kind = 0x05
	Undefined Kind = 0x06 // also references and "unsupported"
	Array     Kind = 0x08 // ECMA array: with names
	List      Kind = 0x0a // strict array: without
	Date      Kind = 0x0b
)

// Markers that are no Kind.
const (
	markerReference   = 0x07
	markerEnd         = 0x09
	markerLongString  = 0x0c
	markerUnsupported = 0x0d
	markerXML         = 0x0f
	markerTypedObject = 0x10
)

// Value is one value.
type Value struct {
	Kind    Kind
	Number  float64  // of a number, a date (ms since 1970), a boolean (0 or 1)
	Text    string   // of a string; any bytes, not checked to be UTF-8
	Members []Member // of objects and arrays; names are empty in a List
}

// Member is one entry of an object or an array.
type Member struct {
	Name  string
	Value Value
}

// Member returns the first member of that name, or undefined.
func (v Value) Member(name string) Value {
	for _, m := range v.Members {
		if m.Name == name {
			return m.Value
		}
	}
	return Value{Kind: Undefined}
}

// Reader reads a sequence of values.
type Reader struct {
	b     []byte
	nodes int
}

// NewReader returns a Reader of b, which is not changed.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Rest is what has not been read yet.
func (r *Reader) Rest() []byte { return r.b }

// Next returns the next value, or io.EOF behind the last. With another error
// come the members of an object that were read before it.
func (r *Reader) Next() (Value, error) {
	if len(r.b) == 0 {
		return Value{}, io.EOF
	}
	return r.value(1)
}

func (r *Reader) take(n int) ([]byte, error) {
	if n > len(r.b) {
		return nil, ErrShort
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b, nil
}

func (r *Reader) short() (string, error) {
	head, err := r.take(2)
	if err != nil {
		return "", err
	}
	b, err := r.take(int(binary.BigEndian.Uint16(head)))
	return string(b), err
}

func (r *Reader) count() (uint32, error) {
	head, err := r.take(4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(head), nil
}

func (r *Reader) long() (string, error) {
	n, err := r.count()
	if err != nil || uint64(n) > uint64(len(r.b)) {
		return "", ErrShort
	}
	b, err := r.take(int(n))
	return string(b), err
}

func (r *Reader) double() (float64, error) {
	b, err := r.take(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

func (r *Reader) value(depth int) (v Value, err error) {
	if r.nodes++; r.nodes > MaxNodes {
		return v, ErrNodes
	}
	head, err := r.take(1)
	if err != nil {
		return v, err
	}
	v.Kind = Kind(head[0])
	switch head[0] {
	case byte(Number):
		v.Number, err = r.double()
	case byte(Boolean):
		head, err = r.take(1)
		if err == nil && head[0] != 0 {
			v.Number = 1
		}
	case byte(String):
		v.Text, err = r.short()
	case markerLongString, markerXML:
		v.Kind = String
		v.Text, err = r.long()
	case byte(Null), byte(Undefined):
	case markerUnsupported:
		v.Kind = Undefined
	case markerReference:
		v.Kind = Undefined
		_, err = r.take(2)
	case byte(Date):
		// "time-zone [...] reserved, not supported should be set to 0x0000" (2.13).
		if v.Number, err = r.double(); err == nil {
			_, err = r.take(2)
		}
	default:
		err = r.container(&v, depth)
	}
	return v, err
}

func (r *Reader) container(v *Value, depth int) (err error) {
	if depth >= MaxDepth {
		return ErrDepth
	}
	switch byte(v.Kind) {
	case byte(Object):
	case markerTypedObject:
		v.Kind = Object
		_, err = r.short()
	case byte(Array):
		// The count is advice: senders write 0, or lie.
		_, err = r.count()
	case byte(List):
		return r.list(v, depth)
	default:
		return ErrMarker
	}
	if err != nil {
		return err
	}
	return r.members(v, depth)
}

func (r *Reader) list(v *Value, depth int) error {
	n, err := r.count()
	if err != nil {
		return err
	}
	for range n { // at most as many as there are bytes
		var m Member
		if m.Value, err = r.value(depth + 1); err != nil {
			return err
		}
		v.Members = append(v.Members, m)
	}
	return nil
}

func (r *Reader) members(v *Value, depth int) (err error) {
	for {
		var m Member
		if m.Name, err = r.short(); err != nil {
			return err
		}
		if m.Name == "" && len(r.b) > 0 && r.b[0] == markerEnd {
			r.b = r.b[1:]
			return nil
		}
		if m.Value, err = r.value(depth + 1); err != nil {
			return err
		}
		v.Members = append(v.Members, m)
	}
}
