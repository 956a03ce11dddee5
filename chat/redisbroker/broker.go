package redisbroker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"barrage/chat"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Options wire a Broker.
type Options struct {
	// URL says where Redis is: redis://[user:password@]host[:port][/database].
	URL string
	// Prefix begins every key and channel, so that deployments can share a Redis.
	// Default "barrage:".
	Prefix string
	// LogBatches and LogBytes bound the stream of one room, in batches and in bytes;
	// the oldest go. They cost Redis RAM until they are trimmed. Defaults 16384 and 256 MiB,
	// of which the second is some twenty seconds of 143,000 comments each.
	LogBatches int64
	LogBytes   int64
	// Logger gets a line when Redis goes and comes. Default: none.
	Logger *slog.Logger
	// Registerer gets the metrics. Default: none.
	Registerer prometheus.Registerer
}

// keep is how long Redis remembers the log and the numbering of a room that
// nobody uses.
const (
	keep      = 30 * 24 * time.Hour
	keepTicks = time.Hour // of their frames
)

// Broker is chat.Broker on Redis.
type Broker struct {
	client  *redis.Client
	keys    keys
	scripts scripts
	log     bounds // of the log of one room
	link    *link
	metrics *metrics

	stop    func()         // ends the goroutines
	running sync.WaitGroup // of link and heart
	closing sync.Once
}

// New starts a broker. A Redis that cannot be reached is no error: the broker
// tries on, and its calls fail with chat.ErrUnavailable meanwhile. ctx bounds only
// New's waiting for the first attempt, which is short. The owner must Close it.
func New(ctx context.Context, opts Options) (*Broker, error) {
	redisOpts, err := parseURL(opts.URL)
	if err != nil {
		return nil, err
	}
	logging.Disable() // the link says it once, with a hint
	client := redis.NewClient(redisOpts)
	k := keys{prefix: cmp.Or(opts.Prefix, "barrage:")}
	l := newLink(client, k, cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)).With("addr", redisOpts.Addr))
	m, err := newMetrics(opts.Registerer, l)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	l.metrics = m
	b := &Broker{
		client: client, keys: k, scripts: newScripts(), link: l, metrics: m,
		log: bounds{cmp.Or(opts.LogBatches, 16384), cmp.Or(opts.LogBytes, 256<<20)},
	}

	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	b.running.Go(func() { l.run(life) })
	b.running.Go(func() { l.heart.run(life) })
	l.awaitFirst(ctx)
	return b, nil
}

// Close ends every subscription, and returns when nothing of the broker runs
// and no handler will be called again.
func (b *Broker) Close() error {
	var err error
	b.closing.Do(func() {
		b.stop()
		b.running.Wait()
		b.link.close()
		err = b.client.Close()
	})
	return err
}

// Up says whether frames travel through Redis now.
func (b *Broker) Up() bool { return b.link.isUp() && !b.link.heart.silent.Load() }

// Degraded says in words what an operator should know about Redis, if anything.
func (b *Broker) Degraded() (reason string, degraded bool) {
	switch {
	case !b.Up():
		return "redis does not answer: comments are refused until it does", true
	case b.link.volatile.Load():
		return "redis runs without appendonly: comments are lost when it restarts", true
	}
	return "", false
}

// do runs one round trip within its bounds and makes its error a
// chat.ErrUnavailable.
func (b *Broker) do(ctx context.Context, command string, f func(context.Context) error) error {
	begin := time.Now()
	err := ctx.Err()
	if err == nil {
		err = b.link.refusal()
	}
	if err == nil {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, commandTimeout)
		defer cancel()
		err = f(ctx)
	}
	b.metrics.observe(command, begin, err)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", chat.ErrUnavailable, command, err)
	}
	return nil
}

// Publish implements chat.Bus.
func (b *Broker) Publish(ctx context.Context, room string, frame []byte) error {
	return b.do(ctx, cmdPublish, func(ctx context.Context) error {
		if len(frame) == 0 {
			return nil
		}
		return b.client.Publish(ctx, b.keys.bus(room), appendFrame(nil, frame)).Err()
	})
}

// Subscribe implements chat.Bus.
func (b *Broker) Subscribe(ctx context.Context, room string, h chat.Handler) (chat.Subscription, error) {
	var s *subscription
	err := b.do(ctx, cmdSubscribe, func(ctx context.Context) error {
		var err error
		s, err = b.link.subscribe(ctx, room, h)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}
