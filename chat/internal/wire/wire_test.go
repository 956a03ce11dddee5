package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"barrage/chat/internal/wire"
)

func comment(id, text string) []byte {
	return wire.AppendComment(nil, wire.Comment{
		ID: id, PDT: 1_790_000_000_123, Author: "a1", Nick: "小明", Text: text, Mode: "scroll", Color: "#ffffff", Role: "viewer",
	})
}

func TestMessages(t *testing.T) {
	c := comment("i1", `草"\`)
	tick, at := wire.AppendTick(nil, wire.Tick{
		Seq: 42, T: 7, Viewers: 3, Likes: 9, Rest: 2, Comments: [][]byte{c, c},
		Combos: []wire.Combo{{Key: 5, ID: "i1", Delta: 2, Total: 3}, {Key: 6, ID: "i0", Delta: 1, Total: 9}},
	})
	if !bytes.HasPrefix(tick[at:], c) {
		t.Errorf("comments start at %d, which is %q", at, tick[at:])
	}
	var acks []byte
	for _, a := range []wire.Ack{{"c1", "i1", "shown", ""}, {"c2", "", "rejected", "too_long"}, {"c3", "i3", "merged", "i1"}} {
		acks = wire.AppendAck(acks, a)
	}
	policy := wire.Policy{Tick: 100, Delay: 400, Rate: 0.5, Burst: 3, Runes: 200, Bytes: 600, Slow: 5}
	session := wire.Session{Phase: "live", Session: "s1", Epoch: "k3", Live: true, Players: 2}
	you := wire.You{ID: "a1", Nick: "小明", Role: "viewer", Token: "t.t"}
	for _, m := range []struct{ what, got, want string }{
		{"comment", string(c), `["i1",1790000000123,"a1","小明","草\"\\","scroll","#ffffff","viewer"]`},
		{"tick", string(tick), `{"op":"tick","seq":42,"t":7,"viewers":3,"likes":9,"c":[` + string(c) + `,` + string(c) + `],"k":[["i1",2,3],["i0",1,9]],"rest":2}`},
		{
			"acks", string(wire.AppendAcks(nil, acks)),
			`{"op":"acks","a":[["c1","i1","shown"],["c2","","rejected","too_long"],["c3","i3","merged","i1"]]}`,
		},
		{
			"welcome", string(wire.AppendWelcome(nil, wire.Welcome{
				Epoch: "e1", Seq: 41, You: you, Policy: policy, History: [][]byte{c},
				Counters: wire.Counters{Viewers: 3, Comments: 120, Likes: 7}, Session: session, Pinned: c, Notice: "be kind", Now: 5,
			})),
			`{"op":"welcome","v":1,"epoch":"e1","seq":41,"resumed":false,"you":{"id":"a1","nick":"小明","role":"viewer","token":"t.t"},` +
				`"policy":{"tick":100,"delay":400,"rate":0.5,"burst":3,"max_runes":200,"max_bytes":600,"slow":5},"history":[` + string(c) + `],"pinned":[` + string(c) + `],` +
				`"notice":"be kind","counters":{"viewers":3,"comments":120,"likes":7},"session":{"phase":"live","session":"s1","epoch":"k3","live":true,"players":2},"degraded":false,"now":5}`,
		},
		{"you", string(wire.AppendYou(nil, you)), `{"op":"you","id":"a1","nick":"小明","role":"viewer"}`},
		{
			"session", string(wire.AppendSessionEvent(nil, session)),
			`{"op":"event","kind":"session","phase":"live","session":"s1","epoch":"k3","live":true,"players":2}`,
		},
		{
			"policy", string(wire.AppendPolicyEvent(nil, policy)),
			`{"op":"event","kind":"policy","tick":100,"delay":400,"rate":0.5,"burst":3,"max_runes":200,"max_bytes":600,"slow":5}`,
		},
		{"degraded", string(wire.AppendDegradedEvent(nil, "unavailable")), `{"op":"event","kind":"degraded","degraded":true,"reason":"unavailable"}`},
		{"apart", string(wire.AppendDegradedEvent(nil, "apart")), `{"op":"event","kind":"degraded","degraded":true,"reason":"apart"}`},
		{"local", string(wire.AppendLocal(nil, wire.Tick{T: 7, Comments: [][]byte{c}, Rest: 1})), `{"op":"local","t":7,"c":[` + string(c) + `],"k":[],"rest":1}`},
		{
			"renumbered", string(wire.Renumber(wire.AppendBatch(nil, wire.Batch{Node: "a", T: 7, Comments: c, CIDs: []byte(`"x"`)}), "b", 9)),
			`{"v":1,"node":"b","n":9,"t":7,"c":[` + string(c) + `],"cid":["x"]}`,
		},
		{"recovered", string(wire.AppendDegradedEvent(nil, "")), `{"op":"event","kind":"degraded","degraded":false}`},
		{"gap", string(wire.AppendGap(nil, 43, 50)), `{"op":"gap","from":43,"to":50}`},
		{"reset", string(wire.AppendReset(nil, "e2", 0)), `{"op":"reset","epoch":"e2","seq":0}`},
		{"error", string(wire.AppendError(nil, "too_fast", 700)), `{"op":"error","code":"too_fast","retry_ms":700}`},
		{"pong", string(wire.AppendPong(nil, 5)), `{"op":"pong","now":5}`},
		{"bye", string(wire.AppendBye(nil, 4001, "restart", 1500)), `{"op":"bye","code":4001,"reason":"restart","retry_ms":1500}`},
	} {
		if m.got != m.want {
			t.Errorf("%s\n got %s\nwant %s", m.what, m.got, m.want)
		}
		if !json.Valid([]byte(m.got)) {
			t.Errorf("%s is not JSON: %s", m.what, m.got)
		}
	}
}

func TestParseClient(t *testing.T) {
	got, err := wire.ParseClient([]byte(`{"op":"send","cid":"k-1","text":"草","pdt":5,"mode":"top","color":"#ff0000","future":[1]}`))
	want := wire.Client{Op: "send", CID: "k-1", Text: "草", PDT: 5, Mode: "top", Color: "#ff0000"}
	if err != nil || got != want {
		t.Errorf("send = %+v, %v, want %+v", got, err, want)
	}
	got, err = wire.ParseClient([]byte(` {"op":"hello","nick":"a","token":"t","resume":{"epoch":"e","seq":41}}`))
	if err != nil || got.Resume == nil || *got.Resume != (wire.Resume{Epoch: "e", Seq: 41}) {
		t.Errorf("hello = %+v, %v", got, err)
	}
	for _, c := range []struct {
		in   string
		want error
	}{
		{"", wire.ErrBadJSON},
		{"null", wire.ErrBadJSON},
		{"[1]", wire.ErrBadJSON},
		{"{}", wire.ErrBadJSON},
		{`{"op":"send"} x`, wire.ErrBadJSON},
		{`{"op":5}`, wire.ErrBadJSON},
		{`{"op":"hello","resume":{"seq":-1}}`, wire.ErrBadJSON},
		{"{\"op\":\"send\",\"text\":\"\xff\"}", wire.ErrNotUTF8},
	} {
		if _, err = wire.ParseClient([]byte(c.in)); !errors.Is(err, c.want) {
			t.Errorf("ParseClient(%q): %v, want %v", c.in, err, c.want)
		}
	}
}

func TestValidCID(t *testing.T) {
	for in, want := range map[string]bool{
		"k3-1": true, "a.b:c_D": true, "": false, "a b": false, `a"`: false, "草": false,
		strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
	} {
		if got := wire.ValidCID(in); got != want {
			t.Errorf("ValidCID(%q) = %v, want %v", in, got, want)
		}
	}
}

