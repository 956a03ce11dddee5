package packager

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"barrage/internal/slug"
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
	recordSuffix = ".json"
	recordLimit  = 64 << 10        // bytes
	keepAgain    = 5 * time.Second // after a failure
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
	for room := range k.take() {
		s, _ := r.Stream(room)
		err := k.settle(room, s)
		if err == nil {
			continue
		}
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

// settle brings the file of one room up to date; s is its stream, nil for none.
func (k *keeper) settle(room string, s *Stream) error {
	if s == nil {
		return k.remove(room)
	}
	rec, ok := s.record()
	if !ok {
		return k.remove(room)
	}
	err := k.write(room, rec)
	if err == nil {
		s.wrote(rec)
		return nil
	}
	if s.overdrawn() { // a record that is believed must not lead to numbers that were used
		err = errors.Join(err, k.remove(room))
	}
	return err
}

func (k *keeper) remove(room string) error {
	err := k.root.Remove(room + recordSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// write replaces the file: who reads it finds the old or the new record.
func (k *keeper) write(room string, rec record) error {
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	name := "." + room + ".tmp"
	f, err := k.root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
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
	return k.root.Rename(name, room+recordSuffix)
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
	streams := map[string]*Stream{}
	if k.root == nil {
		return streams, nil
	}
	dir, err := k.root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("records of sessions: %w", err)
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("records of sessions: %w", err)
	}
	for _, name := range names {
		room, ok := strings.CutSuffix(name, recordSuffix)
		if !ok || slug.Check(room) != nil {
			continue
		}
		s, err := k.revive(room)
		if err != nil {
			k.env.log.Info("session not continued", "room", room, "reason", err.Error())
			_ = k.remove(room) // it would be refused next time as well
			continue
		}
		k.env.log.Info("session continued", "room", room, "session", s.session.id, "epoch", s.packer.epoch.ID)
		streams[room] = s
	}
	return streams, nil
}

func (k *keeper) revive(room string) (*Stream, error) {
	old, err := k.read(room)
	if err != nil {
		return nil, err
	}
	s, err := restoreStream(room, k.env, old)
	if err != nil {
		return nil, err
	}
	if err = k.settle(room, s); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

// abandon ends a session that has been restored and that nobody knows of yet.
func (s *Stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(s.env.now())
}

// reservation is what a stream knows of its record.
type reservation struct {
	end   numbers // of the block that is on disk
	half  numbers // when the next is asked for
	asked bool
}

// restorable says that players know the epoch, so that it is worth a record.
func (s *Stream) restorable() bool {
	return s.session != nil && s.packer != nil && s.packer.epoch.index.Load() != nil
}

// reserve asks for another record in the middle of the block.
func (s *Stream) reserve() {
	if !s.env.keeps || s.reserved.asked || s.phase != PhaseLive {
		return
	}
	if s.packer.numbers().reaches(s.reserved.half) {
		s.reserved.asked = true
		s.env.keep(s.room)
	}
}

// record returns what is to be kept of the stream; ok is false when it is nothing.
// The numbers of a stream that has stopped are exact, others are reserved ahead.
func (s *Stream) record() (r record, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved.asked = false
	if !s.restorable() {
		return record{}, false
	}
	next := s.packer.numbers()
	if !s.stopped {
		now := next
		next = s.packer.limits.reserve(now)
		s.reserved.half = now.half(next)
	}
	return s.packer.record(s.session, next), true
}

// wrote says that r is on disk.
func (s *Stream) wrote(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved.end = r.Next
}

// overdrawn says that numbers are in use which the record on disk does not cover.
func (s *Stream) overdrawn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restorable() && s.packer.numbers().reaches(s.reserved.end)
}
