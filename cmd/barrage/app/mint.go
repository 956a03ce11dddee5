package app

import (
	"fmt"
	"os"
	"time"

	"barrage/ingest/auth"
	"barrage/internal/slug"
	"barrage/internal/token"
)

func (c command) key(args []string) error {
	ttl := c.flags.Duration("ttl", 0, "how long the key works; 0 = until it is rotated")
	rotate := c.flags.Bool("rotate", false, "end every key handed out before")
	cfg, words, _, err := c.config(args, 1)
	if err != nil {
		return err
	}
	if err = checkRoom(words[0]); err != nil {
		return err
	}
	if err = os.MkdirAll(cfg.StateDir, 0o750); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	keys, err := auth.Open(cfg.keysFile())
	if err != nil {
		return err
	}
	if *rotate {
		if err = keys.Rotate(words[0]); err != nil {
			return err
		}
	}
	key, err := keys.Mint(words[0], *ttl)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Stdout, key)
	return err
}

func (c command) token(args []string) error {
	as := c.flags.String("role", "", "host or moderator")
	ttl := c.flags.Duration("ttl", studioTTL, "how long the token works")
	name := c.flags.String("name", "", "whose token it is; default: the role")
	cfg, words, _, err := c.config(args, 1)
	if err != nil {
		return err
	}
	if err = checkRoom(words[0]); err != nil {
		return err
	}
	want := token.Role(*as)
	if want != token.RoleHost && want != token.RoleModerator {
		return fmt.Errorf("%w: -role must be host or moderator", errUsage)
	}
	if *ttl <= 0 {
		return fmt.Errorf("%w: -ttl must be positive", errUsage)
	}
	if *name == "" {
		*name = *as
	}
	if err = os.MkdirAll(cfg.StateDir, 0o750); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	secret, err := token.LoadSecret(cfg.secretFile())
	if err != nil {
		return err
	}
	text, err := token.Sign(secret, token.UsePerson, token.Claims{
		Room: words[0], Role: want, Subject: *name, Expires: time.Now().Add(*ttl).Unix(),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Stdout, text)
	return err
}

func checkRoom(name string) error {
	if err := slug.Check(name); err != nil {
		return fmt.Errorf("%w: room %q: %w", errUsage, name, err)
	}
	return nil
}
