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
	"strings"
	"time"

	"barrage/chat"
	"barrage/ingest/auth"
	"barrage/internal/slug"
	"barrage/internal/token"
)

// Process is what main knows of its surroundings.
type Process struct {
	Version string
	Args    []string // without the program's name
	Env     []string // NAME=value
	Stdout  io.Writer
	Stderr  io.Writer
}

const usage = `barrage: live streaming for a party. RTMP in, HLS and bullet comments out.

  barrage serve              everything in one process
  barrage media              video, page and room API; shares Redis with:
  barrage chat               comments
  barrage check              say whether the configuration is good
  barrage key ROOM           print the stream key of a room    (-ttl 24h, -rotate)
  barrage token ROOM         print a host's or moderator's token    (-role, -ttl, -name)
  barrage version

Flags of all commands: -config FILE, -state-dir DIR, -set section.key=value.
Every setting is also an environment variable: http.addr is BARRAGE_HTTP_ADDR.
`

// Main runs one command and returns its exit code.
func Main(ctx context.Context, p Process) int {
	err := dispatch(ctx, p)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(p.Stderr, "barrage:", err)
	}
	return exitCode(err)
}

func dispatch(ctx context.Context, p Process) error {
	if len(p.Args) == 0 {
		fmt.Fprint(p.Stderr, usage)
		return fmt.Errorf("%w: a command is missing", errUsage)
	}
	name, args := p.Args[0], p.Args[1:]
	c := command{Process: p, flags: flag.NewFlagSet("barrage "+name, flag.ContinueOnError)}
	switch name {
	case "serve":
		return c.run(ctx, role{name: name, media: true, chat: true}, args)
	case "media":
		return c.run(ctx, role{name: name, media: true}, args)
	case "chat":
		return c.run(ctx, role{name: name, chat: true}, args)
	case "check":
		return c.check(args)
	case "key":
		return c.key(args)
	case "token":
		return c.token(args)
	case "version":
		_, err := fmt.Fprintln(p.Stdout, "barrage", p.Version)
		return err
	case "help", "-h", "-help", "--help":
		_, err := fmt.Fprint(p.Stdout, usage)
		return err
	}
	fmt.Fprint(p.Stderr, usage)
	return fmt.Errorf("%w: there is no command %q", errUsage, name)
}

// command is one run of the program: its flags and where it speaks to.
type command struct {
	Process
	flags *flag.FlagSet
}

// config parses the command line (flags may stand before or after the room)
// and loads the configuration. want is how many words stand beside the flags.
func (c command) config(args []string, want int) (cfg Config, words []string, warnings []string, err error) {
	src := sources{env: c.Env}
	c.flags.SetOutput(c.Stderr)
	c.flags.StringVar(&src.file, "config", "", "configuration `FILE`")
	c.flags.Func("set", "one setting as `section.key=value`; may be repeated", func(s string) error {
		src.set = append(src.set, s)
		return nil
	})
	c.flags.Func("state-dir", "the state `DIR`ectory", func(s string) error {
		src.set = append(src.set, "state_dir="+s)
		return nil
	})
	for len(args) > 0 {
		if err = c.flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return cfg, nil, nil, err
			}
			return cfg, nil, nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if args = c.flags.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	if len(words) != want {
		return cfg, nil, nil, fmt.Errorf("%w: %s wants %d argument(s), got %d: %s", errUsage, c.flags.Name(), want, len(words), strings.Join(words, " "))
	}
	cfg, warnings, err = load(src)
	return cfg, words, warnings, err
}

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
	a, err := New(cfg, r, Build{Logger: logger, Version: c.Version})
	if err != nil {
		return err
	}
	a.reloadOnHangup(level, func() (Config, error) {
		again := command{Process: c.Process, flags: flag.NewFlagSet("reload", flag.ContinueOnError)}
		again.flags.String("addrs", "", "")
		again.flags.Bool("banner", false, "")
		fresh, _, _, err := again.config(args, 0)
		return fresh, err
	})
	if err = writeAddrs(*addrsFile, a.Addrs()); err != nil {
		return errors.Join(err, a.lifecycle.stop())
	}
	if r.media && (*banner || isTerminal(c.Stdout)) {
		if err = a.banner(c.Stdout); err != nil {
			return errors.Join(err, a.lifecycle.stop())
		}
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

func (c command) check(args []string) error {
	_, _, warnings, err := c.config(args, 0)
	for _, name := range warnings {
		fmt.Fprintf(c.Stderr, "barrage: %s is no setting and has no effect\n", name)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Stdout, "configuration is good")
	return err
}

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
