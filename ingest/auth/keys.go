package auth

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"barrage/internal/slug"
	"barrage/internal/token"
)

// Errors of Verify. None of them tells whether the room exists.
var (
	ErrBadKey     = errors.New("the stream key is not valid")
	ErrKeyExpired = errors.New("the stream key has expired")
	ErrKeyRevoked = errors.New("the stream key was replaced by a newer one")
)

// MaxKeyLength bounds the text of a key in bytes.
const MaxKeyLength = 256

const usePublish token.Use = "publish"

const macSize = 16 // bytes: 128 bits

// Keys mints and verifies the stream keys of one state directory. Its methods
// may be called from several goroutines.
type Keys struct {
	path string

	mu      sync.Mutex
	file    keyFile
	seen    fileState // what the file looked like when it was read
	problem error     // why the file on disk is not the one in force
}

// Open reads the keys kept at path, and creates the file, readable by the owner
// alone, with a new secret when there is none.
func Open(path string) (*Keys, error) {
	k := &Keys{path: path}
	if err := createFile(path); err != nil {
		return nil, err
	}
	file, seen, err := readFile(path)
	if err != nil {
		return nil, err
	}
	k.file, k.seen = file, seen
	return k, nil
}

// Mint returns a key for room that is good for ttl, or for ever when ttl is 0.
// A room without an entry gets one.
func (k *Keys) Mint(room string, ttl time.Duration) (string, error) {
	if err := slug.Check(room); err != nil {
		return "", fmt.Errorf("mint key for %q: %w", room, err)
	}
	if ttl < 0 {
		return "", fmt.Errorf("mint key for %s: lifetime %v is in the past", room, ttl)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh()
	if _, ok := k.file.Rooms[room]; !ok {
		if err := k.update(room, func(now uint64) uint64 { return max(now, 1) }); err != nil {
			return "", fmt.Errorf("mint key for %s: %w", room, err)
		}
	}
	var expiry int64
	if ttl > 0 {
		expiry = time.Now().Add(ttl).Unix()
	}
	return sign(k.file.secret, room, k.file.Rooms[room].Generation, expiry), nil
}

// Rotate ends every key of room that was minted so far.
func (k *Keys) Rotate(room string) error {
	if err := slug.Check(room); err != nil {
		return fmt.Errorf("rotate keys of %q: %w", room, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.update(room, func(now uint64) uint64 { return now + 1 }); err != nil {
		return fmt.Errorf("rotate keys of %s: %w", room, err)
	}
	return nil
}

// Verify returns the room that key opens at now. Errors: ErrBadKey,
// ErrKeyExpired, ErrKeyRevoked.
func (k *Keys) Verify(key string, now time.Time) (string, error) {
	claim, ok := parse(key)
	if !ok {
		return "", ErrBadKey
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh()
	if !hmac.Equal(claim.mac, mac(k.file.secret, claim.signed)) {
		return "", ErrBadKey
	}
	if claim.generation != k.file.Rooms[claim.room].Generation {
		return "", ErrKeyRevoked
	}
	if claim.expiry != 0 && now.Unix() >= claim.expiry {
		return "", ErrKeyExpired
	}
	return claim.room, nil
}

// Rooms returns the rooms that have keys, sorted.
func (k *Keys) Rooms() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh()
	return slices.Sorted(maps.Keys(k.file.Rooms))
}

// Problem says why the file on disk is not in force, or nil. The keys read
// before stay good until it is mended.
func (k *Keys) Problem() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.problem
}

// refresh reads the file again if it is not the one that was read last. The
// caller holds k.mu.
func (k *Keys) refresh() {
	now, err := stat(k.path)
	if err == nil && now.same(k.seen) {
		k.problem = nil
		return
	}
	var file keyFile
	if err == nil {
		file, now, err = readFile(k.path)
	}
	if err != nil {
		k.problem = err
		return
	}
	k.file, k.seen, k.problem = file, now, nil
}

// update writes the file with the generation that advance makes of a room's present
// one (0 = no entry). Other processes wait from the reading to the writing. The
// caller holds k.mu; on an error nothing has changed.
func (k *Keys) update(room string, advance func(now uint64) uint64) error {
	unlock, err := lockFile(filepath.Join(filepath.Dir(k.path), ".keys.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	k.refresh()
	if k.problem != nil {
		return k.problem // never write over a file that a person is repairing
	}
	next := k.file
	generation := advance(next.Rooms[room].Generation)
	next.Rooms = maps.Clone(next.Rooms)
	next.Rooms[room] = roomEntry{Generation: generation}
	if err = next.write(k.path); err != nil {
		return err
	}
	seen, err := stat(k.path)
	if err != nil {
		return err
	}
	k.file, k.seen = next, seen
	return nil
}

// claim is what a key says, before anybody believes it.
type claim struct {
	room       string
	generation uint64
	expiry     int64 // seconds since the Unix epoch, 0 = never
	signed     string
	mac        []byte
}

// parse reads a key. The text has one form only: numbers are written without
// leading zeros or signs, base64 without spare bits.
func parse(key string) (claim, bool) {
	if len(key) > MaxKeyLength {
		return claim{}, false
	}
	parts := strings.Split(key, ".")
	if len(parts) != 4 || slug.Check(parts[0]) != nil {
		return claim{}, false
	}
	generation, err1 := strconv.ParseUint(parts[1], 10, 63)
	expiry, err2 := strconv.ParseUint(parts[2], 10, 63)
	sum, err3 := base64.RawURLEncoding.Strict().DecodeString(parts[3])
	if err1 != nil || err2 != nil || err3 != nil || len(sum) != macSize || strings.ContainsAny(parts[3], "\r\n") {
		return claim{}, false
	}
	c := claim{room: parts[0], generation: generation, expiry: int64(expiry), mac: sum}
	c.signed = statement(c.room, c.generation, c.expiry)
	return c, c.signed == key[:len(key)-len(parts[3])-1]
}

func statement(room string, generation uint64, expiry int64) string {
	return room + "." + strconv.FormatUint(generation, 10) + "." + strconv.FormatInt(expiry, 10)
}

func sign(secret []byte, room string, generation uint64, expiry int64) string {
	head := statement(room, generation, expiry)
	return head + "." + base64.RawURLEncoding.EncodeToString(mac(secret, head))
}

func mac(secret []byte, head string) []byte {
	return token.MAC(secret, usePublish, head)[:macSize]
}

// Claimed returns the room that key says it is for, or "". It proves nothing:
// use it to tell people about a refusal, never to let somebody in.
func Claimed(key string) string {
	room, _, ok := strings.Cut(key, ".")
	if !ok || slug.Check(room) != nil {
		return ""
	}
	return room
}
