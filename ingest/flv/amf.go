package flv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Bounds on AMF0 data.
const (
	maxDepth = 16
	maxNodes = 4096
)

// AMF0 type markers (AMF 0 specification, 2.1).
const (
	amfNumber      = 0x00
	amfBoolean     = 0x01
	amfString      = 0x02
	amfObject      = 0x03
	amfNull        = 0x05
	amfUndefined   = 0x06
	amfReference   = 0x07
	amfECMAArray   = 0x08
	amfObjectEnd   = 0x09
	amfStrictArray = 0x0a
	amfDate        = 0x0b
	amfLongString  = 0x0c
	amfUnsupported = 0x0d
	amfXML         = 0x0f
	amfTypedObject = 0x10
)

// Errors of the AMF0 reader.
var (
	errDepth  = errors.New("read AMF0: nested too deeply")
	errNodes  = errors.New("read AMF0: too many values")
	errMarker = errors.New("read AMF0: unknown type marker")
)

// scalar is an AMF0 value without its members: all that metadata needs.
type scalar struct {
	marker byte
	number float64 // of a number or a boolean
	text   string  // of a string
}

// reader walks AMF0 data. It allocates nothing but the texts it returns, each
// no longer than the input, and visits at most maxNodes values.
type reader struct {
	b     []byte
	nodes int
}

func (r *reader) take(n int) ([]byte, error) {
	if n > len(r.b) {
		return nil, fmt.Errorf("read AMF0: %w", ErrShort)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b, nil
}

// text reads a string behind a length of width bytes.
func (r *reader) text(width int) (string, error) {
	head, err := r.take(width)
	if err != nil {
		return "", err
	}
	size := uint64(binary.BigEndian.Uint16(head))
	if width == 4 {
		size = uint64(binary.BigEndian.Uint32(head))
	}
	if size > uint64(len(r.b)) {
		return "", fmt.Errorf("read AMF0: %w", ErrShort)
	}
	b, err := r.take(int(size))
	return string(b), err
}

// value reads one value. Members of containers are walked over, and those of
// the outermost object given to member, which may be nil.
func (r *reader) value(depth int, member func(name string, v scalar)) (scalar, error) {
	if depth > maxDepth {
		return scalar{}, errDepth
	}
	if r.nodes++; r.nodes > maxNodes {
		return scalar{}, errNodes
	}
	head, err := r.take(1)
	if err != nil {
		return scalar{}, err
	}
	v := scalar{marker: head[0]}
	switch v.marker {
	case amfNumber:
		v.number, err = r.double()
	case amfBoolean:
		head, err = r.take(1)
		if err == nil && head[0] != 0 {
			v.number = 1
		}
	case amfString:
		v.text, err = r.text(2)
	case amfLongString, amfXML:
		v.text, err = r.text(4)
	case amfNull, amfUndefined, amfUnsupported:
	case amfReference:
		_, err = r.take(2)
	case amfDate: // a double and a time zone of 16 bits
		_, err = r.take(10)
	default:
		err = r.container(v.marker, depth, member)
	}
	return v, err
}

func (r *reader) double() (float64, error) {
	b, err := r.take(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

func (r *reader) container(marker byte, depth int, member func(string, scalar)) error {
	switch marker {
	case amfObject:
		return r.members(depth, member)
	case amfECMAArray:
		// "associative-count" is advice only: senders write 0 or lie, so the
		// end is the end marker, as in an object.
		if _, err := r.take(4); err != nil {
			return err
		}
		return r.members(depth, member)
	case amfTypedObject:
		if _, err := r.text(2); err != nil {
			return err
		}
		return r.members(depth, member)
	case amfStrictArray:
		head, err := r.take(4)
		if err != nil {
			return err
		}
		// The count may say 2^32-1: the loop ends with the input or at maxNodes.
		for range binary.BigEndian.Uint32(head) {
			if _, err = r.value(depth+1, nil); err != nil {
				return err
			}
		}
		return nil
	}
	return errMarker
}

func (r *reader) members(depth int, member func(string, scalar)) error {
	for {
		name, err := r.text(2)
		if err != nil {
			return err
		}
		if name == "" && len(r.b) > 0 && r.b[0] == amfObjectEnd {
			r.b = r.b[1:]
			return nil
		}
		v, err := r.value(depth+1, nil)
		if err != nil {
			return err
		}
		if member != nil {
			member(name, v)
		}
	}
}
