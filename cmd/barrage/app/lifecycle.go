package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// stopLimit bounds the whole stop. A supervisor that waits 10 s never has to kill.
const stopLimit = 9 * time.Second

// lifecycle is a stack of running parts: started in order, stopped in reverse,
// by name, within one bound. It is used by one goroutine.
type lifecycle struct {
	logger *slog.Logger
	parts  []part
	failed chan error
}

type part struct {
	name string
	stop func(context.Context) error
}

func newLifecycle(logger *slog.Logger) *lifecycle {
	// One slot is enough: the first failure ends the process.
	return &lifecycle{logger: logger, failed: make(chan error, 1)}
}

// push notes how to stop something that runs already.
func (l *lifecycle) push(name string, stop func(context.Context) error) {
	l.parts = append(l.parts, part{name, stop})
}

// run starts a part that lives until its turn to stop comes, not until ctx ends. A
// part that returns before that ends the process, with its error.
func (l *lifecycle) run(ctx context.Context, name string, body func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() {
		err := body(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("ended by itself")
			}
			l.fail(fmt.Errorf("%s: %w", name, err))
			err = nil // reported once
		}
		done <- err
	}()
	l.push(name, func(bound context.Context) error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-bound.Done():
			return context.Cause(bound)
		}
	})
}

func (l *lifecycle) fail(err error) {
	select {
	case l.failed <- err:
	default: // somebody was first; the stop will report the rest
	}
}

// wait returns nil when ctx ends, or the error of the part that failed first.
func (l *lifecycle) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-l.failed:
		return err
	}
}

// stop stops every part, newest first, and returns what went wrong. It has its
// own bound: that ctx has ended is why the parts are stopped.
func (l *lifecycle) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	var errs []error
	for len(l.parts) > 0 {
		last := l.parts[len(l.parts)-1]
		l.parts = l.parts[:len(l.parts)-1]
		begin := time.Now()
		err := last.stop(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", last.name, err))
		}
		l.logger.Debug("part stopped", "conn", last.name, "dur", time.Since(begin))
	}
	return errors.Join(errs...)
}
