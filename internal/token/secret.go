package token

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const secretSize = 32

// LoadSecret reads the secret kept at path as 64 hex digits, and writes a new
// random one, readable by the owner alone, when there is none. Two processes
// that start together end with the same secret.
func LoadSecret(path string) ([]byte, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator's own state directory
	if errors.Is(err, fs.ErrNotExist) {
		return createSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) != secretSize {
		return nil, fmt.Errorf("read secret %s: want %d hex digits; delete the file to make a new secret (all tokens end)", path, 2*secretSize)
	}
	return secret, nil
}

func createSecret(path string) ([]byte, error) {
	secret := make([]byte, secretSize)
	rand.Read(secret)
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return nil, fmt.Errorf("create secret: %w", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone already when the link below failed
	if _, err = fmt.Fprintln(tmp, hex.EncodeToString(secret)); err != nil {
		return nil, errors.Join(fmt.Errorf("create secret: %w", err), tmp.Close())
	}
	if err = errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return nil, fmt.Errorf("create secret: %w", err)
	}
	// A link fails when another process was first; a rename would not.
	switch err = os.Link(tmp.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return LoadSecret(path)
	case err != nil:
		return nil, fmt.Errorf("create secret: %w", err)
	}
	return secret, nil
}