func partial() wire.Partial {
	return wire.Partial{
		Node: "n1", N: 300, Confirmed: 299, Viewers: 5, Likes: 8,
		Said:    [][]byte{comment("i1", "a")},
		Keys:    []wire.Key{{Hash: 1 << 63, Count: 7, Comment: comment("i2", "b")}, {Hash: 2, Count: 300}},
		Singles: wire.Singles(nil).Append(5).Append(1 << 40),
	}
}

func finished() wire.Finished {
	return wire.Finished{
		Epoch: "e1",
		Tick: wire.Tick{
			Seq: 42, T: 1_790_000_000_000, Viewers: 3, Likes: 9, Rest: 2, Comments: [][]byte{comment("i1", "a"), comment("i2", "b")},
			Combos: []wire.Combo{{Key: 9, ID: "i2", Delta: 3, Total: 4}, {Key: 1 << 63, ID: "i0", Delta: 300, Total: 143_199}},
		},
		Keys:     []uint64{0, 9},
		Merged:   []wire.Merged{{"n1", 300}, {"n2", 1}},
		Comments: 1000,
	}
}

func TestBusRoundTrip(t *testing.T) {
	p := partial()
	frame := wire.AppendPartial(nil, p)
	if got, err := wire.ParseFrame(frame); err != nil || !reflect.DeepEqual(got, &p) {
		t.Errorf("partial = %+v, %v, want %+v", got, err, p)
	}
	f := finished()
	f.Public, _ = wire.AppendTick(nil, f.Tick)
	whole := wire.AppendFinished(nil, f)
	if got, err := wire.ParseFrame(whole); err != nil || !reflect.DeepEqual(got, &f) {
		t.Errorf("finished = %+v, %v, want %+v", got, err, f)
	}
	for n := range frame {
		if got, err := wire.ParseFrame(frame[:n]); !errors.Is(err, wire.ErrBadFrame) {
			t.Fatalf("partial cut to %d bytes = %+v, %v, want ErrBadFrame", n, got, err)
		}
	}
	if _, err := wire.ParseFrame(append(frame, 0)); !errors.Is(err, wire.ErrBadFrame) {
		t.Errorf("partial with a tail: %v, want ErrBadFrame", err)
	}
	if _, err := wire.ParseFrame([]byte("Z")); !errors.Is(err, wire.ErrBadFrame) {
		t.Errorf("unknown kind: %v, want ErrBadFrame", err)
	}
}

