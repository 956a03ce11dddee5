// Package token signs and checks the short texts that say who somebody is: a
// host's or a moderator's link, a guest's identity, a stream key.
//
// A token is base64url(JSON claims) "." base64url(HMAC-SHA-256 over the use and
// the first part). The use is not in the text: a token signed for one use can
// never pass for another.
//
// Decisions
//
//   - HMAC with one fixed algorithm, over JWT: nothing to negotiate, so nothing
//     to confuse. JWTs of other issuers come in beside it, not through it.
//   - The secret is a file of 32 random bytes written once by rename, over a
//     configuration value: first start needs no setting, and a secret is never
//     in a process list.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors of Parse. ErrExpired wants a new token from whoever handed it out;
// ErrInvalid will never be accepted.
var (
	ErrInvalid = errors.New("token is not valid here")
	ErrExpired = errors.New("token has expired")
)

// Use separates tokens that one secret signs.
type Use string

// The uses of tokens.
const (
	UsePerson Use = "person" // host, moderator, guest
)

// MaxLength bounds the text of a token in bytes.
const MaxLength = 1024

// Role is what a person may do in a room.
type Role string

// The roles, weakest first.
const (
	RoleViewer    Role = "viewer"
	RoleModerator Role = "moderator"
	RoleHost      Role = "host"
)

// Claims is what a token says about its bearer.
type Claims struct {
	Room    string `json:"room,omitempty"` // room slug; empty = every room (guests only)
	Role    Role   `json:"role"`
	Subject string `json:"sub"`           // stable identity of the bearer
	Expires int64  `json:"exp,omitempty"` // seconds since the Unix epoch; 0 = never
}

// Allows reports whether the bearer holds at least role in room.
func (c Claims) Allows(room string, role Role) bool {
	if rank(role) > rank(RoleViewer) && c.Room != room {
		return false
	}
	return (c.Room == "" || c.Room == room) && rank(c.Role) >= rank(role)
}

func rank(r Role) int {
	switch r {
	case RoleHost:
		return 3
	case RoleModerator:
		return 2
	case RoleViewer:
		return 1
	}
	return 0
}

// Sign returns the token that states c for use.
func Sign(secret []byte, use Use, c Claims) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	head := base64.RawURLEncoding.EncodeToString(body)
	return head + "." + base64.RawURLEncoding.EncodeToString(MAC(secret, use, head)), nil
}

// Parse returns the claims of a token signed for use that is still good at now.
// Errors: ErrInvalid, ErrExpired.
func Parse(secret []byte, use Use, text string, now time.Time) (Claims, error) {
	head, tail, ok := strings.Cut(text, ".")
	if !ok || len(text) > MaxLength {
		return Claims{}, ErrInvalid
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(tail)
	if err != nil || !hmac.Equal(sum, MAC(secret, use, head)) {
		return Claims{}, ErrInvalid
	}
	body, err := base64.RawURLEncoding.Strict().DecodeString(head)
	if err != nil {
		return Claims{}, ErrInvalid
	}
	var c Claims
	if json.Unmarshal(body, &c) != nil || rank(c.Role) == 0 {
		return Claims{}, ErrInvalid
	}
	if c.Expires != 0 && now.Unix() >= c.Expires {
		return Claims{}, ErrExpired
	}
	return c, nil
}

// MAC returns the 32-byte HMAC-SHA-256 of text for use. Compare with hmac.Equal.
func MAC(secret []byte, use Use, text string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(use))
	h.Write([]byte{0})
	h.Write([]byte(text))
	return h.Sum(nil)
}
