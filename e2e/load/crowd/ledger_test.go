//go:build load && linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// book is a ledger of one writer: comment n has the n-th fate.
func book(statuses ...string) *ledger {
	l := newLedger("p", 1)
	l.authors[0] = hash("me")
	for n, s := range statuses {
		l.add(0, l.begun)
		if s != "" {
			l.settle(ack{cid: fmt.Appendf(nil, "p%08d", n), status: []byte(s), extra: []byte("why")})
		}
	}
	return l
}

// TestLedger: the last ack counts, and only ours.
func TestLedger(t *testing.T) {
	l := book("spooled", "merged", "rejected", "", "held", "eaten")
	n, first, ok := l.settle(ack{cid: []byte("p00000000"), status: []byte("shown")})
	if n != 0 || first || !ok {
		t.Errorf("second ack: %d, %v, %v", n, first, ok)
	}
	for _, cid := range []string{"p00000006", "q00000000", "p0000000x", "p1", ""} {
		if _, _, ok = l.settle(ack{cid: []byte(cid), status: []byte("shown")}); ok {
			t.Errorf("%q is no comment of ours", cid)
		}
	}
	want := [fates]int64{waiting: 1, shown: 1, merged: 1, held: 1, rejected: 1, unknownFate: 1}
	if got := l.counts(); got != want || l.into["why"] != 1 || l.reasons["why"] != 1 {
		t.Errorf("%v, want %v; %v %v", got, want, l.into, l.reasons)
	}
	if age := l.age(l.add(0, l.begun.Add(time.Second)), l.begun.Add(3*time.Second)); age != 2*time.Second {
		t.Errorf("age %v", age)
	}
}

