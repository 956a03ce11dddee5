package chat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// rulebook keeps the rules of all rooms, in RAM or in a database.
type rulebook struct {
	db *bbolt.DB // nil: in RAM

	mu       sync.Mutex
	versions map[string]uint64 // of every room that has rules
	bodies   map[string][]byte // without db
}

const (
	rulesFile   = "rules.db"
	rulesBucket = "rules" // by room: version, 8 bytes big endian, and body
)

func newRulebook() *rulebook {
	return &rulebook{versions: make(map[string]uint64), bodies: make(map[string][]byte)}
}

// openRulebook opens the database in dir.
func openRulebook(dir *os.Root) (*rulebook, error) {
	b := newRulebook()
	var err error
	b.db, err = bbolt.Open(rulesFile, 0o600, &bbolt.Options{Timeout: time.Second, OpenFile: dir.OpenFile})
	if err != nil {
		return nil, fmt.Errorf("open rules of rooms: %w", err)
	}
	err = b.db.Update(func(tx *bbolt.Tx) error {
		bucket, bad := tx.CreateBucketIfNotExists([]byte(rulesBucket))
		if bad != nil {
			return bad
		}
		return bucket.ForEach(func(room, value []byte) error {
			b.versions[string(room)] = parseRules(value).Version
			return nil
		})
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read rules of rooms: %w", err), b.db.Close())
	}
	return b, nil
}

func appendRules(dst []byte, r Rules) []byte {
	return append(binary.BigEndian.AppendUint64(dst, r.Version), r.Body...)
}

func parseRules(value []byte) Rules {
	if len(value) < 8 {
		return Rules{}
	}
	return Rules{Version: binary.BigEndian.Uint64(value), Body: slices.Clone(value[8:])}
}

func (b *rulebook) version(room string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.versions[room]
}

func (b *rulebook) read(room string) (r Rules, err error) {
	if b.db == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		return Rules{b.versions[room], b.bodies[room]}, nil
	}
	err = b.db.View(func(tx *bbolt.Tx) error {
		r = parseRules(tx.Bucket([]byte(rulesBucket)).Get([]byte(room)))
		return nil
	})
	return r, err
}

func (b *rulebook) write(room string, r Rules) error {
	if b.db == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.versions[room] != r.Version {
			return ErrConflict
		}
		b.versions[room], b.bodies[room] = r.Version+1, slices.Clone(r.Body)
		return nil
	}
	err := b.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte(rulesBucket))
		if parseRules(bucket.Get([]byte(room))).Version != r.Version {
			return ErrConflict
		}
		return bucket.Put([]byte(room), appendRules(nil, Rules{r.Version + 1, r.Body}))
	})
	if err == nil {
		b.mu.Lock()
		b.versions[room] = max(b.versions[room], r.Version+1)
		b.mu.Unlock()
	}
	return err
}

func (b *rulebook) close() error {
	if b.db == nil {
		return nil
	}
	return b.db.Close()
}

// Rules implements Store.
func (m *Memory) Rules(ctx context.Context, room string) (Rules, error) {
	if _, err := m.enter(ctx, room); err != nil {
		return Rules{}, err
	}
	m.mu.Unlock()
	r, err := m.rules.read(room)
	if err != nil {
		return Rules{}, fmt.Errorf("%w: read rules: %w", ErrUnavailable, err)
	}
	return r, nil
}

// SetRules implements Store.
func (m *Memory) SetRules(ctx context.Context, room string, r Rules) error {
	if err := r.Check(); err != nil {
		return err
	}
	if _, err := m.enter(ctx, room); err != nil {
		return err
	}
	m.mu.Unlock()
	err := m.rules.write(room, r)
	if err != nil && !errors.Is(err, ErrConflict) {
		m.opts.Logger.Error("rules of a room not written", "room", room, "err", err, "hint", "free space on the disk of state_dir, or make it writable")
		return fmt.Errorf("%w: write rules: %w", ErrUnavailable, err)
	}
	return err
}
