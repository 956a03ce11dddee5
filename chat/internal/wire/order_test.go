package wire_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"barrage/chat/internal/wire"
)

func TestOrderMessages(t *testing.T) {
	c := comment("i1", "草")
	rules, err := wire.AppendRules(nil, map[string]int{"slow": 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct{ what, got, want string }{
		{"delete", string(wire.AppendDeleteEvent(nil, wire.Deleted{IDs: []string{"a", "b"}})), `{"op":"event","kind":"delete","ids":["a","b"],"who":""}`},
		{"delete of a person", string(wire.AppendDeleteEvent(nil, wire.Deleted{Who: "p"})), `{"op":"event","kind":"delete","ids":[],"who":"p"}`},
		{"pin", string(wire.AppendPinEvent(nil, c)), `{"op":"event","kind":"pin","pinned":[` + string(c) + `]}`},
		{"unpin", string(wire.AppendPinEvent(nil, nil)), `{"op":"event","kind":"pin","pinned":[]}`},
		{"notice", string(wire.AppendNoticeEvent(nil, `"hi"`)), `{"op":"event","kind":"notice","text":"\"hi\""}`},
		{"mute", string(wire.AppendMuteEvent(nil, true, -1)), `{"op":"event","kind":"mute","muted":true,"retry_ms":-1}`},
		{"done", string(wire.AppendDone(nil, "m1", "mute")), `{"op":"done","cid":"m1","do":"mute"}`},
		{"error", string(wire.AppendOrderError(nil, "m1", "forbidden")), `{"op":"error","code":"forbidden","retry_ms":0,"cid":"m1"}`},
		{"rules", string(rules), `{"op":"rules","rules":{"slow":5}}`},
	} {
		if m.got != m.want || !json.Valid([]byte(m.got)) {
			t.Errorf("%s\n got %s\nwant %s", m.what, m.got, m.want)
		}
	}
}

func TestParseOrder(t *testing.T) {
	got, err := wire.ParseClient([]byte(`{"op":"mod","do":"mute","cid":"m1","who":"p","seconds":600,"show":true}`))
	if want := (wire.Order{Do: "mute", Who: "p", Seconds: 600, Show: true}); err != nil || got.Order == nil || !reflect.DeepEqual(*got.Order, want) {
		t.Errorf("order = %+v, %v, want %+v", got.Order, err, want)
	}
}

func TestEventsAndRulesInFrames(t *testing.T) {
	events := [][]byte{wire.AppendNoticeEvent(nil, "a"), wire.AppendPinEvent(nil, nil)}
	v, err := wire.ParseFrame(wire.AppendPartial(nil, wire.Partial{Node: "n", N: 1, Rules: 7, Events: events}))
	if p, ok := v.(*wire.Partial); !ok || p.Rules != 7 || !reflect.DeepEqual(p.Events, events) {
		t.Errorf("partial = %+v, %v", v, err)
	}
	v, err = wire.ParseFrame(wire.AppendFinished(nil, wire.Finished{Epoch: "e", Events: events}))
	if f, ok := v.(*wire.Finished); !ok || !reflect.DeepEqual(f.Events, events) {
		t.Errorf("finished = %+v, %v", v, err)
	}
}

func TestDeletedFromTicks(t *testing.T) {
	a, b := comment("a", "one"), wire.AppendComment(nil, wire.Comment{ID: "b", Author: `q"2`, Text: "two", Role: "host"})
	tick, _ := wire.AppendTick(nil, wire.Tick{Seq: 4, T: 5, Viewers: 6, Likes: 7, Rest: 8, Comments: [][]byte{a, b}})
	for _, c := range []struct {
		what string
		d    wire.Deleted
		kept [][]byte
	}{
		{"by id", wire.Deleted{IDs: []string{"x", "a"}}, [][]byte{b}},
		{"by author", wire.Deleted{Who: `q"2`}, [][]byte{a}},
		{"nothing", wire.Deleted{IDs: []string{"x"}}, nil},
	} {
		got, ok := wire.WithoutDeleted(tick, c.d)
		if ok != (c.kept != nil) {
			t.Errorf("%s: changed = %v", c.what, ok)
		}
		want, _ := wire.AppendTick(nil, wire.Tick{Seq: 4, T: 5, Viewers: 6, Likes: 7, Rest: 8, Comments: c.kept})
		if ok && string(got) != string(want) {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, want)
		}
		event, ok := wire.ParseDeleteEvent(wire.AppendDeleteEvent(nil, c.d))
		if !ok || event.Who != c.d.Who || len(event.IDs) != len(c.d.IDs) {
			t.Errorf("%s: event = %+v, %v", c.what, event, ok)
		}
	}
	if _, ok := wire.WithoutDeleted([]byte("{"), wire.Deleted{Who: "a"}); ok {
		t.Error("half a tick was changed")
	}
	if _, ok := wire.ParseDeleteEvent(wire.AppendNoticeEvent(nil, "a")); ok {
		t.Error("a notice passes for a delete event")
	}
}

func TestRecords(t *testing.T) {
	for _, r := range []wire.Record{
		{Node: "n", N: 3, T: 9, Mod: &wire.Deed{Do: "delete", By: "anna", Role: "host", IDs: []string{"i1"}}},
		{Node: "n", T: 9, Stat: &wire.Measure{Seconds: 10, Viewers: 2, Comments: 3, Likes: 4, LikesTotal: 5}},
	} {
		b, err := wire.AppendRecord(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := wire.ParseRecord(b); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("ParseRecord(%s) = %+v, %v", b, got, err)
		}
		// A reader of comments takes it for a batch without any.
		if batch, err := wire.ParseBatch(b); err != nil || batch.Node != r.Node || batch.N != r.N || len(batch.Comments) != 0 {
			t.Errorf("ParseBatch(%s) = %+v, %v", b, batch, err)
		}
	}
	if _, err := wire.ParseRecord(wire.AppendBatch(nil, wire.Batch{Node: "n"})); !errors.Is(err, wire.ErrBadRecord) {
		t.Errorf("a batch of comments as a record: %v", err)
	}
}

func TestParseComment(t *testing.T) {
	want := wire.Comment{ID: "i", PDT: 5, Author: "a", Nick: "n", Text: "t", Mode: "top", Color: "#ffffff", Role: "host"}
	if got, err := wire.ParseComment(wire.AppendComment(nil, want)); err != nil || got != want {
		t.Errorf("ParseComment = %+v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", "[]", "[5]", `[""]`} {
		if _, err := wire.ParseComment([]byte(bad)); err == nil {
			t.Errorf("ParseComment(%q) succeeds", bad)
		}
	}
}
