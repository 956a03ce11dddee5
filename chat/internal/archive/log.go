package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"barrage/chat/internal/segment"
	"barrage/chat/internal/wire"
)

const (
	logSuffix = ".ndjson"
	markBegin = `{"mark":"`
	markEnd   = "\"}\n"
	tailBytes = 4 << 20 // of a log are read again for doubles
)

// Log is one room's log, open for writing. It is not safe for concurrent use.
type Log struct {
	a    *Archive
	dir  string
	lock *os.File
	file *os.File
	day  string // of file
	mark string
	buf  []byte
	seen doubles
}

// Added says what an entry brought.
type Added struct {
	Comments int
	Doubles  int   // left out
	Newest   int64 // beginning of the last segment that its comments lie in
}

// Log opens the log of a room behind its last mark. ErrBusy while another process
// has it.
func (a *Archive) Log(room string) (_ *Log, err error) {
	l := &Log{a: a, dir: logDir(room)}
	defer func() {
		if err != nil {
			_ = l.release()
		}
	}()
	if err = a.root.MkdirAll(l.dir, dirMode); err != nil {
		return nil, err
	}
	if l.lock, err = a.root.OpenFile(path.Join(l.dir, ".lock"), os.O_CREATE|os.O_RDWR, fileMode); err != nil {
		return nil, err
	}
	if err = lockFile(l.lock); err != nil {
		return nil, err
	}
	if err = l.recover(); err != nil {
		return nil, err
	}
	return l, a.root.WriteFile(path.Join(l.dir, openMark), nil, fileMode)
}

// Mark is the last entry of the broker's log that is here, "" = none is.
func (l *Log) Mark() string { return l.mark }

// recover opens the newest file that has a mark, and cuts off what is behind it
// and behind it alone.
func (l *Log) recover() error {
	days, err := fs.Glob(l.a.root.FS(), path.Join(l.dir, "*"+logSuffix))
	if err != nil {
		return err
	}
	for i := len(days) - 1; i >= 0 && l.mark == ""; i-- {
		if err = l.reopen(days[i]); err != nil {
			return err
		}
	}
	return nil
}

// reopen finds the last mark of a file; one without any is emptied.
func (l *Log) reopen(name string) error {
	f, err := l.a.root.OpenFile(name, os.O_RDWR|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	end, mark, err := lastMark(f)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil && mark != "" {
		err = l.remember(f, end)
	}
	if err != nil || mark == "" {
		return errors.Join(err, f.Close())
	}
	l.file, l.mark = f, mark
	l.day = strings.TrimSuffix(path.Base(name), logSuffix)
	return nil
}

// lastMark reads f backwards. end is where the line of the last mark ends.
func lastMark(f *os.File) (end int64, mark string, err error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, "", err
	}
	const step = 64 << 10
	var tail []byte // from at on, and a little more than step of it
	for at := size; at > 0; {
		n := min(step, at)
		at -= n
		block := make([]byte, n)
		if _, err = f.ReadAt(block, at); err != nil {
			return 0, "", err
		}
		tail = append(block, tail[:min(len(tail), 128)]...) // a mark may lie across
		for i := len(tail); i > 0; {
			if i = bytes.LastIndex(tail[:i], []byte(markBegin)); i < 0 {
				break
			}
			// Text cannot look like this at the beginning of a line: it has no line feeds.
			begin := i == 0 && at == 0 || i > 0 && tail[i-1] == '\n'
			id, _, whole := bytes.Cut(tail[i+len(markBegin):], []byte(markEnd))
			if begin && whole && !bytes.ContainsAny(id, "\"\n") {
				return at + int64(i+len(markBegin)+len(id)+len(markEnd)), string(id), nil
			}
		}
	}
	return 0, "", nil
}

