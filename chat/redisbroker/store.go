package redisbroker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"barrage/chat"

	"github.com/redis/go-redis/v9"
)

// Scripts run alone in Redis, so that each is one step for everybody. They take
// the keys of one room only.
const (
	// leadScript: KEYS leader, ticks, tick log, its sizes, rules; ARGV node, ttl, epoch
	// if there is none, keep. The frames of an epoch that was lost go with it.
	leadScript = `
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  holder = ARGV[1]
end
if redis.call('HSETNX', KEYS[2], 'epoch', ARGV[3]) == 1 then
  redis.call('DEL', KEYS[3], KEYS[4])
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local ticks = redis.call('HMGET', KEYS[2], 'epoch', 'seq')
return {holder, ticks[1], ticks[2] or '0', redis.call('HGET', KEYS[5], 'version') or '0'}`

	// advanceScript: KEYS leader, ticks, tick log, its sizes; ARGV node, seq, channel,
	// frame or '', message, most ticks, most bytes, keep. HSET comes first: it is what
	// Redis refuses when it must not write. Frames have their numbers as IDs.
	advanceScript = boundFunction + `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) <= tonumber(redis.call('HGET', KEYS[2], 'seq') or '0') then return 0 end
redis.call('HSET', KEYS[2], 'seq', ARGV[2])
if ARGV[4] ~= '' then
  redis.call('XADD', KEYS[3], ARGV[2] .. '-0', 'b', ARGV[4])
  bound(KEYS[3], KEYS[4], ARGV[2] .. '-0', #ARGV[4], ARGV[6], ARGV[7], ARGV[8])
  redis.call('PUBLISH', ARGV[3], ARGV[5])
end
return 1`

	// setRulesScript: KEYS rules; ARGV version, body.
	setRulesScript = `
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'body', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'version', 1)
return 1`

	// putStateScript: KEYS state; ARGV value, ttl, channel, message.
	putStateScript = `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1`

	// resignScript: KEYS leader; ARGV node.
	resignScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`
)

// scripts are the scripts with their digests; Run sends the digest, and the
// text only to a Redis that does not know it.
type scripts struct{ append, trim, lead, advance, setRules, putState, resign *redis.Script }

// newScripts makes them for a Redis whose publish command is called publish.
func newScripts(publish string) scripts {
	script := func(text string) *redis.Script {
		return redis.NewScript(strings.ReplaceAll(text, "'PUBLISH'", "'"+publish+"'"))
	}
	return scripts{
		append:   script(appendScript),
		trim:     script(trimScript),
		lead:     script(leadScript),
		advance:  script(advanceScript),
		setRules: script(setRulesScript),
		putState: script(putStateScript),
		resign:   script(resignScript),
	}
}

// Lead implements chat.Store.
func (b *Broker) Lead(ctx context.Context, room, node string, ttl time.Duration) (chat.Lease, error) {
	var lease chat.Lease
	err := b.do(ctx, room, cmdLead, func(ctx context.Context) error {
		answer, err := b.scripts.lead.Run(ctx, b.client,
			[]string{b.keys.leader(room), b.keys.ticks(room), b.keys.tickLog(room), b.keys.tickSizes(room), b.keys.rules(room)},
			node, milliseconds(ttl), newEpoch(), keep.Milliseconds()).StringSlice()
		if err != nil {
			return err
		}
		lease, err = parseLease(answer, node)
		return err
	})
	return lease, err
}

// parseLease reads leadScript's answer: holder, epoch, seq, version of the rules.
func parseLease(answer []string, node string) (chat.Lease, error) {
	if len(answer) != 4 {
		return chat.Lease{}, fmt.Errorf("parse lease %q: want 4 values", answer)
	}
	seq, err := strconv.ParseUint(answer[2], 10, 64)
	if err != nil {
		return chat.Lease{}, fmt.Errorf("parse lease: %w", err)
	}
	rules, err := strconv.ParseUint(answer[3], 10, 64)
	if err != nil {
		return chat.Lease{}, fmt.Errorf("parse lease: %w", err)
	}
	return chat.Lease{Held: answer[0] == node, Holder: answer[0], Epoch: answer[1], Seq: seq, RulesVersion: rules}, nil
}

// newEpoch names a numbering; no two are ever equal.
func newEpoch() string { return strings.ToLower(rand.Text()[:16]) }

// milliseconds is d for PX, which takes no less than 1.
func milliseconds(d time.Duration) int64 { return max(d.Milliseconds(), 1) }

// Advance implements chat.Store.
func (b *Broker) Advance(ctx context.Context, room, node string, seq uint64, frame []byte) error {
	var done bool
	err := b.do(ctx, room, cmdAdvance, func(ctx context.Context) error {
		var err error
		done, err = b.scripts.advance.Run(ctx, b.client,
			[]string{b.keys.leader(room), b.keys.ticks(room), b.keys.tickLog(room), b.keys.tickSizes(room)},
			node, seq, b.keys.bus(room), frame, appendMessage(frame),
			chat.TickLogLength, chat.TickLogBytes, keepTicks.Milliseconds()).Bool()
		return err
	})
	if err == nil && !done {
		return chat.ErrNotLeader
	}
	return err
}

// Ticks implements chat.Store.
func (b *Broker) Ticks(ctx context.Context, room string, after uint64, n int) ([][]byte, error) {
	var frames [][]byte
	err := b.do(ctx, room, cmdTicks, func(ctx context.Context) error {
		if n <= 0 {
			return nil
		}
		from := "(" + strconv.FormatUint(after, 10) + "-0"
		found, err := b.client.XRangeN(ctx, b.keys.tickLog(room), from, "+", int64(n)).Result()
		for _, m := range found {
			frames = append(frames, value(m))
		}
		return err
	})
	return frames, err
}

// Rules implements chat.Store.
func (b *Broker) Rules(ctx context.Context, room string) (chat.Rules, error) {
	var rules chat.Rules
	err := b.do(ctx, room, cmdRules, func(ctx context.Context) error {
		found, err := b.client.HMGet(ctx, b.keys.rules(room), "version", "body").Result()
		if err != nil {
			return err
		}
		version, _ := found[0].(string)
		body, known := found[1].(string)
		if !known {
			return nil
		}
		rules.Body = []byte(body)
		rules.Version, err = strconv.ParseUint(version, 10, 64)
		return err
	})
	return rules, err
}

// SetRules implements chat.Store.
func (b *Broker) SetRules(ctx context.Context, room string, r chat.Rules) error {
	if err := r.Check(); err != nil {
		return err
	}
	var done bool
	err := b.do(ctx, room, cmdSetRules, func(ctx context.Context) error {
		var err error
		done, err = b.scripts.setRules.Run(ctx, b.client, []string{b.keys.rules(room)}, r.Version, r.Body).Bool()
		return err
	})
	if err == nil && !done {
		return chat.ErrConflict
	}
	return err
}

// Resign implements chat.Store.
func (b *Broker) Resign(ctx context.Context, room, node string) error {
	return b.do(ctx, room, cmdResign, func(ctx context.Context) error {
		return b.scripts.resign.Run(ctx, b.client, []string{b.keys.leader(room)}, node).Err()
	})
}

// Rooms implements chat.Store.
func (b *Broker) Rooms() chat.RoomStore { return b }

// PutState implements chat.RoomStore.
func (b *Broker) PutState(ctx context.Context, s chat.RoomState, ttl time.Duration) error {
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode room state: %w", err)
	}
	msg, err := appendState(nil, s, ttl)
	if err != nil {
		return err
	}
	return b.do(ctx, s.Room, cmdPutState, func(ctx context.Context) error {
		return b.scripts.putState.Run(ctx, b.client, []string{b.keys.state(s.Room)},
			value, milliseconds(ttl), b.keys.bus(s.Room), msg).Err()
	})
}

// State implements chat.RoomStore.
func (b *Broker) State(ctx context.Context, room string) (chat.RoomState, error) {
	var s chat.RoomState
	err := b.do(ctx, room, cmdState, func(ctx context.Context) error {
		found, err := fetchStates(ctx, b.client, b.keys, []string{room})
		if err == nil {
			s = found[0].state
		}
		return err
	})
	return s, err
}

// retained is a room's state in Redis and for how long it lasts; ttl 0: there is none.
type retained struct {
	state chat.RoomState
	ttl   time.Duration
}

// fetchStates reads the states of rooms in one round trip.
func fetchStates(ctx context.Context, c client, k keys, rooms []string) ([]retained, error) {
	values := make([]*redis.StringCmd, len(rooms))
	ttls := make([]*redis.DurationCmd, len(rooms))
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, room := range rooms {
			values[i], ttls[i] = p.Get(ctx, k.state(room)), p.PTTL(ctx, k.state(room))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	found := make([]retained, len(rooms))
	for i, room := range rooms {
		found[i].state.Room = room
		value, err := values[i].Bytes()
		if errors.Is(err, redis.Nil) || ttls[i].Val() <= 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(value, &found[i].state); err != nil {
			return nil, fmt.Errorf("parse room state: %w", err)
		}
		found[i].ttl = ttls[i].Val()
	}
	return found, nil
}
