package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errBroken = errors.New("broken")

func TestLifecycleStopsInReverse(t *testing.T) {
	l := newLifecycle(slog.New(slog.DiscardHandler))
	var order []string
	for _, name := range []string{"a", "b", "c"} {
		l.push(name, func(context.Context) error {
			order = append(order, name)
			return nil
		})
	}
	if err := l.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"c", "b", "a"}; !slices.Equal(order, want) {
		t.Errorf("stopped %v, want %v", order, want)
	}
	if err := l.stop(t.Context()); err != nil || len(order) != 3 {
		t.Errorf("second stop: %v, %v, want nothing", err, order)
	}
}

func TestLifecycleEndsWithTheFirstFailure(t *testing.T) {
	for name, body := range map[string]func(context.Context) error{
		"fails":          func(context.Context) error { return errBroken },
		"ends by itself": func(context.Context) error { return nil },
	} {
		l := newLifecycle(slog.New(slog.DiscardHandler))
		l.run(t.Context(), "good", func(ctx context.Context) error { <-ctx.Done(); return nil })
		l.run(t.Context(), "bad", body)
		if err := l.wait(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "bad: ") {
			t.Errorf("%s: wait = %v, want an error that names the part", name, err)
		}
		if err := l.stop(t.Context()); err != nil {
			t.Errorf("%s: stop = %v, want the failure reported once", name, err)
		}
	}
}

func TestLifecycleEndsWithItsContext(t *testing.T) {
	l := newLifecycle(slog.New(slog.DiscardHandler))
	l.run(t.Context(), "good", func(ctx context.Context) error { <-ctx.Done(); return nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := errors.Join(l.wait(ctx), l.stop(t.Context())); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestLifecycleStopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLifecycle(slog.New(slog.DiscardHandler))
		release := make(chan struct{})
		l.run(t.Context(), "stuck", func(context.Context) error { <-release; return nil })
		begin := time.Now()
		err := l.stop(t.Context())
		if got := time.Since(begin); got != stopLimit || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop = %v after %v, want deadline exceeded after %v", err, got, stopLimit)
		}
		close(release)
	})
}