// remember learns from the end of f what would be said twice.
func (l *Log) remember(f *os.File, end int64) error {
	from := max(0, end-tailBytes)
	tail := make([]byte, end-from)
	if _, err := f.ReadAt(tail, from); err != nil {
		return err
	}
	for line := range bytes.Lines(tail) {
		var c struct{ Author, CID json.RawMessage }
		if json.Unmarshal(line, &c) == nil && c.CID != nil {
			l.seen.add(inside(c.Author), inside(c.CID))
		}
	}
	return nil
}

// Add takes in an entry of the broker's log: nothing is on disk before Write.
func (l *Log) Add(id string, entry []byte) (n Added, err error) {
	if err = l.turn(id); err != nil {
		return n, err
	}
	if t, said, ok := wire.Said(entry); ok {
		for comment, cid := range said {
			l.comment(&n, t, comment, cid)
		}
	} else if json.Valid(entry) && !bytes.ContainsAny(entry, "\n") {
		l.buf = append(append(l.buf, entry...), '\n')
	}
	l.buf = append(append(append(l.buf, markBegin...), id...), markEnd...)
	l.mark = id
	return n, nil
}

func (l *Log) comment(n *Added, t int64, comment, cid []byte) {
	f, ok := wire.ParseFields(comment)
	if !ok {
		return
	}
	if !l.seen.add(f.Author(), inside(cid)) {
		n.Doubles++
		return
	}
	n.Comments++
	if pdt, err := f.PDT(); err == nil {
		n.Newest = max(n.Newest, segment.Start(pdt))
	}
	b := append(append(l.buf, `{"id":`...), f[wire.FieldID]...)
	b = append(append(b, `,"cid":`...), cid...)
	b = append(append(b, `,"author":`...), f[wire.FieldAuthor]...)
	b = append(append(b, `,"nick":`...), f[wire.FieldNick]...)
	b = append(append(b, `,"text":`...), f[wire.FieldText]...)
	b = append(append(b, `,"pdt":`...), f[wire.FieldPDT]...)
	b = strconv.AppendInt(append(b, `,"t":`...), t, 10)
	b = append(append(b, `,"mode":`...), f[wire.FieldMode]...)
	b = append(append(b, `,"color":`...), f[wire.FieldColor]...)
	b = append(append(b, `,"role":`...), f[wire.FieldRole]...)
	b = append(b, '}', '\n')
	l.buf = b
}

// turn goes on in the file of the day that id belongs to.
func (l *Log) turn(id string) error {
	ms, _, _ := strings.Cut(id, "-")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return err
	}
	day := time.UnixMilli(at).UTC().Format(dayLayout)
	if day <= l.day {
		return nil
	}
	if l.file != nil {
		if err = errors.Join(l.Write(), l.Sync(), l.file.Close()); err != nil {
			return err
		}
	}
	l.file, err = l.a.root.OpenFile(path.Join(l.dir, day+logSuffix), os.O_CREATE|os.O_RDWR|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	l.day = day
	return l.a.syncDir(l.dir)
}

// Write hands what was added to the operating system: it outlives this process.
// After an error the Log must be closed and opened again, which cuts off what was
// written of it.
func (l *Log) Write() error {
	if len(l.buf) == 0 {
		return nil
	}
	_, err := l.file.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

// Sync makes what was written outlive a power cut.
func (l *Log) Sync() error {
	if l.file == nil {
		return nil
	}
	return l.file.Sync()
}

// Finish closes the log and says that nothing is missing in it.
func (l *Log) Finish() error {
	err := l.a.root.Remove(path.Join(l.dir, openMark))
	return errors.Join(err, l.Close())
}

// Close lets go of the log; Unfinished tells of it.
func (l *Log) Close() error {
	var err error
	if l.file != nil {
		err = l.file.Close()
	}
	return errors.Join(err, l.release())
}

func (l *Log) release() error {
	if l.lock == nil {
		return nil
	}
	return l.lock.Close() // and with it the lock goes
}

func inside(s []byte) []byte {
	if len(s) < 2 {
		return nil
	}
	return s[1 : len(s)-1]
}
