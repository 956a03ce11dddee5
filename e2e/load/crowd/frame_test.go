//go:build load && linux

package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestFrames: a header is read when all of it is there, and only one that a server may send.
func TestFrames(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 100_000} {
		body := bytes.Repeat([]byte("x"), size)
		frame := appendFrame([]byte("before"), opText, body)[6:]
		masked := slices.Clone(frame)
		masked[1] &^= maskBit // a server's frame differs in the bit and the key
		masked = append(masked[:len(masked)-size-4], body...)
		h, ok, err := parseHeader(masked)
		if err != nil || !ok || h.op != opText || h.body != size || h.size+h.body != len(masked) {
			t.Errorf("%d bytes: %+v, %v, %v", size, h, ok, err)
		}
		for n := range min(h.size, len(masked)) {
			if _, ok, err = parseHeader(masked[:n]); ok || err != nil {
				t.Errorf("%d bytes: %d of them are a header: %v", size, n, err)
			}
		}
	}
	for name, b := range map[string][]byte{
		"masked": {0x81, 0x80}, "fragment": {0x01, 1}, "reserved bit": {0xc1, 1}, "too long": {0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0},
	} {
		if _, _, err := parseHeader(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestScript: every frame is one message of the protocol that differs in its holes only.
func TestScript(t *testing.T) {
	for _, c := range []struct {
		text  string
		dated bool
		least int // texts among 5000
		most  int
	}{{textBalse, true, 200, 400}, {textMany, false, 300, 400}, {textUnique, true, 5000, 5000}} {
		s, err := newScript(c.text, "abc1234a", c.dated)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]int{}
		for n := range 5000 {
			frame := s.append([]byte{0}, n, 1_700_000_000_123)[1:]
			if again := s.append(nil, n, 1_700_000_000_123); !bytes.Equal(again, frame) {
				t.Fatalf("comment %d is not the same again", n)
			}
			var msg struct {
				Op, CID, Text string
				PDT           int64
			}
			body := frame[bytes.IndexByte(frame, '{'):]
			if err = json.Unmarshal(body, &msg); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if !bytes.Equal(appendFrame(nil, opText, body), frame) {
				t.Fatalf("%x is not a frame of its length", frame)
			}
			if got, ok := parseCID([]byte(msg.CID), "abc1234a"); msg.Op != "send" || !ok || got != n || c.dated != (msg.PDT == 1_700_000_000_123) {
				t.Fatalf("comment %d: %+v", n, msg)
			}
			if runes := utf8.RuneCountInString(msg.Text); runes == 0 || runes > 200 {
				t.Fatalf("%q", msg.Text)
			}
			texts[msg.Text]++
		}
		if len(texts) < c.least || len(texts) > c.most {
			t.Errorf("%s: %d texts", c.text, len(texts))
		}
		shouts := 0
		for text, n := range texts {
			if strings.HasPrefix(text, "バルス") || strings.HasPrefix(text, "ﾊﾞﾙｽ") {
				shouts += n
			}
		}
		if want := 4250; c.text == textBalse && (shouts < want-150 || shouts > want+150) {
			t.Errorf("%d of 5000 shout, want about %d", shouts, want)
		}
	}
	if _, err := newScript("haiku", "", false); err == nil {
		t.Error("an unknown text is no error")
	}
}

func TestScan(t *testing.T) {
	const tick = `{"op":"tick","seq":42,"t":1700000000123,"viewers":3,"likes":7,"c":[["i",1,"a","n","\"t\":5"]],"k":[],"rest":0}`
	if got := parseTickHead([]byte(tick)[:headSize]); got != (tickHead{42, 1_700_000_000_123}) {
		t.Errorf("%+v", got)
	}
	const bye = `{"op":"bye","code":4001,"reason":"restart","retry_ms":-1}`
	if number([]byte(bye), `"retry_ms":`) != -1 || string(word([]byte(bye), `"reason":`)) != "restart" || word([]byte(bye), `"nick":`) != nil {
		t.Errorf("%s is not understood", bye)
	}
	for msg, want := range map[string]kind{
		tick: kindTick, bye: kindBye, `{"op":"acks","a":[]}`: kindAcks, `{"op":"welcome"`: kindWelcome, `{"op":"gap","from":1`: kindGap,
		`{"op":"reset"`: kindReset, `{"op":"error"`: kindError, `{"op":"pong"}`: kindOther, `[]`: kindOther, `{"op":"ti`: kindOther, `{"op":`: kindOther,
	} {
		if got := kindOf([]byte(msg)); got != want {
			t.Errorf("%s: %d, want %d", msg, got, want)
		}
	}
	var got []string
	collect := func(a ack) {
		got = append(got, strings.Join([]string{string(a.cid), string(a.id), string(a.status), string(a.extra)}, " "))
	}
	const acks = `{"op":"acks","a":[["c1","i1","shown"],["c2","","rejected","too_long"],["c3","i3","merged","i1","later"]]}`
	if !scanAcks([]byte(acks), collect) || !slices.Equal(got, []string{"c1 i1 shown ", "c2  rejected too_long", "c3 i3 merged i1"}) {
		t.Errorf("%q", got)
	}
	for n := range len(acks) - 2 {
		if scanAcks([]byte(acks)[:n], func(ack) {}) {
			t.Errorf("%s is taken for whole", acks[:n])
		}
	}
	for _, bad := range []string{`{"a":[1]}`, `{"a":[["a","b"]]}`, `{"a":[[1,2,3]]}`} {
		if scanAcks([]byte(bad), func(ack) {}) {
			t.Errorf("%s is taken for acks", bad)
		}
	}
	if status, size, ok := parseUpgrade([]byte("HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n\x81")); status != 101 || size != 42 || !ok {
		t.Errorf("%d, %d, %v", status, size, ok)
	}
	if _, _, ok := parseUpgrade([]byte("HTTP/1.1 101")); ok {
		t.Error("half a head")
	}
}
