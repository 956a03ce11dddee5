package amf0_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"barrage/ingest/amf0"
)

func number(v float64) amf0.Value { return amf0.Value{Kind: amf0.Number, Number: v} }
func text(s string) amf0.Value    { return amf0.Value{Kind: amf0.String, Text: s} }

func member(name string, v amf0.Value) amf0.Member { return amf0.Member{Name: name, Value: v} }

func TestNext(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want amf0.Value
	}{
		"number":       {"\x00\x3f\xf0\x00\x00\x00\x00\x00\x00", number(1)},
		"true":         {"\x01\x01", amf0.Value{Kind: amf0.Boolean, Number: 1}},
		"false":        {"\x01\x00", amf0.Value{Kind: amf0.Boolean}},
		"string":       {"\x02\x00\x02ab", text("ab")},
		"no UTF-8":     {"\x02\x00\x01\xff", text("\xff")},
		"long string":  {"\x0c\x00\x00\x00\x02ab", text("ab")},
		"XML":          {"\x0f\x00\x00\x00\x02ab", text("ab")},
		"null":         {"\x05", amf0.Value{Kind: amf0.Null}},
		"undefined":    {"\x06", amf0.Value{Kind: amf0.Undefined}},
		"unsupported":  {"\x0d", amf0.Value{Kind: amf0.Undefined}},
		"reference":    {"\x07\x00\x01", amf0.Value{Kind: amf0.Undefined}},
		"date":         {"\x0b\x3f\xf0\x00\x00\x00\x00\x00\x00\x00\x3c", amf0.Value{Kind: amf0.Date, Number: 1}},
		"empty object": {"\x03\x00\x00\x09", amf0.Value{Kind: amf0.Object}},
		"object": {"\x03\x00\x01a\x05\x00\x01b\x02\x00\x01c\x00\x00\x09", amf0.Value{Kind: amf0.Object, Members: []amf0.Member{
			member("a", amf0.Value{Kind: amf0.Null}), member("b", text("c")),
		}}},
		"typed object": {"\x10\x00\x01T\x00\x01a\x05\x00\x00\x09", amf0.Value{Kind: amf0.Object, Members: []amf0.Member{
			member("a", amf0.Value{Kind: amf0.Null}),
		}}},
		"ECMA array that lies": {"\x08\xff\xff\xff\xff\x00\x01a\x05\x00\x00\x09", amf0.Value{Kind: amf0.Array, Members: []amf0.Member{
			member("a", amf0.Value{Kind: amf0.Null}),
		}}},
		"strict array": {"\x0a\x00\x00\x00\x02\x05\x02\x00\x01a", amf0.Value{Kind: amf0.List, Members: []amf0.Member{
			member("", amf0.Value{Kind: amf0.Null}), member("", text("a")),
		}}},
	} {
		r := amf0.NewReader([]byte(c.in + "rest"))
		if got, err := r.Next(); err != nil || !reflect.DeepEqual(got, c.want) || string(r.Rest()) != "rest" {
			t.Errorf("%s: Next(%q) = %+v, %v, rest %q, want %+v", name, c.in, got, err, r.Rest(), c.want)
		}
	}
}

