package redisbroker

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"barrage/chat"
)

// keys names what belongs to a room in Redis. The braces make the room the hash
// tag: "only what is inside { and } is hashed" (Redis Cluster specification), so
// that a room's keys are always in one slot.
type keys struct{ prefix string }

func (k keys) of(room, kind string) string { return k.prefix + "{" + room + "}:" + kind }

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
