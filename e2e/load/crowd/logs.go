//go:build load && linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// readLog reads what the log has of one process's comments. Path is the log's
// directory, or a file of batches as Redis has them.
func readLog(path, room, prefix string) (*logbook, error) {
	b := &logbook{prefix: prefix}
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("-log: %w", err)
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, room, "*.ndjson")); err != nil {
			return nil, err
		}
	}
	for _, file := range files {
		f, err := os.Open(file) //nolint:gosec // the person who runs this names the directory
		if err != nil {
			return nil, err
		}
		err = b.read(f)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return b, nil
}

// read takes in one comment, or one batch, of each line.
func (b *logbook) read(r io.Reader) error {
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if cid := word(line, `"cid":`); cid != nil {
				b.take(cid, string(word(line, `"author":`)))
			} else if bad := b.batch(line); bad != nil {
				return bad
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// batch takes in {"c":[[id, pdt, author, …],…],"cid":[…]}.
func (b *logbook) batch(line []byte) error {
	if !bytes.Contains(line, []byte(`"`+b.prefix)) {
		return nil
	}
	var batch struct {
		C   []json.RawMessage `json:"c"`
		CID []string          `json:"cid"`
	}
	if err := json.Unmarshal(line, &batch); err != nil {
		return fmt.Errorf("log batch: %w in %.80s", err, line)
	}
	if len(batch.C) != len(batch.CID) {
		return fmt.Errorf("log batch: %d comments and %d ids", len(batch.C), len(batch.CID)) //nolint:err113 // nobody tells it apart
	}
	for i, cid := range batch.CID {
		author := ""
		if parts := bytes.SplitN(batch.C[i], []byte(","), 4); len(parts) == 4 {
			author = strings.Trim(string(parts[2]), `" `)
		}
		b.take([]byte(cid), author)
	}
	return nil
}

// stream follows the log of a room in Redis while it happens, because a stream is
// bounded, and keeps it in a file.
type stream struct {
	redis   *resp
	key     string
	last    string // id
	file    *os.File
	asked   int64 // commands of ours
	before  usage
	stop    chan struct{}
	stopped sync.WaitGroup
	err     error
}

// redisPause lies between two looks at the stream: it is kept for minutes.
const redisPause = 500 * time.Millisecond

// follow begins to follow, where a Redis was named.
func follow(ctx context.Context, s settings) (*stream, error) {
	if s.redis == "" {
		return nil, nil //nolint:nilnil // no Redis, no stream
	}
	r, err := dialRedis(ctx, s.redis)
	if err != nil {
		return nil, fmt.Errorf("-redis: %w", err)
	}
	f := &stream{redis: r, key: "barrage:{" + s.room + "}:log", last: "-", stop: make(chan struct{})}
	if f.file, err = os.CreateTemp("", "crowd-*.ndjson"); err == nil {
		// What is there already is not ours.
		var newest []any
		if newest, err = r.array("XREVRANGE", f.key, "+", "-", "COUNT", "1"); err == nil && len(newest) == 1 {
			f.last = "(" + entryID(newest[0])
		}
	}
	if err == nil {
		f.before, err = r.usage()
	}
	if err != nil {
		f.discard()
		return nil, fmt.Errorf("-redis: %w", err)
	}
	f.stopped.Go(f.run)
	return f, nil
}

// run reads until stop is closed, and then all that is left.
func (f *stream) run() {
	timer := time.NewTicker(redisPause)
	defer timer.Stop()
	for last := false; ; {
		for {
			n, err := f.page()
			if err != nil {
				f.err = err
				return
			}
			if n == 0 {
				break
			}
		}
		if last {
			return
		}
		select {
		case <-timer.C:
		case <-f.stop:
			last = true
		}
	}
}

// page copies the next entries of the stream into the file.
func (f *stream) page() (n int, err error) {
	f.asked++
	entries, err := f.redis.array("XRANGE", f.key, f.last, "+", "COUNT", "100")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		id := entryID(e)
		batch := entryField(e, "b")
		if id == "" || batch == nil {
			return n, fmt.Errorf("%w: no batch in %.80v", errRESP, e)
		}
		f.last = "(" + id
		if _, err = f.file.Write(append(batch, '\n')); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// finish reads the rest, says what Redis spent meanwhile, and returns the file.
func (f *stream) finish() (file string, spent *redisSpent, err error) {
	close(f.stop)
	f.stopped.Wait()
	f.stop = nil
	if f.err != nil {
		return "", nil, f.err
	}
	now, err := f.redis.usage()
	if err != nil {
		return "", nil, err
	}
	spent = &redisSpent{CPUSeconds: now.cpu - f.before.cpu, Commands: now.commands - f.before.commands - f.asked - 1}
	spent.Seconds = now.at.Sub(f.before.at).Seconds()
	return f.file.Name(), spent, nil
}

// close ends what finish did not, and removes the file.
func (f *stream) close() {
	if f == nil {
		return
	}
	if f.stop != nil {
		close(f.stop)
		f.stopped.Wait()
	}
	f.discard()
}

func (f *stream) discard() {
	if f.file != nil {
		_ = f.file.Close()
		_ = os.Remove(f.file.Name())
	}
	_ = f.redis.conn.Close()
}

// entryID and entryField read one entry of a stream: [id, [field, value, …]].
func entryID(e any) string {
	if parts, ok := e.([]any); ok && len(parts) == 2 {
		id, _ := parts[0].([]byte)
		return string(id)
	}
	return ""
}

func entryField(e any, name string) []byte {
	parts, ok := e.([]any)
	if !ok || len(parts) != 2 {
		return nil
	}
	fields, _ := parts[1].([]any)
	for i := 0; i+1 < len(fields); i += 2 {
		if key, _ := fields[i].([]byte); string(key) == name {
			value, _ := fields[i+1].([]byte)
			return value
		}
	}
	return nil
}
