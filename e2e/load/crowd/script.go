//go:build load && linux

package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
)

// What the crowd says.
const (
	textBalse  = "balse"  // 85 % shout one word, in eight spellings
	textMany   = "many"   // a few hundred lines
	textUnique = "unique" // no line twice
)

// Digits of the numbers in a prebuilt frame. They are as wide as they ever get, so
// that no length in a frame changes.
const (
	numberDigits = 8
	pdtDigits    = 13
)

// script is the frames of everything that is said, with holes for what differs.
// Comment n always has the same text: sent again, it is the same comment.
type script struct {
	shouts, lines []line
	share         int // of 100 are shouts
}

// line is one prebuilt frame and where its holes are; a hole at 0 is none.
type line struct {
	frame            []byte
	cid, pdt, unique int
}

// newScript makes the frames for one process, whose comments' ids begin with prefix.
// Dated comments carry a pdt.
func newScript(text, prefix string, dated bool) (*script, error) {
	s := &script{}
	lines := func(texts ...string) (to []line) {
		for _, t := range texts {
			to = append(to, newLine(prefix, t, dated))
		}
		return to
	}
	switch text {
	case textBalse:
		s.share = 85
		s.shouts = lines("バルス", "バルス!!", "ﾊﾞﾙｽ", "バルス！", "ﾊﾞﾙｽ!!", "バルス!!!!!", "バルス。", "バルスーーー")
		s.lines = lines(chatter()...)
	case textMany:
		s.lines = lines(chatter()...)
	case textUnique:
		s.lines = lines("comment " + hole)
	default:
		return nil, fmt.Errorf("-text %q: only balse, many and unique are known", text)
	}
	return s, nil
}

// hole stands for a comment's number in its text.
const hole = "########"

func newLine(prefix, text string, dated bool) line {
	msg := `{"op":"send","cid":"` + prefix + "00000000" + `",`
	if dated {
		msg += `"pdt":0000000000000,`
	}
	l := line{frame: appendFrame(nil, opText, []byte(msg+`"text":"`+text+`"}`))}
	l.cid = bytes.Index(l.frame, []byte(`"cid":"`)) + len(`"cid":"`) + len(prefix)
	if dated {
		l.pdt = bytes.Index(l.frame, []byte(`"pdt":`)) + len(`"pdt":`)
	}
	l.unique = max(bytes.Index(l.frame, []byte(hole)), 0)
	return l
}

// chatter is a few hundred lines of a film night.
func chatter() (lines []string) {
	who := []string{"", "ねえ ", "ほら ", "みんな ", "今 ", "ついに ", "やっぱり ", "毎年 "}
	what := []string{
		"きた", "待ってた", "目がぁ", "泣ける", "最高", "名場面", "鳥肌", "ラピュタ", "飛行石", "滅びの言葉", "here we go", "goosebumps", "every year",
		"best scene", "my eyes", "the castle", "来了来了", "前方高能", "名场面", "泪目", "哈哈哈", "天空之城", "童年回忆", "666",
	}
	for _, a := range who {
		for _, b := range what {
			lines = append(lines, a+b, a+b+"!!")
		}
	}
	return lines
}

// line returns comment n's.
func (s *script) line(n int) *line {
	dice := mix(uint32(n))
	if int(dice%100) < s.share {
		return &s.shouts[dice>>8%uint32(len(s.shouts))]
	}
	return &s.lines[dice>>8%uint32(len(s.lines))]
}

// mix scatters numbers that follow each other (Wellons, "Prospecting for hash functions").
func mix(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7feb352d
	x = (x ^ x>>15) * 0x846ca68b
	return x ^ x>>16
}

// append appends comment n's frame.
func (s *script) append(dst []byte, n int, pdt int64) []byte {
	l := s.line(n)
	at := len(dst)
	dst = append(dst, l.frame...)
	digits(dst[at+l.cid:][:numberDigits], int64(n))
	if l.pdt > 0 {
		digits(dst[at+l.pdt:][:pdtDigits], pdt)
	}
	if l.unique > 0 {
		digits(dst[at+l.unique:][:numberDigits], int64(n))
	}
	return dst
}

// digits writes n over all of dst.
func digits(dst []byte, n int64) {
	for i := range slices.Backward(dst) {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}

// prefix begins the ids of all comments of one process: the run's name and the
// process's letter.
func prefix(run int64, process int) string {
	return strconv.FormatInt(run%(36*36*36*36*36*36)+36*36*36*36*36*36, 36) + string(rune('a'+process))
}
