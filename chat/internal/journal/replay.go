package journal

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// replay reads all segments.
func (j *Journal) replay() (Found, error) {
	var f Found
	numbers, err := j.list()
	if err != nil {
		return f, fmt.Errorf("read journal: %w", err)
	}
	for i, number := range numbers {
		if err := j.replaySegment(number, i == len(numbers)-1, &f); err != nil {
			return f, fmt.Errorf("read journal: %w", err)
		}
	}
	return f, nil
}

func (j *Journal) list() ([]uint32, error) {
	entries, err := fs.ReadDir(j.opts.Root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var numbers []uint32
	for _, e := range entries {
		if number, ok := parseSegmentName(e.Name()); ok {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (j *Journal) replaySegment(number uint32, last bool, f *Found) error {
	name := segmentName(number)
	data, err := j.opts.Root.ReadFile(name)
	if err != nil {
		return err
	}
	s := &segment{number: number, written: time.Now()}
	got := scan(data, j.number, func(offset int, payload []byte) {
		f.Records++
		if j.opts.Replay != nil {
			j.opts.Replay(Position{number, uint32(offset), uint32(len(payload))}, payload)
		}
	})
	j.number = got.last
	if got.damaged {
		f.Damaged, f.Lost = name, f.Lost || last // Head stands behind those before
	}
	if cut := len(data) - got.end; cut > 0 && last && !got.damaged {
		f.Cut = int64(cut)
	}
	if last && !got.closed && (got.boot == "" || got.boot != bootName()) {
		f.Lost = true
	}
	if s.file, err = j.opts.Root.OpenFile(name, os.O_RDWR, 0); err != nil {
		return err
	}
	j.segments = append(j.segments, s)
	s.size = int64(got.end)
	if f.Cut > 0 {
		if err := s.file.Truncate(s.size); err != nil {
			return fmt.Errorf("cut %s: %w", name, err)
		}
	}
	return nil
}
