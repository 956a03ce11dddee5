// Package auth decides who may publish: it mints, verifies and revokes stream
// keys, and makes guessing them slow.
//
// A key is room "." generation "." expiry "." mac: the room's slug, a counter
// that [Keys.Rotate] raises, a Unix time in seconds (0 = never) and the first
// 128 bits of an HMAC-SHA-256 over the three, in base64url. Nothing about a key
// is stored: the file holds one secret and one generation per room.
//
// Invariants: the file is never half written and never readable by others; a
// file that cannot be read leaves the keys in force as they were; a right key
// never waits.
//
// # Decisions
//
//   - Signed keys, over a list of random ones: the file does not grow with
//     every link handed out, and does not give away a key when it leaks in a
//     backup without its secret changing hands.
//   - A generation per room, over a list of revoked keys: rotating ends every
//     old key at once, which is what an anchor wants after showing it on screen.
//   - The file is looked at (one stat) on every verification, over a watcher: no
//     goroutine, and `barrage key -rotate` takes effect on the next connection.
//   - A kernel lock around every write, over letting the last writer win: a
//     script that makes the keys of a whole class, beside a studio that shows one,
//     must not lose an entry, which would revoke a key just handed out. A crash
//     leaves an empty file behind, but no lock.
package auth
