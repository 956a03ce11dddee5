package redisbroker

import "barrage/chat"

// ParseMessage lets the external tests at the parser of what anybody on the
// same Redis could send.
func ParseMessage(payload string) (frame []byte, state *chat.RoomState, err error) {
	m, err := parseMessage(payload)
	if m.state != nil {
		state = &m.state.State
	}
	return m.frame, state, err
}

// ParseLease lets the external tests at the parser of a script's answer.
func ParseLease(answer []string, node string) (chat.Lease, error) { return parseLease(answer, node) }

// AppendFrame and AppendState make what ParseMessage reads.
var (
	AppendFrame = appendFrame
	AppendState = appendState
)
