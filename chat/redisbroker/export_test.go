package redisbroker

import (
	"strings"

	"barrage/chat"
)

// ParseMessage lets the external tests at the parser of what anybody on the
// same Redis could send.
func ParseMessage(payload string) (frame []byte, state *chat.RoomState, err error) {
	m, err := parseMessage(payload)
	if m.state != nil {
		state = &m.state.State
	}
	return m.frame, state, err
}

// ParseURL returns where a URL leads.
func ParseURL(raw string) (string, error) {
	a, err := parseURL(raw)
	if len(a.nodes) > 0 {
		return "cluster " + strings.Join(a.nodes, " "), err
	}
	return a.String(), err
}

// ParseLease lets the external tests at the parser of a script's answer.
func ParseLease(answer []string, node string) (chat.Lease, error) { return parseLease(answer, node) }

// AppendFrame and AppendState make what ParseMessage reads.
var (
	AppendFrame = appendFrame
	AppendState = appendState
)

// ClusterKey is the key, or channel, of a room on a cluster.
func ClusterKey(room, kind string) string {
	return keys{prefix: "barrage:", partitions: partitionTags()}.of(room, kind)
}

// Partition is a room's partition on a cluster.
func Partition(room string) int { return keys{partitions: partitionTags()}.partition(room) }

// PartitionTags are the hash tags of the partitions.
var PartitionTags = partitionTags