func TestBatchRoundTrip(t *testing.T) {
	want := wire.Logged{Node: "n1", N: 3, T: 5, Comments: [][]byte{comment("i1", "a"), comment("i2", "b")}, CIDs: []string{"c1", "c2"}}
	text := wire.AppendBatch(nil, wire.Batch{
		Node: "n1", N: 3, T: 5, Comments: bytes.Join(want.Comments, []byte(",")), CIDs: []byte(`"c1","c2"`),
	})
	got, err := wire.ParseBatch(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("batch = %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "[]", `{"c":[1]}`, `{"c":[["a",1],{}]}`} {
		if _, err = wire.ParseBatch([]byte(bad)); err == nil {
			t.Errorf("ParseBatch(%q) = nil, want an error", bad)
		}
	}
}

func TestCommentID(t *testing.T) {
	for in, want := range map[string]string{`["a-1",5]`: "a-1", `["`: "", "": "", `[1]`: "", `{"a"}`: "", `["abc`: ""} {
		if got := string(wire.CommentID([]byte(in))); got != want {
			t.Errorf("CommentID(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCommentAuthor(t *testing.T) {
	for in, want := range map[string]string{
		string(comment("i1", "a")): "a1", `["a\"b",5,"x\\","n"]`: `x\\`, `["a",5]`: "", `["a"]`: "", `["a",5,6]`: "", "": "", `[`: "", `["a",5,"`: "",
	} {
		if got := string(wire.CommentAuthor([]byte(in))); got != want {
			t.Errorf("CommentAuthor(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPartialCount(t *testing.T) {
	p := partial()
	if got := p.Count(); got != 1+7+300+2 {
		t.Errorf("count = %d, want 310", got)
	}
	if got := slices.Collect(p.Singles.All()); !slices.Equal(got, []uint64{5, 1 << 40}) {
		t.Errorf("singles = %d", got)
	}
}

// TestScanIsTaken: what pages send does not go to the general decoder, which
// allocates more than the one string.
func TestScanIsTaken(t *testing.T) {
	frame := []byte(`{"op":"send","cid":"k3-17","text":"バルス!!","pdt":1790000000123,"mode":"scroll","color":"#ffffff"}`)
	if n := testing.AllocsPerRun(100, func() { _, _ = wire.ParseClient(frame) }); n != 1 {
		t.Errorf("a send takes %v allocations, want 1", n)
	}
}

// FuzzScan: the scanner and the general decoder, which a further key brings in,
// say the same.
func FuzzScan(f *testing.F) {
	f.Add(`{"op":"send","cid":"a","text":"b","pdt":5,"mode":"top","color":"#ffffff"}`)
	f.Add(`{ "text" : "b\\u0041" , "op":"send", "pdt":-1 }`)
	f.Add(`{"op":"send","op":"like","pdt":01}`)
	f.Add(`{"op":"send","pdt":1e3,"OP":"x","cid":null} `)
	f.Add(`{"op":"send",}`)
	f.Add(`{"op":"send"}{`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := wire.ParseClient([]byte(s))
		at := strings.IndexByte(s, '{')
		if at < 0 || !utf8.ValidString(s) {
			return
		}
		general := s[:at+1] + `"future":1,` + s[at+1:]
		want, err2 := wire.ParseClient([]byte(general))
		if strings.HasPrefix(strings.TrimLeft(s[at+1:], " \t\r\n"), "}") {
			return // a comma before the brace is another mistake
		}
		if (err == nil) != (err2 == nil) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q = %+v, %v; by the general decoder %+v, %v", s, got, err, want, err2)
		}
	})
}

func FuzzParseClient(f *testing.F) {
	f.Add([]byte(`{"op":"send","cid":"a","text":"b"}`))
	f.Add([]byte(`{"op":"hello","resume":{"epoch":"e","seq":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.ParseClient(b)
		if err != nil {
			return
		}
		c := wire.AppendComment(nil, wire.Comment{ID: "i", Nick: m.Nick, Text: m.Text, Mode: m.Mode, Color: m.Color})
		var back []any
		if err = json.Unmarshal(c, &back); err != nil || back[3] != m.Nick || back[4] != m.Text {
			t.Fatalf("%+v comes back as %v, %v", m, back, err)
		}
	})
}

func FuzzParseFrame(f *testing.F) {
	f.Add(wire.AppendPartial(nil, partial()))
	f.Add(wire.AppendFinished(nil, finished()))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := wire.ParseFrame(b)
		if p, ok := v.(*wire.Partial); err == nil && ok {
			again, err2 := wire.ParseFrame(wire.AppendPartial(nil, *p))
			if err2 != nil || !reflect.DeepEqual(again, v) {
				t.Fatalf("%+v comes back as %+v, %v", p, again, err2)
			}
		}
	})
}

func FuzzString(f *testing.F) {
	f.Add("a\"\\\x00\x1f\u2028\xff😀")
	f.Fuzz(func(t *testing.T, s string) {
		b := wire.AppendError(nil, s, 1)
		var m struct{ Code string }
		if err := json.Unmarshal(b, &m); err != nil || !utf8.Valid(b) || m.Code != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Fatalf("%q -> %s -> %q, %v", s, b, m.Code, err)
		}
	})
}

func BenchmarkParseClient(b *testing.B) {
	for name, frame := range map[string]string{
		"send": `{"op":"send","cid":"k3-17","text":"バルス!!","pdt":1790000000123}`,
		"else": `{"op":"send","cid":"k3-17","text":"バルス\u0021!","pdt":1790000000123}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = wire.ParseClient([]byte(frame))
			}
		})
	}
}

func BenchmarkAppendComment(b *testing.B) {
	c := wire.Comment{ID: "hq3k2m9x1a-n7f2", PDT: 1_790_000_000_123, Author: "8f3k2m1p", Nick: "小明", Text: "主播好厉害啊", Mode: "scroll", Color: "#ffffff", Role: "viewer"}
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = wire.AppendComment(dst[:0], c)
	}
}

func BenchmarkAppendTick(b *testing.B) {
	t := wire.Tick{Seq: 42, T: 1_790_000_000_000, Viewers: 70_000}
	for range 30 {
		t.Comments = append(t.Comments, comment("hq3k2m9x1a-n7f2", "主播好厉害啊"))
	}
	dst := make([]byte, 0, 16<<10)
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = wire.AppendTick(dst[:0], t)
	}
	b.SetBytes(int64(len(dst)))
}
