package packager

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"barrage/internal/slug"

	"golang.org/x/sync/errgroup"
)

// keeper has the records on disk: one file a room, which is replaced as a whole.
// Only its own goroutine waits for the disk; publishers do not.
type keeper struct {
	root *os.Root // nil: nothing is kept
	env  *env
	wake chan struct{}

	mu  sync.Mutex
	due map[string]bool // rooms whose file is to be looked at

	failing bool // said so already; the goroutine's
	last    bool // the process is stopping; the goroutine's
}

// How the files are kept.
const (
	recordSuffix    = ".json"
	temporarySuffix = ".tmp"
	recordLimit     = 64 << 10        // bytes
	keepAgain       = 5 * time.Second // after a failure
	keptAtOnce      = 32              // files: a disk that takes 10 ms takes 1,000 in a third of a second
)

func newKeeper(root *os.Root, e *env) *keeper {
	return &keeper{root: root, env: e, wake: make(chan struct{}, 1), due: map[string]bool{}}
}

// ask has the record of a room written anew, or removed, soon.
func (k *keeper) ask(room string) {
	if k.root == nil {
		return
	}
	k.mu.Lock()
	k.due[room] = true
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) take() map[string]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	due := k.due
	k.due = map[string]bool{}
	return due
}

// keep keeps the records until stopped is closed, and then writes them a last time.
func (r *Registry) keep(stopped <-chan struct{}) {
	k := r.keeper
	var again <-chan time.Time
	for {
		select {
		case <-stopped:
			k.last = true
			for room := range *r.streams.Load() {
				k.ask(room)
			}
			r.settleRecords()
			return
		case <-k.wake:
		case <-again:
		}
		again = nil
		if failed := r.settleRecords(); failed {
			again = time.After(keepAgain)
		}
	}
}

// settleRecords brings the files of the rooms up to date that asked for it.
func (r *Registry) settleRecords() (failed bool) {
	k := r.keeper
	streams := map[string]*Stream{}
	for room := range k.take() {
		streams[room], _ = r.Stream(room)
	}
	for room, err := range k.settle(streams) {
		failed = true
		k.mu.Lock()
		k.due[room] = true
		k.mu.Unlock()
		k.env.metrics.recordErrors.Inc()
		if !k.failing {
			k.env.log.Error("session not recorded", "room", room, "err", err,
				"hint", "video goes on, but a restart of the server would interrupt players: see to the disk of state_dir")
		}
		k.failing = true
	}
	if !failed && k.failing {
		k.failing = false
		k.env.log.Info("sessions are recorded again")
	}
	return failed
}

// settle brings the files of rooms up to date, nil standing for a room without a
// stream, and returns what went wrong. The disk is asked for all of them at once:
// what takes its time is to wait for it.
func (k *keeper) settle(streams map[string]*Stream) map[string]error {
	type file struct {
		room string
		s    *Stream
		rec  record
		is   bool
		err  error
	}
	var files []*file
	for room, s := range streams {
		files = append(files, &file{room: room, s: s})
	}
	together(files, func(f *file) {
		if f.s != nil {
			f.rec, f.is = f.s.record()
		}
		if f.is {
			f.err = k.write(f.room, f.rec)
		} else {
			f.err = k.remove(f.room)
		}
	})
	unsure := k.sync()
	failed := map[string]error{}
	for _, f := range files {
		err := errors.Join(f.err, unsure)
		if f.is && f.s.recorded(f.rec, f.err == nil, err == nil) {
			gone := k.remove(f.room)
			if gone == nil {
				f.s.unrecorded()
			}
			err = errors.Join(err, gone)
		}
		if err != nil {
			failed[f.room] = err
		}
	}
	return failed
}

// together calls do for many of all at once, and waits.
func together[T any](all []T, do func(T)) {
	var each errgroup.Group
	each.SetLimit(keptAtOnce)
	for _, x := range all {
		each.Go(func() error { do(x); return nil })
	}
	_ = each.Wait() // nothing returns an error
}

func (k *keeper) remove(room string) error {
	err := k.root.Remove(room + recordSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// temporary is where a record is written before it gets its name.
func temporary(room string) string { return "." + room + temporarySuffix }

// write replaces the file: who reads it finds the old or the new record.
func (k *keeper) write(room string, rec record) error {
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	f, err := k.root.OpenFile(temporary(room), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && !k.last {
		err = f.Sync() // or a power cut could leave an empty file under the new name
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return k.root.Rename(temporary(room), room+recordSuffix)
}

// sync makes the new names last: after a power cut the old record could be there again,
// whose numbers are about to be used.
func (k *keeper) sync() error {
	if k.last || runtime.GOOS == "windows" { // which has no such thing
		return nil
	}
	folder, err := k.root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // only read
	if err = folder.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // nor have some file systems
	}
	return err
}

func (k *keeper) read(room string) (rec record, err error) {
	f, err := k.root.Open(room + recordSuffix)
	if err != nil {
		return rec, err
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, recordLimit))
	if err != nil {
		return rec, err
	}
	if err = json.Unmarshal(text, &rec); err != nil {
		return rec, fmt.Errorf("%w: %w", errRecordBroken, err)
	}
	return rec, nil
}

// restore returns the streams of the sessions that go on. Numbers are reserved anew
// before anybody can use them: this process may be killed, too.
func (k *keeper) restore() (map[string]*Stream, error) {
	if k.root == nil {
		return map[string]*Stream{}, nil
	}
	rooms, err := k.rooms()
	if err != nil {
		return nil, fmt.Errorf("records of sessions: %w", err)
	}
	type candidate struct {
		room string
		s    *Stream
		err  error
	}
	all := make([]*candidate, len(rooms))
	for i, room := range rooms {
		all[i] = &candidate{room: room}
	}
	together(all, func(c *candidate) {
		old, err := k.read(c.room)
		if err == nil {
			c.s, err = restoreStream(c.room, k.env, old)
		}
		c.err = err
	})
	streams := map[string]*Stream{}
	for _, c := range all {
		if c.err == nil {
			streams[c.room] = c.s
		}
	}
	failed := k.settle(streams)
	k.take() // they have asked, and it is done
	for _, c := range all {
		s, going := streams[c.room]
		if err := cmp.Or(c.err, failed[c.room]); err != nil {
			k.env.log.Info("session not continued", "room", c.room, "reason", err.Error())
			_ = k.remove(c.room) // it would be refused next time as well
			if going {
				s.abandon()
				delete(streams, c.room)
			}
			continue
		}
		k.env.log.Info("session continued", "room", c.room, "session", s.session.id, "epoch", s.packer.epoch.ID)
	}
	return streams, nil
}

// rooms returns of which rooms there is a record, and removes what a process that was
// killed has not finished writing.
func (k *keeper) rooms() ([]string, error) {
	folder, err := k.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var rooms []string
	for _, name := range names {
		if room, ok := strings.CutSuffix(strings.TrimPrefix(name, "."), temporarySuffix); ok && name == temporary(room) && slug.Check(room) == nil {
			_ = k.root.Remove(name) // or it will be overwritten
		}
		if room, ok := strings.CutSuffix(name, recordSuffix); ok && slug.Check(room) == nil {
			rooms = append(rooms, room)
		}
	}
	return rooms, nil
}

// abandon ends a session that has been restored and that nobody knows of yet.
func (s *Stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(s.env.now())
}
