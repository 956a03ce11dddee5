package app

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// fewFiles is the open-file limit below which a popular room runs out.
const fewFiles = 4096

func newLogger(cfg LogConfig, w io.Writer, level *slog.LevelVar) (*slog.Logger, error) {
	l, err := cfg.level()
	if err != nil {
		return nil, err
	}
	level.Set(l)
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return slog.New(slog.NewTextHandler(w, opts)), nil
}

// prepareProcess fits the runtime to the machine: the memory limit of the
// container, and a warning when connections will run out. (Go raises the soft
// open-file limit to the hard one by itself.)
func prepareProcess(logger *slog.Logger) {
	if limit, ok := cgroupMemory(); ok && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
	if limit, ok := openFiles(); ok && limit < fewFiles {
		logger.Warn("few open files allowed", "limit", limit, "reason", "every viewer needs one: raise LimitNOFILE or ulimit -n")
	}
}

// reloadOnHangup reads the configuration again at every SIGHUP and takes over
// what can change while running: the log level. The certificates of RTMPS and HTTPS
// are looked at again, too. (Stream keys are read again by themselves.) A bad file changes
// nothing.
func (a *App) reloadOnHangup(ctx context.Context, level *slog.LevelVar, read func() (Config, error)) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	a.lifecycle.run(ctx, "reload", func(ctx context.Context) error {
		defer signal.Stop(hangup)
		for {
			select {
			case <-hangup:
				a.reload(level, read)
			case <-ctx.Done():
				return nil
			}
		}
	})
}

func (a *App) reload(level *slog.LevelVar, read func() (Config, error)) {
	if a.ingest != nil {
		_ = a.ingest.Reload() // it says so itself
	}
	if a.certs != nil {
		_ = a.certs.Reload() // as does this
	}
	cfg, err := read()
	if err == nil {
		var l slog.Level
		if l, err = cfg.Log.level(); err == nil {
			level.Set(l)
			a.logger.Info("log level read again", "hint", "every other setting wants a restart")
			return
		}
	}
	a.logger.Error("configuration kept as it was", "err", err)
}