// TestLog: the same comments as lines, and as Redis' batches.
func TestLog(t *testing.T) {
	statuses := []string{"shown", "rest", "shown", "", "rejected", "rejected", "merged"}
	want := audit{Lines: 6, Lost: 1, Double: 1, Author: 1, Unacked: 1, Refused: 1, Missing: []string{"p00000001 rest"}}
	in := []struct{ n, author string }{{"0", "me"}, {"2", "me"}, {"2", "me"}, {"3", "me"}, {"4", "me"}, {"6", "you"}}
	var lines, batches strings.Builder
	for _, c := range in {
		fmt.Fprintf(&lines, `{"id":"i","cid":"p0000000%s","author":"%s","text":"\"cid\":","pdt":1,"t":2}`+"\n", c.n, c.author)
		fmt.Fprintf(&batches, `{"v":1,"node":"n","c":[["i",1,"%s","n","t, u","scroll"],["j",1,"z","n","t"]],"cid":["p0000000%s","other"]}`+"\n", c.author, c.n)
	}
	lines.WriteString(`{"stat":{"viewers":3},"t":2}` + "\n" + `{"id":"i","cid":"q00000000","author":"x"}`)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "live"), 0o700); err != nil {
		t.Fatal(err)
	}
	all := strings.SplitAfter(lines.String(), "\n")
	for name, text := range map[string]string{
		"live/1.ndjson": strings.Join(all[:3], ""), "live/2.ndjson": strings.Join(all[3:], ""), "batches": batches.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "batches")} {
		b, err := readLog(path, "live", "p")
		if err != nil {
			t.Fatal(err)
		}
		got := b.compare(book(statuses...))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want %+v", filepath.Base(path), got, want)
		}
	}
	for name, bad := range map[string]string{"half": `{"c":[["i",1,"p`, "count": `{"c":[],"cid":["p00000000"]}`} {
		if err := (&logbook{prefix: "p"}).read(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := readLog(filepath.Join(dir, "none"), "live", "p"); err == nil {
		t.Error("a log that is not there is no error")
	}
}

// TestObserver: what ticks say must add up.
func TestObserver(t *testing.T) {
	var o observer
	now := time.Now()
	o.remain = 5
	o.take([]byte(`{"op":"tick","seq":7,"viewers":9,"c":[["a",1],["b",1]],"k":[],"rest":3}`), now)
	o.take([]byte(`{"op":"tick","seq":8,"viewers":5,"c":[],"k":[["a",4,5],["b",1,2]],"rest":0}`), now)
	o.take([]byte(`{"op":"tick","seq":9,"viewers":5,"c":[],"k":[["a",2,7]]}`), now.Add(time.Second))
	if o.First != 7 || o.Last != 9 || o.Shown != 2 || o.Deltas != 7 || o.Rest != 3 || o.comments() != 12 || o.Gaps != 0 || !o.left.Equal(now) || len(o.Wrong) > 0 {
		t.Errorf("%+v", o)
	}
	for _, msg := range []string{`{"seq":11,"k":[]}`, `{"seq":12,"k":[["a",1,7]]}`, `{"seq":13,"k":[["a",1]]}`, `{"seq":"x"}`} {
		o.take([]byte(msg), now)
	}
	if o.Gaps != 1 || len(o.Wrong) != 3 {
		t.Errorf("%+v", o)
	}
}

// TestConclusion: the sum of two processes, held against an observer.
func TestConclusion(t *testing.T) {
	one := func() *part {
		p := newPart()
		p.Arrived = 1
		p.Sent, p.Fates = 5, map[string]int64{"shown": 1, "merged": 2, "rest": 1, "rejected": 1}
		p.Into["a"] = 2
		p.Reasons["too_fast"] = 1
		p.Delivery.Add(time.Second)
		return p
	}
	sum := func(observed *observer, extra func(*part)) *report {
		r := &report{Generator: &spent{}, Seconds: 1}
		second := one()
		extra(second)
		text, err := json.Marshal(second)
		if err != nil {
			t.Fatal(err)
		}
		sent := newPart()
		if err = json.Unmarshal(text, sent); err != nil {
			t.Fatal(err)
		}
		first := one()
		first.Observers = []*observer{observed}
		r.add(first)
		r.add(sent)
		r.conclude()
		return r
	}
	good := func() *observer {
		return &observer{Node: "n", Shown: 2, Deltas: 4, Rest: 2, Totals: map[string]int64{"a": 5}}
	}
	r := sum(good(), func(*part) {})
	if !r.clean() || r.Accepted != 8 || r.Sent != 10 || r.DeliveryTime.Count != 2 || r.Reasons["too_fast"] != 2 || r.Combos != 1 {
		t.Errorf("%+v", r)
	}
	var text bytes.Buffer
	r.print(&text)
	if !strings.Contains(text.String(), "shown 2 + combined 4 in 1 combos + rest 2 = 8") {
		t.Error(text.String())
	}
	for name, c := range map[string]struct {
		observed func(*observer)
		part     func(*part)
	}{
		"sum":    {func(o *observer) { o.Rest++ }, func(*part) {}},
		"total":  {func(o *observer) { o.Totals["a"]-- }, func(*part) {}},
		"lost":   {func(*observer) {}, func(p *part) { p.Log = &audit{Lost: 1} }},
		"silent": {func(*observer) {}, func(p *part) { p.Fates["never acked"] = 1 }},
		"hole":   {func(*observer) {}, func(p *part) { p.Holes = 1 }},
		"late":   {func(*observer) {}, func(p *part) { p.Arrived = -1 }},
		"error":  {func(*observer) {}, func(p *part) { p.Errors["error bad_message"] = 1 }},
	} {
		o := good()
		c.observed(o)
		if r = sum(o, c.part); r.clean() {
			t.Errorf("%s: nothing is wrong", name)
		}
	}
}

// TestRedisAnswers: RESP2, as far as it is spoken here.
func TestRedisAnswers(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	r := newRESP(ours)
	answers := make(chan string, 1)
	go func() {
		defer theirs.Close()
		buf := make([]byte, 1024)
		for a := range answers {
			if _, err := theirs.Read(buf); err != nil {
				return
			}
			if _, err := theirs.Write([]byte(a)); err != nil {
				return
			}
		}
	}()
	defer close(answers)
	answers <- "*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nb\r\n$5\r\n{\r\n:}\r\n"
	list, err := r.array("XRANGE")
	if err != nil || len(list) != 1 || entryID(list[0]) != "1-0" || string(entryField(list[0], "b")) != "{\r\n:}" || entryField(list[0], "c") != nil {
		t.Errorf("%q, %v", list, err)
	}
	answers <- "$-1\r\n"
	if list, err = r.array("XRANGE"); err != nil || len(list) != 0 {
		t.Errorf("nil: %v, %v", list, err)
	}
	for _, bad := range []string{"-ERR no\r\n", "?1\r\n", ":x\r\n", "\r\n", ":1\r\n"} {
		answers <- bad
		if _, err = r.array("XRANGE"); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	const info = "used_cpu_sys:1.5\r\nused_cpu_user:0.25\r\ntotal_commands_processed:42\r\n"
	answers <- fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)
	if u, err := r.usage(); err != nil || u.cpu != 1.75 || u.commands != 42 {
		t.Errorf("%+v, %v", u, err)
	}
	if entryID("x") != "" || entryField("x", "b") != nil {
		t.Error("no entry at all")
	}
}
