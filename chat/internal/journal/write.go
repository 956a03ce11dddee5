package journal

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// write is the loop that carries the queue to the disk.
func (j *Journal) write() {
	trial := time.NewTicker(syncEvery)
	defer trial.Stop()
	for {
		select {
		case <-j.stop:
			j.flush()
			j.finish()
			return
		case <-j.wake:
			j.flush()
		case <-trial.C:
			if j.Failure() != nil {
				j.commit([]Record{{Payload: []byte{kindTrial}}})
			}
		}
	}
}

// flush writes the queue, in as few calls as its size allows.
func (j *Journal) flush() {
	for {
		j.mu.Lock()
		n, size := 0, 0
		for n < len(j.queue) && (n == 0 || size+len(j.queue[n].Payload) <= maxWrite) {
			size += len(j.queue[n].Payload)
			n++
		}
		group := j.queue[:n:n]
		j.queue = j.queue[n:]
		j.queued -= size
		j.mu.Unlock()
		if n == 0 {
			return
		}
		j.commit(group)
	}
}

// commit writes a group of records with one call, and tells them.
func (j *Journal) commit(group []Record) {
	s, err := j.current()
	offset := int64(0)
	if err == nil {
		offset = s.size
		j.buffer = j.buffer[:0]
		for _, r := range group {
			j.number++
			j.buffer = appendRecord(j.buffer, j.number, r.Payload)
		}
		err = j.put(s, group)
	}
	j.judge(err)
	for _, r := range group {
		var p Position
		if err == nil {
			p = Position{s.number, uint32(offset), uint32(len(r.Payload))}
			offset += int64(headBytes + len(r.Payload))
		}
		if r.Done != nil {
			r.Done(p, err)
		}
	}
	if cap(j.buffer) > 4*maxWrite {
		j.buffer = nil
	}
}

// put writes the buffer behind what s has.
func (j *Journal) put(s *segment, group []Record) error {
	if _, err := s.file.WriteAt(j.buffer, s.size); err != nil {
		// What was written of it is not there for a reader, and does not stand in the way;
		// numbers are not used again, so that it can never be taken for what follows.
		_ = s.file.Truncate(s.size)
		return fmt.Errorf("write journal: %w", err)
	}
	s.size += int64(len(j.buffer))
	j.mu.Lock()
	defer j.mu.Unlock()
	s.written, j.dirty = time.Now(), true
	for _, r := range group {
		if r.Keep {
			s.live++
		}
	}
	return nil
}

// current returns the segment to write to, a new one when the last is full.
func (j *Journal) current() (*segment, error) {
	s := j.segments[len(j.segments)-1]
	if s.size < j.opts.SegmentBytes {
		return s, nil
	}
	if err := j.sync(); err != nil {
		return nil, err
	}
	if err := j.begin(); err != nil {
		return nil, err
	}
	return j.segments[len(j.segments)-1], nil
}

// begin starts the next segment.
func (j *Journal) begin() error {
	number := uint32(1)
	if n := len(j.segments); n > 0 {
		number = j.segments[n-1].number + 1
	}
	data := appendFileHeader(nil, bootName())
	if j.opts.Head != nil {
		for _, payload := range j.opts.Head() {
			j.number++
			data = appendRecord(data, j.number, payload)
		}
	}
	name := segmentName(number)
	f, err := j.opts.Root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("begin journal file: %w", err)
	}
	if _, err = f.WriteAt(data, 0); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = j.syncFolder()
	}
	if err != nil {
		_ = f.Close()
		_ = j.opts.Root.Remove(name)
		return fmt.Errorf("begin journal file %s: %w", name, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.segments = append(j.segments, &segment{number: number, file: f, size: int64(len(data)), written: time.Now()})
	return nil
}

// syncFolder makes the names in the directory safe.
func (j *Journal) syncFolder() error {
	d, err := j.opts.Root.Open(".")
	if err != nil {
		return err
	}
	err = d.Sync()
	_ = d.Close() // it was only read
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrInvalid) {
		return nil // not a thing on this system
	}
	return err
}

// finish marks the end, so that the next start knows that nothing is missing.
func (j *Journal) finish() {
	j.commit([]Record{{Payload: []byte{kindClosed}}})
	_ = j.sync() // says so itself
}

// judge notes whether writing works, and says it once.
func (j *Journal) judge(err error) {
	j.mu.Lock()
	before := j.failure
	j.failure = err
	j.mu.Unlock()
	switch {
	case err != nil && before == nil:
		j.opts.Logger.Error("comments cannot be written", "path", j.opts.Root.Name(), "err", err,
			"hint", "they are refused until this works again, which is tried every second: free space on this disk, or make it writable")
	case err == nil && before != nil:
		j.opts.Logger.Info("comments are written again", "path", j.opts.Root.Name())
	}
}

// keep is the loop that makes safe what was written, and removes what nobody needs.
func (j *Journal) keep() {
	every := time.NewTicker(syncEvery)
	defer every.Stop()
	for {
		select {
		case <-j.stop:
			return
		case <-every.C:
		}
		_ = j.sync() // says so itself
		j.remove(time.Now())
	}
}

// sync makes safe what was written so far.
func (j *Journal) sync() error {
	j.mu.Lock()
	s, dirty := j.segments[len(j.segments)-1], j.dirty
	j.dirty = false
	j.mu.Unlock()
	if !dirty {
		return nil
	}
	err := s.file.Sync()
	j.mu.Lock()
	before := j.unsafe
	j.unsafe, j.dirty = err != nil, j.dirty || err != nil
	j.mu.Unlock()
	if err == nil {
		return nil
	}
	if !before {
		j.opts.Logger.Error("comments may not outlive a power failure", "file", segmentName(s.number), "err", err,
			"hint", "the disk of state_dir failed: check it")
	}
	return fmt.Errorf("sync journal: %w", err)
}

// remove deletes the oldest segments: those in which nobody has needed anything for
// a while, and those beyond the bound.
func (j *Journal) remove(now time.Time) {
	for {
		j.mu.Lock()
		total := int64(0)
		for _, s := range j.segments {
			if info, err := s.file.Stat(); err == nil {
				total += info.Size()
			}
		}
		s := j.segments[0]
		idle := s.live <= 0 && now.Sub(s.written) >= j.opts.Linger
		if len(j.segments) == 1 || !idle && total <= j.opts.Bytes {
			j.mu.Unlock()
			return
		}
		j.segments = j.segments[1:]
		j.mu.Unlock()
		if !idle {
			j.opts.Logger.Info("oldest comments removed", "file", segmentName(s.number), "bytes", total, "limit", j.opts.Bytes)
		}
		if j.opts.Removed != nil {
			j.opts.Removed(s.number)
		}
		_ = s.file.Close() // it was only read
		if err := j.opts.Root.Remove(segmentName(s.number)); err != nil {
			j.opts.Logger.Warn("journal file not removed", "file", segmentName(s.number), "err", err, "hint", "remove it by hand when it stays")
		}
	}
}
