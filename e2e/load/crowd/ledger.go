//go:build load && linux

package main

import (
	"hash/fnv"
	"time"
)

// fate is what became of a comment.
type fate uint8

const (
	waiting fate = iota
	shown
	merged
	rest
	held
	spooled
	rejected
	unknownFate
	fates
)

func (f fate) String() string {
	return [fates]string{"never acked", "shown", "merged", "rest", "held", "spooled", "rejected", "unknown"}[f]
}

func parseFate(status []byte) fate {
	for f := shown; f < unknownFate; f++ {
		if f.String() == string(status) {
			return f
		}
	}
	return unknownFate
}

// accepted says that the server has promised the comment to be in the log.
func (f fate) accepted() bool { return f != waiting && f != rejected && f != unknownFate }

// Record is one comment that a process sent.
type record struct {
	at     uint32 // when it was first sent, in units of 10 µs since the ledger began
	writer uint16
	fate   fate
}

const recordUnit = 10 * time.Microsecond

// ledger is every comment of one process, by number.
type ledger struct {
	prefix  string
	begun   time.Time
	records []record
	authors []uint32       // of the writers, by connection: hashes of the ids that the server gave them
	into    map[string]int // comment id → how many were merged into it
	reasons map[string]int64
}

func newLedger(prefix string, conns int) *ledger {
	return &ledger{
		prefix: prefix, begun: time.Now(), authors: make([]uint32, conns), into: map[string]int{}, reasons: map[string]int64{},
	}
}

// add writes a comment down and returns its number.
func (l *ledger) add(writer int, now time.Time) int {
	l.records = append(l.records, record{at: uint32(now.Sub(l.begun) / recordUnit), writer: uint16(writer)})
	return len(l.records) - 1
}

// age is the time since comment n was sent.
func (l *ledger) age(n int, now time.Time) time.Duration {
	return now.Sub(l.begun.Add(time.Duration(l.records[n].at) * recordUnit))
}

// parseCID reads the number in one of our comments' ids.
func parseCID(cid []byte, prefix string) (n int, ok bool) {
	if len(cid) != len(prefix)+numberDigits || string(cid[:len(prefix)]) != prefix {
		return 0, false
	}
	for _, c := range cid[len(prefix):] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// settle notes what an ack says; first is false when the comment had one before.
func (l *ledger) settle(a ack) (n int, first, ok bool) {
	n, ok = parseCID(a.cid, l.prefix)
	if !ok || n >= len(l.records) {
		return 0, false, false
	}
	r := &l.records[n]
	first = r.fate == waiting
	r.fate = parseFate(a.status)
	switch r.fate { //nolint:exhaustive // of the others nothing more is known
	case rejected:
		l.reasons[string(a.extra)]++
	case merged:
		l.into[string(a.extra)]++
	}
	return n, first, true
}

// counts says how many comments ended how.
func (l *ledger) counts() (n [fates]int64) {
	for i := range l.records {
		n[l.records[i].fate]++
	}
	return n
}

// entry is a comment in the server's log.
type entry struct {
	author uint32
	times  uint8
}

// logbook is what the server's log has of one process's comments, by number.
type logbook struct {
	prefix  string
	entries []entry
}

// take notes a comment of the log, when it is one of this process.
func (b *logbook) take(cid []byte, author string) {
	n, ok := parseCID(cid, b.prefix)
	if !ok {
		return
	}
	for len(b.entries) <= n {
		b.entries = append(b.entries, entry{})
	}
	b.entries[n].author = hash(author)
	if b.entries[n].times < 255 {
		b.entries[n].times++
	}
}

// audit is what a comparison of the two found.
type audit struct {
	Lines   int64    `json:"lines"`  // of ours in the log
	Lost    int64    `json:"lost"`   // acked and not there
	Double  int64    `json:"double"` // there more than once
	Author  int64    `json:"wrong_author"`
	Unacked int64    `json:"unacked"` // there, and neither acked nor rejected
	Refused int64    `json:"refused"` // there, although the ack said rejected
	Missing []string `json:"missing,omitempty"`
}

// compare holds the log against the ledger.
func (b *logbook) compare(l *ledger) (a audit) {
	for n, r := range l.records {
		var e entry
		if n < len(b.entries) {
			e = b.entries[n]
		}
		a.Lines += int64(e.times)
		switch {
		case e.times > 1:
			a.Double++
		case e.times == 0 && r.fate.accepted():
			a.Lost++
			if len(a.Missing) < 5 {
				cid := append([]byte(b.prefix), "00000000"...)
				digits(cid[len(b.prefix):], int64(n))
				a.Missing = append(a.Missing, string(cid)+" "+r.fate.String())
			}
		case e.times == 1 && r.fate == waiting:
			a.Unacked++
		case e.times == 1 && r.fate == rejected:
			a.Refused++
		}
		if e.times > 0 && e.author != l.authors[r.writer] {
			a.Author++
		}
	}
	return a
}

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // never an error
	return h.Sum32()
}