func TestNextErrors(t *testing.T) {
	nested := strings.Repeat("\x03\x00\x01a", 40_000)
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"nothing":                  {"", io.EOF},
		"half a number":            {"\x00\x00", amf0.ErrShort},
		"no boolean":               {"\x01", amf0.ErrShort},
		"half a string":            {"\x02\x00\x05ab", amf0.ErrShort},
		"half a string's length":   {"\x02\x00", amf0.ErrShort},
		"half a long string":       {"\x0c\xff\xff\xff\xffab", amf0.ErrShort},
		"half a date":              {"\x0b\x3f\xf0\x00\x00\x00\x00\x00\x00\x00", amf0.ErrShort},
		"half a reference":         {"\x07\x00", amf0.ErrShort},
		"object without end":       {"\x03\x00\x01a\x05", amf0.ErrShort},
		"typed object of nothing":  {"\x10", amf0.ErrShort},
		"array without count":      {"\x08\x00", amf0.ErrShort},
		"list without count":       {"\x0a\x00", amf0.ErrShort},
		"list of 2^31 of nothing":  {"\x0a\x80\x00\x00\x00", amf0.ErrShort},
		"list of 2^32-1 nulls":     {"\x0a\xff\xff\xff\xff" + strings.Repeat("\x05", 60_000), amf0.ErrNodes},
		"deep":                     {nested, amf0.ErrDepth},
		"deep lists":               {strings.Repeat("\x0a\x00\x00\x00\x01", 17), amf0.ErrDepth},
		"AMF 3":                    {"\x11\x01", amf0.ErrMarker},
		"movie clip":               {"\x04", amf0.ErrMarker},
		"end marker out of place":  {"\x09", amf0.ErrMarker},
		"unknown marker in member": {"\x03\x00\x01a\x77", amf0.ErrMarker},
	} {
		if v, err := amf0.NewReader([]byte(c.in)).Next(); !errors.Is(err, c.want) {
			t.Errorf("%s: Next = %+v, %v, want %v", name, v, err, c.want)
		}
	}
	r := amf0.NewReader(bytes.Repeat([]byte{5}, amf0.MaxNodes+1))
	for range amf0.MaxNodes {
		if _, err := r.Next(); err != nil {
			t.Fatalf("a value within the bound: %v", err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, amf0.ErrNodes) {
		t.Errorf("one value more than the bound: %v, want %v", err, amf0.ErrNodes)
	}
}

// The bound on values is one on memory as well.
func TestBoundedMemory(t *testing.T) {
	bomb := append([]byte("\x0a\xff\xff\xff\xff"), bytes.Repeat([]byte{5}, 1<<16)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, err := amf0.NewReader(bomb).Next(); !errors.Is(err, amf0.ErrNodes) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / 100; n > 2<<20 {
		t.Errorf("a bomb of %d bytes costs %d bytes, want at most 2 MiB", len(bomb), n)
	}
}

func TestMember(t *testing.T) {
	v := amf0.Value{Kind: amf0.Object, Members: []amf0.Member{member("a", number(1)), member("a", number(2))}}
	if got := v.Member("a"); got.Number != 1 {
		t.Errorf("Member = %+v, want the first", got)
	}
	if got := v.Member("b"); got.Kind != amf0.Undefined {
		t.Errorf("Member that is not there = %+v, want undefined", got)
	}
}

func TestAppend(t *testing.T) {
	for _, v := range []amf0.Value{
		number(math.Pi),
		{Kind: amf0.Boolean, Number: 1},
		{Kind: amf0.Boolean},
		{Kind: amf0.Null},
		{Kind: amf0.Undefined},
		{Kind: amf0.Date, Number: 1e12},
		text("日本"),
		text(strings.Repeat("x", 70_000)),
		{Kind: amf0.Object, Members: []amf0.Member{member("a", text("b")), member("c", amf0.Value{Kind: amf0.Object})}},
		{Kind: amf0.Array, Members: []amf0.Member{member("a", number(1))}},
		{Kind: amf0.List, Members: []amf0.Member{member("", number(1)), member("", text("x"))}},
	} {
		b := amf0.Append([]byte("before"), v)
		r := amf0.NewReader(b[len("before"):])
		if got, err := r.Next(); err != nil || !reflect.DeepEqual(got, v) || len(r.Rest()) != 0 {
			t.Errorf("Next(Append(%+v)) = %+v, %v", v, got, err)
		}
	}
	if got := amf0.AppendString(nil, "a\xffb"); string(got) != "\x02\x00\x05a\uFFFDb" {
		t.Errorf("AppendString of no UTF-8 = %q", got)
	}
	nameless := amf0.Append(nil, amf0.Value{Kind: amf0.Object, Members: []amf0.Member{member("", number(1))}})
	if string(nameless) != "\x03\x00\x00\x09" {
		t.Errorf("an object with a nameless member = %q, want an empty one", nameless)
	}
}

// FuzzAMF0 checks that reading ends, and that writing what was read and reading
// that changes nothing any more.
func FuzzAMF0(f *testing.F) {
	f.Add([]byte("\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\x03\x00\x03app\x02\x00\x04live\x00\x00\x09"))
	f.Add([]byte("\x0a\x80\x00\x00\x00"))
	f.Add([]byte("\x08\x00\x00\x00\x01\x00\x01a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09"))
	f.Fuzz(func(t *testing.T, b []byte) {
		values := func(b []byte) (vs []amf0.Value) {
			for r := amf0.NewReader(b); ; {
				v, err := r.Next()
				if err != nil {
					return vs
				}
				vs = append(vs, v)
			}
		}
		write := func(vs []amf0.Value) (b []byte) {
			for _, v := range vs {
				b = amf0.Append(b, v)
			}
			return b
		}
		once := write(values(b))
		if twice := write(values(once)); !bytes.Equal(once, twice) {
			t.Errorf("%q is written as %q, and that as %q", b, once, twice)
		}
	})
}
