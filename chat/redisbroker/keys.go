package redisbroker

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"barrage/chat"
)

// keys names what belongs to a room in Redis. "Only what is inside { and } is
// hashed" (Redis Cluster specification): on a cluster a room's keys and its channel are in
// the slot of its partition.
type keys struct {
	prefix     string
	partitions []string // hash tags; none outside a cluster
}

// partitionTags are the hash tags of a cluster's partitions. Their slots are 512,
// 1536, … 15872: any number of shards with equal parts of the slots gets equal parts of
// them. Tags that merely count ({0}, {1}, …) leave shards without any.
func partitionTags() []string {
	return []string{
		"p00e4v", "p01fwl", "p02bnz", "p03aih", "p04tp", "p057hn", "p06nr0", "p07e82",
		"p08jn4", "p09xk6", "p10h4v", "p11kwl", "p12g2h", "p13dqr", "p14dl4", "p15vi6",
	}
}

// partition is the room's, by its index; there is one outside a cluster.
func (k keys) partition(room string) int {
	if len(k.partitions) == 0 {
		return 0
	}
	return int(crc32.ChecksumIEEE([]byte(room)) % uint32(len(k.partitions)))
}

// hearts are channels in every partition, of one broker alone.
func (k keys) hearts() []string {
	heart := "heart:" + strings.ToLower(rand.Text())
	if len(k.partitions) == 0 {
		return []string{k.prefix + heart}
	}
	channels := make([]string, len(k.partitions))
	for i, tag := range k.partitions {
		channels[i] = k.prefix + "{" + tag + "}:" + heart
	}
	return channels
}

func (k keys) of(room, kind string) string {
	if len(k.partitions) == 0 {
		return k.prefix + "{" + room + "}:" + kind
	}
	return k.prefix + "{" + k.partitions[k.partition(room)] + "}:" + room + ":" + kind
}

func (k keys) log(room string) string       { return k.of(room, "log") }             // stream of batches
func (k keys) logSizes(room string) string  { return k.of(room, "log:sizes") }       // list: "id size" of each
func (k keys) ticks(room string) string     { return k.of(room, "ticks") }           // hash: epoch, seq
func (k keys) tickLog(room string) string   { return k.of(room, "ticks:log") }       // stream: frames by seq
func (k keys) tickSizes(room string) string { return k.of(room, "ticks:log:sizes") } // list: "id size" of each
func (k keys) rules(room string) string     { return k.of(room, "rules") }           // hash: version, body
func (k keys) leader(room string) string    { return k.of(room, "leader") }          // the node, while its lease lasts
func (k keys) state(room string) string     { return k.of(room, "state") }           // RoomState as JSON, while it lasts
func (k keys) bus(room string) string       { return k.of(room, "bus") }             // pub/sub channel

// What a message on a room's channel is, by its first byte. A receiver skips
// kinds it does not know.
const (
	kindFrame = 'f' // then the frame
	kindState = 's' // then a stateMessage as JSON
)

// stateMessage tells subscribed nodes of a new state and how long it lasts.
type stateMessage struct {
	State chat.RoomState `json:"state"`
	TTL   int64          `json:"ttl_ms"`
}

func appendFrame(dst, frame []byte) []byte {
	dst = append(dst, kindFrame)
	return append(dst, frame...)
}

// appendMessage is appendFrame, nothing for an empty frame.
func appendMessage(frame []byte) []byte {
	if len(frame) == 0 {
		return nil
	}
	return appendFrame(nil, frame)
}

func appendState(dst []byte, s chat.RoomState, ttl time.Duration) ([]byte, error) {
	body, err := json.Marshal(stateMessage{State: s, TTL: ttl.Milliseconds()})
	if err != nil {
		return nil, fmt.Errorf("encode room state: %w", err)
	}
	return append(append(dst, kindState), body...), nil
}

// message is what came on a room's channel: a frame or a state.
type message struct {
	frame []byte
	state *stateMessage
}

var errEmptyMessage = errors.New("empty message")

// parseMessage reads a message. One of an unknown kind is the zero message.
func parseMessage(payload string) (message, error) {
	if payload == "" {
		return message{}, errEmptyMessage
	}
	switch payload[0] {
	case kindFrame:
		return message{frame: []byte(payload[1:])}, nil
	case kindState:
		var s stateMessage
		if err := json.Unmarshal([]byte(payload[1:]), &s); err != nil {
			return message{}, fmt.Errorf("parse room state: %w", err)
		}
		return message{state: &s}, nil
	}
	return message{}, nil
}
