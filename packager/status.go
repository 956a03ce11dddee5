package packager

import (
	"time"

	"barrage/packager/media"
)

// Phase is where a room is in the life of its session.
type Phase string

// The phases.
const (
	PhaseOffline  Phase = "offline"  // nobody is publishing
	PhaseStarting Phase = "starting" // a publisher is there, nothing can be played yet
	PhaseLive     Phase = "live"
	PhaseAway     Phase = "away"  // the publisher is gone and may come back into the same session
	PhaseEnded    Phase = "ended" // the playlists say ENDLIST and can still be played
)

// Status describes a room at one moment.
type Status struct {
	Room, Session, Epoch string
	Phase                Phase
	Since                time.Time     // of the phase
	PDT                  time.Time     // program date time of the newest sample
	PDTAt                time.Time     // when that sample came, with monotonic reading
	PDTNow               time.Time     // the same for now, steady: what players steer by; zero before the first sample
	Window               time.Duration // how far back a viewer can go
	Latency              time.Duration // how far behind PDT low-latency players aim to be
	Players              Players       // HLS players that are not our page's
	Tracks               []media.Track // as they leave
}

// Status describes the room now.
func (s *Stream) Status() Status {
	players := s.players() // before the lock: it looks at thousands of slots
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Room: s.room, Phase: s.phase, Since: s.since, Players: players}
	if s.session != nil {
		st.Session, st.PDT, st.PDTAt = s.session.id, s.session.pdt, s.session.seenAt
		st.PDTNow = s.session.tempo.now(s.env.now())
	}
	if e, ok := s.Current(); ok {
		st.Epoch = e.ID
	}
	if p := s.packer; p != nil {
		st.Window = p.lanes[0].rendition.Window().Duration()
		st.Latency = 3*p.limits.partTarget + p.limits.part
		for _, l := range p.lanes {
			st.Tracks = append(st.Tracks, l.track)
		}
	}
	return st
}
