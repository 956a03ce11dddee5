package auth

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"barrage/internal/slug"
)

const (
	secretSize  = 32      // bytes
	maxFileSize = 8 << 20 // bytes: some 100,000 rooms
	fileVersion = 1
)

// keyFile is the content of keys.json. A keyFile in force is never changed.
type keyFile struct {
	Version int                  `json:"version"`
	Secret  string               `json:"secret"` // hex
	Rooms   map[string]roomEntry `json:"rooms"`

	secret []byte
}

type roomEntry struct {
	Generation uint64 `json:"generation"` // keys of any other generation are revoked
}

// fileState tells one version of a file from the next without reading it.
type fileState struct {
	info fs.FileInfo
	size int64
	mod  time.Time
}

func (s fileState) same(o fileState) bool {
	return s.info != nil && o.info != nil && s.size == o.size && s.mod.Equal(o.mod) && os.SameFile(s.info, o.info)
}

func stat(path string) (fileState, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}, fmt.Errorf("read stream keys: %w", err)
	}
	return fileState{info: info, size: info.Size(), mod: info.ModTime()}, nil
}

// readFile returns the file and what it looked like before it was read, so that
// a change during the reading is seen the next time.
func readFile(path string) (keyFile, fileState, error) {
	seen, err := stat(path)
	if err != nil {
		return keyFile{}, fileState{}, err
	}
	if seen.size > maxFileSize {
		return keyFile{}, fileState{}, fmt.Errorf("read stream keys %s: %d bytes, at most %d", path, seen.size, maxFileSize)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator's own state directory
	if err != nil {
		return keyFile{}, fileState{}, fmt.Errorf("read stream keys: %w", err)
	}
	file, err := decode(text)
	if err != nil {
		return keyFile{}, fileState{}, fmt.Errorf("read stream keys %s: %w; restore the file, or delete it to make a new secret (all keys end)", path, err)
	}
	return file, seen, nil
}

// decode reads and checks the content of keys.json.
func decode(text []byte) (keyFile, error) {
	var f keyFile
	if err := json.Unmarshal(text, &f); err != nil {
		return keyFile{}, err
	}
	if f.Version != fileVersion {
		return keyFile{}, fmt.Errorf("version %d, this program reads version %d", f.Version, fileVersion)
	}
	secret, err := hex.DecodeString(f.Secret)
	if err != nil || len(secret) != secretSize {
		return keyFile{}, fmt.Errorf("the secret is not %d hex digits", 2*secretSize)
	}
	for room := range f.Rooms {
		if err = slug.Check(room); err != nil {
			return keyFile{}, fmt.Errorf("room %q: %w", room, err)
		}
	}
	if f.Rooms == nil {
		f.Rooms = map[string]roomEntry{}
	}
	f.secret = secret
	return f, nil
}

// createFile makes the file with a new secret unless it is there. Two processes
// that start together end with the same secret.
func createFile(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // what is wrong with the file is for readFile to say
	}
	secret := make([]byte, secretSize)
	rand.Read(secret) // crypto/rand.Read never returns an error
	file := keyFile{Version: fileVersion, Secret: hex.EncodeToString(secret), Rooms: map[string]roomEntry{}}
	// A link fails when another process was first; a rename would not.
	return file.place(path, func(tmp string) error {
		if err := os.Link(tmp, path); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// write replaces the file in one step: a reader sees the old one or the new one.
func (f keyFile) write(path string) error {
	return f.place(path, func(tmp string) error { return os.Rename(tmp, path) })
}

// place writes the content beside path, durably, and calls put to give it its
// name.
func (f keyFile) place(path string, put func(tmp string) error) error {
	text, err := json.MarshalIndent(f, "", "  ") //nolint:gosec // the secret belongs in this file
	if err != nil {
		return fmt.Errorf("write stream keys: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write stream keys: %w", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone already after a rename
	_, err = tmp.Write(append(text, '\n'))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write stream keys: %w", err)
	}
	if err = put(tmp.Name()); err != nil {
		return fmt.Errorf("write stream keys: %w", err)
	}
	syncDir(filepath.Dir(path))
	return nil
}

// syncDir makes a new name durable. Not every system can; the content is safe
// either way.
func syncDir(path string) {
	dir, err := os.Open(path) //nolint:gosec // the operator's own state directory
	if err != nil {
		return
	}
	_ = errors.Join(dir.Sync(), dir.Close()) // best effort, see above
}
