// Package slug holds the one rule for the public name of a room.
//
// Decisions
//
//   - A fixed lower-case ASCII alphabet, over percent-encoded Unicode: a slug
//     is a directory name, a Redis key, a URL segment and a metric label, and
//     must mean the same in each without escaping.
//   - Refuse, over repair: two different inputs must never name one room.
package slug

import "errors"

// Length of a slug in bytes, both ends included.
const (
	MinLength = 3
	MaxLength = 64
)

// ErrInvalid says what a room may be called.
var ErrInvalid = errors.New("a room name has 3 to 64 characters of a-z, 0-9, '-' and '_', and starts with a letter or a digit")

// Check returns ErrInvalid unless s matches ^[a-z0-9][a-z0-9_-]{2,63}$.
func Check(s string) error {
	if len(s) < MinLength || len(s) > MaxLength || s[0] == '-' || s[0] == '_' {
		return ErrInvalid
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return ErrInvalid
		}
	}
	return nil
}
