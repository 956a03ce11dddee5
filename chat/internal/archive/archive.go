package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"barrage/internal/slug"
)

const (
	dayLayout = "2006-01-02"
	openMark  = ".open" // in the folder of a log that was not closed
	dirMode   = 0o750
	fileMode  = 0o600
)

// ErrBusy is a log that another process writes.
var ErrBusy = errors.New("another process writes this room's log")

// Archive is a directory. Its methods may be called from several goroutines.
type Archive struct {
	root *os.Root
}

// Open makes dir when it is missing.
func Open(dir string) (*Archive, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Archive{root: root}, nil
}

// Close ends the use of the directory.
func (a *Archive) Close() error { return a.root.Close() }

func logDir(room string) string { return path.Join("log", room) }

func segmentDir(room string, t int64) string {
	return path.Join("segments", room, time.UnixMilli(t).UTC().Format(dayLayout))
}

func segmentName(t int64) string { return strconv.FormatInt(t, 10) + ".json" }

// Segment returns the segment of a room at t, nil when there is none.
func (a *Archive) Segment(room string, t int64) ([]byte, error) {
	body, err := a.root.ReadFile(path.Join(segmentDir(room, t), segmentName(t)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return body, err
}

// PutSegment replaces the segment of a room at t in one step; it survives a power
// cut from then on.
func (a *Archive) PutSegment(room string, t int64, body []byte) error {
	dir := segmentDir(room, t)
	if err := a.root.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	name := path.Join(dir, segmentName(t))
	f, err := a.root.OpenFile(name+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = a.root.Remove(name + ".new") // on a full disk every byte counts
		return err
	}
	if err = a.root.Rename(name+".new", name); err != nil {
		return err
	}
	return a.syncDir(dir)
}

func (a *Archive) syncDir(dir string) error {
	d, err := a.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Segments returns the beginnings of a room's segments from t on.
func (a *Archive) Segments(room string, from int64) (all []int64, err error) {
	first := path.Base(segmentDir(room, from))
	err = a.each(path.Join("segments", room), func(day string) error {
		if day < first {
			return nil
		}
		return a.each(path.Join("segments", room, day), func(name string) error {
			t, bad := strconv.ParseInt(strings.TrimSuffix(name, ".json"), 10, 64)
			if bad == nil && t >= from {
				all = append(all, t)
			}
			return nil
		})
	})
	return all, err
}

// Unfinished returns the rooms whose logs were not closed.
func (a *Archive) Unfinished() (rooms []string, err error) {
	err = a.each("log", func(room string) error {
		if _, missing := a.root.Stat(path.Join(logDir(room), openMark)); missing == nil && slug.Check(room) == nil {
			rooms = append(rooms, room)
		}
		return nil
	})
	return rooms, err
}

// Prune removes whole days that ended before t, and returns how many files that
// were.
func (a *Archive) Prune(t time.Time) (n int, err error) {
	last := t.UTC().AddDate(0, 0, -1).Format(dayLayout)
	remove := func(name string) error {
		n++
		return a.root.RemoveAll(name)
	}
	for _, kind := range []string{"log", "segments"} {
		err = errors.Join(err, a.each(kind, func(room string) error {
			return a.each(path.Join(kind, room), func(name string) error {
				day := strings.TrimSuffix(name, logSuffix)
				if _, none := time.Parse(dayLayout, day); none == nil && day <= last {
					return remove(path.Join(kind, room, name))
				}
				return nil
			})
		}))
	}
	return n, err
}

// each calls f with every name in dir, in order; a dir that is missing is empty.
func (a *Archive) each(dir string, f func(name string) error) error {
	entries, err := fs.ReadDir(a.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		err = errors.Join(err, f(e.Name()))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}
