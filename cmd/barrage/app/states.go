package app

import (
	"context"
	"log/slog"
	"time"

	"barrage/chat"
	"barrage/packager"
)

const (
	stateEvery = 2 * time.Second  // how often chat hears of a room that goes on
	stateTTL   = 10 * time.Second // after that a silent media server's rooms lapse
	stateLimit = 2 * time.Second  // one write
)

// states tells chat what it needs to know of every room's video: at each
// change, and again every two seconds. Video never waits for it.
type states struct {
	rooms  *packager.Registry
	store  chat.RoomStore
	logger *slog.Logger
}

// Run writes until ctx ends.
func (s states) Run(ctx context.Context) error {
	ticker := time.NewTicker(stateEvery)
	defer ticker.Stop()
	silent := false
	for {
		changed := s.rooms.Changed()
		err := s.write(ctx)
		if err != nil && ctx.Err() == nil && !silent {
			s.logger.Warn("chat does not hear of the rooms", "err", err, "reason", "broker unavailable; trying again every 2s")
		} else if err == nil && silent {
			s.logger.Info("chat hears of the rooms again")
		}
		silent = err != nil
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// write puts every room's state once and returns the first error: when the
// store is gone, one time-out is enough.
func (s states) write(ctx context.Context) error {
	for _, st := range s.rooms.Statuses() {
		bound, cancel := context.WithTimeout(ctx, stateLimit)
		err := s.store.PutState(bound, roomState(st, time.Now()), stateTTL)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// roomState is what chat needs of a status. The program date time is moved on
// by the age of the newest sample, at most a second, so that it is true at now.
func roomState(st packager.Status, now time.Time) chat.RoomState {
	s := chat.RoomState{
		Room: st.Room, Session: st.Session, Epoch: st.Epoch, Phase: string(st.Phase),
		Live:    st.Phase == packager.PhaseLive,
		Window:  st.Window.Milliseconds(),
		Latency: st.Latency.Milliseconds(),
		Players: st.Players.Sum(),
	}
	if !st.PDT.IsZero() {
		s.PDT = st.PDT.Add(min(now.Sub(st.PDTAt), time.Second)).UnixMilli()
	}
	return s
}
