package chat

import (
	"time"

	"barrage/chat/internal/wire"
)

const measureInterval = 10 * time.Second

// measured is what the leader last wrote down of the room.
type measured struct {
	counted  bool
	at       time.Duration
	comments uint64
	likes    uint64
}

// measure writes every ten seconds how the room stands into its log, so that a
// report can be made again later. A room without anybody is not written about. A lost
// record costs nothing but its moment: the totals go on.
func (r *room) measure(l *leadership) {
	if !l.held {
		return
	}
	now := r.hub.clock()
	r.mu.Lock()
	viewers, comments, likes := r.countViewers(), r.team.comments, r.team.likes
	r.mu.Unlock()
	old := l.measured
	if old.counted && now-old.at < measureInterval {
		return
	}
	l.measured = measured{true, now, comments, likes}
	if !old.counted || viewers == 0 && comments == old.comments && likes == old.likes {
		return
	}
	record, err := wire.AppendRecord(nil, wire.Record{Node: r.node, T: r.hub.now().UnixMilli(), Stat: &wire.Measure{
		Seconds: int64((now - old.at).Seconds()), Viewers: viewers,
		Comments: comments - old.comments, CommentsTotal: comments, Likes: likes - old.likes, LikesTotal: likes,
	}})
	if err != nil {
		panic(err) // a Measure is JSON
	}
	ctx, cancel := r.deadline()
	defer cancel()
	if _, err = r.hub.broker.Append(ctx, r.name, record, nil); err != nil {
		r.broken(err)
	}
}
