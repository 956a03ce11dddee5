package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
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
		p.complain("barrage: " + err.Error() + "\n")
	}
	return exitCode(err)
}

// complain writes to standard error; when that fails there is nowhere left to say so.
func (p Process) complain(text string) { _, _ = io.WriteString(p.Stderr, text) }

func dispatch(ctx context.Context, p Process) error {
	if len(p.Args) == 0 {
		p.complain(usage)
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
	p.complain(usage)
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

func (c command) check(args []string) error {
	_, _, warnings, err := c.config(args, 0)
	for _, name := range warnings {
		c.complain("barrage: " + name + " is no setting and has no effect\n")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Stdout, "configuration is good")
	return err
}
