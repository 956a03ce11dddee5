package redisbroker

import (
	"context"

	"barrage/chat"

	"github.com/redis/go-redis/v9"
)

// Streams are bounded by what they hold, which Redis itself cannot do: beside each
// lies a list with one line per entry, "id size end", where end counts the bytes up to here.
const (
	// boundFunction: keys stream, sizes; an entry's id and size; the most entries and
	// bytes; ms until all is forgotten. The newest entry stays whatever its size. A stream
	// without its list (evicted, or older than the list) is counted from here on.
	boundFunction = `
local function bound(stream, sizes, id, size, most, bytes, keep)
  local line = redis.call('LINDEX', sizes, -1)
  local sum = size + (line and string.match(line, '%d+$') or 0)
  local count = redis.call('RPUSH', sizes, id .. ' ' .. size .. ' ' .. string.format('%.0f', sum))
  local last
  while count > 1 do
    local head, length, upto = string.match(redis.call('LINDEX', sizes, 0), '^(%S+) (%d+) (%d+)$')
    if count <= tonumber(most) and sum - upto + length <= tonumber(bytes) then break end
    redis.call('LPOP', sizes)
    last, count = head, count - 1
  end
  if last then
    local ms, n = string.match(last, '^(%d+)-(%d+)$')
    redis.call('XTRIM', stream, 'MINID', ms .. '-' .. string.format('%.0f', n + 1))
  end
  redis.call('PEXPIRE', stream, keep)
  redis.call('PEXPIRE', sizes, keep)
end
`

	// appendScript: KEYS log, sizes; ARGV batch or '', channel, message or '', most
	// batches, most bytes, keep. XADD comes first: where Redis refuses to write, the
	// frame is not sent either.
	appendScript = boundFunction + `
local id = ''
if ARGV[1] ~= '' then
  id = redis.call('XADD', KEYS[1], '*', 'b', ARGV[1])
  bound(KEYS[1], KEYS[2], id, #ARGV[1], ARGV[4], ARGV[5], ARGV[6])
end
if ARGV[3] ~= '' then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return id`

	// trimScript: KEYS log, sizes; ARGV ms and number of the last entry to go, id of
	// the first that may stay.
	trimScript = `
local last, n = tonumber(ARGV[1]), tonumber(ARGV[2])
while true do
  local head = redis.call('LINDEX', KEYS[2], 0)
  if not head then break end
  local ms, number = string.match(head, '^(%d+)-(%d+) ')
  ms, number = tonumber(ms), tonumber(number)
  if ms > last or (ms == last and number > n) then break end
  redis.call('LPOP', KEYS[2])
end
return redis.call('XTRIM', KEYS[1], 'MINID', ARGV[3])`
)

// bounds are those of a stream.
type bounds struct{ entries, bytes int64 }

// Append implements chat.Log.
func (b *Broker) Append(ctx context.Context, room string, batch, frame []byte) (id string, err error) {
	err = b.do(ctx, room, cmdAppend, func(ctx context.Context) error {
		if len(batch) == 0 && len(frame) == 0 {
			return nil
		}
		id, err = b.scripts.append.Run(ctx, b.client, []string{b.keys.log(room), b.keys.logSizes(room)},
			batch, b.keys.bus(room), appendMessage(frame), b.log.entries, b.log.bytes, keep.Milliseconds()).Text()
		return err
	})
	return id, err
}

// Tail implements chat.Log.
func (b *Broker) Tail(ctx context.Context, room string, n int) ([]chat.Entry, error) {
	if n <= 0 {
		return nil, nil
	}
	return b.read(ctx, room, cmdTail, func(ctx context.Context) ([]redis.XMessage, error) {
		newest, err := b.client.XRevRangeN(ctx, b.keys.log(room), "+", "-", int64(n)).Result()
		for i, j := 0, len(newest)-1; i < j; i, j = i+1, j-1 {
			newest[i], newest[j] = newest[j], newest[i]
		}
		return newest, err
	})
}

// Read implements chat.Log.
func (b *Broker) Read(ctx context.Context, room, after string, n int) ([]chat.Entry, error) {
	from, err := chat.ParseEntryID(after)
	if err != nil || n <= 0 {
		return nil, err
	}
	return b.read(ctx, room, cmdRead, func(ctx context.Context) ([]redis.XMessage, error) {
		return b.client.XRangeN(ctx, b.keys.log(room), from.Next().String(), "+", int64(n)).Result()
	})
}

// read makes entries of what a command finds.
func (b *Broker) read(ctx context.Context, room, command string, find func(context.Context) ([]redis.XMessage, error)) ([]chat.Entry, error) {
	var entries []chat.Entry
	err := b.do(ctx, room, command, func(ctx context.Context) error {
		found, err := find(ctx)
		for _, m := range found {
			entries = append(entries, chat.Entry{ID: m.ID, Batch: value(m)})
		}
		return err
	})
	return entries, err
}

// value is the one field of a stream entry.
func value(m redis.XMessage) []byte {
	s, _ := m.Values["b"].(string)
	return []byte(s)
}

// Trim implements chat.Log.
func (b *Broker) Trim(ctx context.Context, room, through string) error {
	last, err := chat.ParseEntryID(through)
	if err != nil {
		return err
	}
	return b.do(ctx, room, cmdTrim, func(ctx context.Context) error {
		return b.scripts.trim.Run(ctx, b.client, []string{b.keys.log(room), b.keys.logSizes(room)},
			last.MS, last.N, last.Next().String()).Err()
	})
}
