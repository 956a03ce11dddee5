package origin

import (
	"hash/maphash"
	"strings"

	"barrage/packager"
)

// count notes who asked for a playlist. A player that names its session (CTA-5004) is
// counted by that; of any other only its household and user agent are known.
func (h *Handler) count(r *request, s *packager.Stream) {
	id := sessionID(r.session)
	if id == "" && strings.Contains(r.query, "CMCD=") {
		cmcd, _ := parameter(r.query, "CMCD")
		id = sessionID(cmcd)
	}
	if strings.HasPrefix(id, ourSessions) {
		return
	}
	player := packager.Player{Exact: id != "", Place: maphash.Comparable(h.seed, household(r.addr))}
	if !player.Exact {
		id = r.agent
	}
	// The seed is this process's, so nobody can choose colliding ones.
	player.ID = maphash.Comparable(h.seed, visitor{player.Place, id})
	s.Seen(player)
}

// visitor is what tells players apart.
type visitor struct {
	place uint64
	id    string
}

// ourSessions begin the session ids of our page, whose viewers the chat counts.
const ourSessions = "barrage-"

// maxSessionID is the longest that CTA-5004 allows.
const maxSessionID = 64

// sessionID finds the session id in CMCD data, such as sid="6e2fb550",cid="live".
func sessionID(cmcd string) string {
	for field := range strings.SplitSeq(cmcd, ",") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(field), `sid="`); ok {
			id, _, _ := strings.Cut(value, `"`)
			return id[:min(len(id), maxSessionID)]
		}
	}
	return ""
}
