package wire

import (
	"bytes"
	"iter"
	"strconv"
)

// The places in a comment, as AppendComment writes it.
const (
	FieldID = iota
	FieldPDT
	FieldAuthor
	FieldNick
	FieldText
	FieldMode
	FieldColor
	FieldRole
	fieldCount
)

// Fields are the values of an encoded comment as JSON, parts of it.
type Fields [fieldCount][]byte

// ParseFields takes an encoded comment apart without decoding it. ok = it has all
// fields; more may follow them.
func ParseFields(comment []byte) (f Fields, ok bool) {
	if len(comment) == 0 || comment[0] != '[' {
		return f, false
	}
	rest := comment[1:]
	for i := range f {
		n := valueLength(rest)
		if n == 0 {
			return f, false
		}
		f[i], rest = rest[:n], rest[n:]
		if len(rest) == 0 || rest[0] != ',' && (rest[0] != ']' || i < fieldCount-1) {
			return f, false
		}
		rest = rest[1:]
	}
	return f, true
}

// PDT is the comment's program date time, in ms.
func (f *Fields) PDT() (int64, error) { return strconv.ParseInt(string(f[FieldPDT]), 10, 64) }

// ID is the comment's id: ids need no escapes.
func (f *Fields) ID() []byte { return inside(f[FieldID]) }

// Author is the author's id as it stands in JSON.
func (f *Fields) Author() []byte { return inside(f[FieldAuthor]) }

func inside(s []byte) []byte {
	if len(s) < 2 || s[0] != '"' {
		return nil
	}
	return s[1 : len(s)-1]
}

// valueLength is the length of the string or number that b begins with; 0 = it
// does not begin with one.
func valueLength(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	if b[0] != '"' {
		n := bytes.IndexAny(b, ",]}")
		return max(n, 0)
	}
	for i := 1; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return 0
		}
		end := i + n
		escapes := 0
		for b[end-1-escapes] == '\\' {
			escapes++
		}
		if i = end + 1; escapes%2 == 0 {
			return i
		}
	}
}

// arrayLength is the length of the array of strings and numbers that b begins
// with; 0 = it does not begin with one.
func arrayLength(b []byte) int {
	if len(b) == 0 || b[0] != '[' {
		return 0
	}
	for i := 1; i < len(b); {
		n := valueLength(b[i:])
		if n == 0 || i+n >= len(b) {
			return 0
		}
		switch i += n + 1; b[i-1] {
		case ']':
			return i
		case ',':
		default:
			return 0
		}
	}
	return 0
}

// Said is the comments of a batch of the log, each with the JSON of its cid: parts
// of the batch, taken apart without being decoded. ok = batch is as AppendBatch
// makes it; whoever logs a surge has no time for a general decoder.
func Said(batch []byte) (t int64, all iter.Seq2[[]byte, []byte], ok bool) {
	head, body, found := bytes.Cut(batch, []byte(`,"c":[`))
	at := bytes.LastIndex(head, []byte(`,"t":`))
	if !found || at < 0 || !bytes.HasPrefix(head, []byte(`{"v":1,"node":`)) {
		return 0, nil, false
	}
	t, err := strconv.ParseInt(string(head[at+5:]), 10, 64)
	if err != nil {
		return 0, nil, false
	}
	end, count := list(body, arrayLength)
	cids, found := bytes.CutPrefix(body[end:], []byte(`],"cid":[`))
	if !found {
		return 0, nil, false
	}
	if n, m := list(cids, stringLength); m != count || string(cids[n:]) != "]}" {
		return 0, nil, false
	}
	return t, func(yield func(comment, cid []byte) bool) {
		body, cids := body, cids
		for range count {
			n, m := arrayLength(body), valueLength(cids)
			if !yield(body[:n], cids[:m]) {
				return
			}
			body, cids = body[n+1:], cids[m+1:]
		}
	}, true
}

// list measures what b begins with: values with a comma between.
func list(b []byte, length func([]byte) int) (end, count int) {
	for {
		n := length(b[end:])
		if n == 0 {
			return end, count
		}
		end, count = end+n, count+1
		if end == len(b) || b[end] != ',' {
			return end, count
		}
		end++
	}
}

func stringLength(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	return valueLength(b)
}
