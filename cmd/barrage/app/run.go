package app

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"barrage/chat"
)

// run is the life of a server process.
func (c command) run(ctx context.Context, r role, args []string) error {
	addrsFile := c.flags.String("addrs", "", "write the bound addresses to this `FILE` as JSON once everything listens")
	banner := c.flags.Bool("banner", false, "print the links, with keys, even when this is no terminal")
	cfg, _, warnings, err := c.config(args, 0)
	if err != nil {
		return err
	}
	if err = cfg.forRole(r); err != nil {
		return err
	}
	level := new(slog.LevelVar)
	logger, err := newLogger(cfg.Log, c.Stderr, level)
	if err != nil {
		return err
	}
	for _, name := range warnings {
		logger.Warn("environment variable is no setting", "config", name)
	}
	prepareProcess(logger)
	a, err := New(ctx, cfg, r, Build{Logger: logger, Version: c.Version})
	if err != nil {
		return err
	}
	a.reloadOnHangup(ctx, level, func() (Config, error) {
		again := command{Process: c.Process, flags: flag.NewFlagSet("reload", flag.ContinueOnError)}
		again.flags.String("addrs", "", "")
		again.flags.Bool("banner", false, "")
		fresh, _, _, bad := again.config(args, 0)
		return fresh, bad
	})
	err = writeAddrs(*addrsFile, a.Addrs())
	if err == nil && r.media && (*banner || isTerminal(c.Stdout)) {
		err = a.banner(c.Stdout)
	}
	if err != nil {
		return errors.Join(err, a.lifecycle.stop(ctx))
	}
	return a.Run(ctx)
}

// forRole checks what only one role needs.
func (c *Config) forRole(r role) error {
	if r.media && r.chat {
		return nil
	}
	// Apart from each other the two roles have nothing but Redis in common.
	c.Chat.Broker = chat.BrokerRedis
	if c.Chat.Redis.URL == "" {
		return fmt.Errorf("%w: chat.redis.url: barrage %s and its other half meet in Redis: set %s, for example redis://127.0.0.1:6379/0 (barrage serve needs no Redis)",
			errConfig, r.name, envName("chat.redis.url"))
	}
	return nil
}

// writeAddrs tells a supervisor or a test where the server listens.
func writeAddrs(path string, addrs Addrs) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(addrs)
	if err != nil {
		return fmt.Errorf("-addrs: %w", err)
	}
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err = os.WriteFile(tmp, text, 0o600); err != nil {
		return fmt.Errorf("-addrs: %w", err)
	}
	if err = os.Rename(tmp, path); err != nil {
		return fmt.Errorf("-addrs: %w", err)
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
