package wire_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"barrage/chat/internal/wire"
)

var spoken = []wire.Comment{
	{ID: "f1-a", PDT: 1_790_000_000_123, Author: "u1", Nick: `"quoted\`, Text: `\\"],"cid":["`, Mode: "scroll", Color: "#ffffff", Role: "viewer"},
	{ID: "f2-a", PDT: 5, Author: "u,2", Nick: "小明", Text: "[バルス]", Mode: "top", Color: "#ff0000", Role: "host"},
}

func TestParseFields(t *testing.T) {
	for _, c := range spoken {
		encoded := wire.AppendComment(nil, c)
		f, ok := wire.ParseFields(encoded)
		if pdt, err := f.PDT(); !ok || err != nil || pdt != c.PDT || string(f.ID()) != c.ID {
			t.Fatalf("ParseFields(%s): id %s, pdt %d, %v, %v", encoded, f.ID(), pdt, err, ok)
		}
		for i, want := range map[int]string{
			wire.FieldAuthor: c.Author, wire.FieldNick: c.Nick, wire.FieldText: c.Text,
			wire.FieldMode: c.Mode, wire.FieldColor: c.Color, wire.FieldRole: c.Role,
		} {
			var got string
			if err := json.Unmarshal(f[i], &got); err != nil || got != want {
				t.Errorf("field %d of %s = %s, %v, want %q", i, encoded, f[i], err, want)
			}
		}
		if _, ok = wire.ParseFields(append(encoded[:len(encoded)-1:len(encoded)-1], `,"later"]`...)); !ok {
			t.Errorf("%s with a ninth field is refused: arrays may grow at their end", encoded)
		}
	}
	for _, bad := range []string{"", "[", "[]", `["a"]`, `["a",1,"b","c","d","e","f"]`, `["a",1,"b","c","d","e","f","g"`, `{"a":1}`, `["a`, `["\"`} {
		if f, ok := wire.ParseFields([]byte(bad)); ok {
			t.Errorf("ParseFields(%s) = %s, want refused", bad, f)
		}
	}
}

func TestSaid(t *testing.T) {
	for n := range 3 {
		b := batchOf(spoken[:n]...)
		at, all, ok := wire.Said(b)
		if !ok || at != 77 {
			t.Fatalf("Said(%s) = %d, %v", b, at, ok)
		}
		var comments, cids []string
		for c, cid := range all {
			comments, cids = append(comments, string(c)), append(cids, string(cid))
		}
		if want := encoded(spoken[:n]...); !slices.Equal(comments, want) || !reflect.DeepEqual(cids, []string{`"c0"`, `"c1"`}[:n:n]) && n > 0 {
			t.Errorf("Said(%s):\n got %s %s\nwant %s", b, comments, cids, want)
		}
	}
	for _, bad := range []string{"", "{}", `{"v":1,"node":"a","t":5,"stat":{}}`, `{"v":1,"node":"a","n":1,"t":5,"c":[`, `{"v":1,"node":"a","n":1,"t":5,"c":[],"cid":["x"]}`} {
		if _, _, ok := wire.Said([]byte(bad)); ok {
			t.Errorf("Said(%s) is a batch, want not", bad)
		}
	}
}

func encoded(comments ...wire.Comment) (all []string) {
	for _, c := range comments {
		all = append(all, string(wire.AppendComment(nil, c)))
	}
	return all
}

// batchOf is spelled out: the archive reads what nodes of other versions have written.
func batchOf(comments ...wire.Comment) []byte {
	cids := make([]string, len(comments))
	for i := range comments {
		cids[i] = `"c` + string(rune('0'+i)) + `"`
	}
	return []byte(`{"v":1,"node":"n,\"t\":1","n":3,"t":77,"c":[` + strings.Join(encoded(comments...), ",") + `],"cid":[` + strings.Join(cids, ",") + `]}`)
}

func FuzzSaid(f *testing.F) {
	f.Add(batchOf(spoken...))
	f.Add([]byte(`{"v":1,"node":"a","t":5,"c":[["a\"]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, all, ok := wire.Said(b)
		if !ok {
			return
		}
		for c, cid := range all {
			wire.ParseFields(c)
			if len(cid) < 2 {
				t.Errorf("a cid of %q in %q", cid, b)
			}
		}
	})
}
