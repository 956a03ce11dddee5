package redisbroker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"barrage/chat"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9/logging"
)

// Options wire a Broker.
type Options struct {
	// URL says where Redis is: redis://[user:password@]host[:port][/database]. Several
	// hosts (host:port,host:port), or one with ?cluster=true, are nodes of a cluster.
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
	client  client
	keys    keys
	scripts scripts
	log     bounds  // of the log of one room
	links   []*link // by partition
	metrics *metrics

	stop    func()         // ends the goroutines
	running sync.WaitGroup // of links and hearts
	closing sync.Once
}

// New starts a broker. A Redis that cannot be reached is no error: the broker
// tries on, and its calls fail with chat.ErrUnavailable meanwhile. ctx bounds only
// New's waiting for the first attempt, which is short. The owner must Close it.
func New(ctx context.Context, opts Options) (*Broker, error) {
	addr, err := parseURL(opts.URL)
	if err != nil {
		return nil, err
	}
	logging.Disable() // the notices say it once, with a hint
	c := newClient(addr)
	b := &Broker{
		client: c, keys: keys{prefix: cmp.Or(opts.Prefix, "barrage:")}, scripts: newScripts(c.publishCommand()),
		log: bounds{cmp.Or(opts.LogBatches, 16384), cmp.Or(opts.LogBytes, 256<<20)},
	}
	if c.cluster != nil {
		b.keys.partitions = partitionTags()
	}
	hearts := b.keys.hearts()
	n := &notices{links: len(hearts), logger: cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)).With("addr", addr.String())}
	for _, heart := range hearts {
		b.links = append(b.links, newLink(c, b.keys, heart, n))
	}
	if b.metrics, err = newMetrics(opts.Registerer, b.links); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	b.run(ctx)
	return b, nil
}

// run starts the goroutines and waits for the first attempts.
func (b *Broker) run(ctx context.Context) {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	for _, l := range b.links {
		l.metrics = b.metrics
		b.running.Go(func() { l.run(life) })
		b.running.Go(func() { l.heart.run(life) })
	}
	ctx, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	for _, l := range b.links {
		l.awaitFirst(ctx)
	}
}

// link is the room's.
func (b *Broker) link(room string) *link { return b.links[b.keys.partition(room)] }

// Close ends every subscription, and returns when nothing of the broker runs
// and no handler will be called again.
func (b *Broker) Close() error {
	var err error
	b.closing.Do(func() {
		b.stop()
		b.running.Wait()
		for _, l := range b.links {
			l.close()
		}
		err = b.client.Close()
	})
	return err
}

// Up says whether frames of every room travel through Redis now.
func (b *Broker) Up() bool { return down(b.links) == 0 }

// down counts the links through which nothing travels.
func down(links []*link) int {
	n := 0
	for _, l := range links {
		if !l.lives() {
			n++
		}
	}
	return n
}

// Degraded says in words what an operator should know about Redis, if anything.
func (b *Broker) Degraded() (reason string, degraded bool) {
	switch n := down(b.links); n {
	case 0:
	case len(b.links):
		return "redis does not answer: comments do not travel between servers until it does", true
	default:
		return fmt.Sprintf("a part of the redis cluster does not answer: comments do not travel between servers in the rooms of %d of %d partitions until it does",
			n, len(b.links)), true
	}
	if slices.ContainsFunc(b.links, func(l *link) bool { return l.volatile.Load() }) {
		return "redis runs without appendonly: comments are lost when it restarts", true
	}
	return "", false
}

// do runs one round trip within its bounds and makes its error a
// chat.ErrUnavailable.
func (b *Broker) do(ctx context.Context, room, command string, f func(context.Context) error) error {
	begin := time.Now()
	err := ctx.Err()
	if err == nil {
		err = b.link(room).refusal()
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
	return b.do(ctx, room, cmdPublish, func(ctx context.Context) error {
		if len(frame) == 0 {
			return nil
		}
		return b.client.publish(ctx, b.keys.bus(room), appendFrame(nil, frame))
	})
}

// Subscribe implements chat.Bus.
func (b *Broker) Subscribe(ctx context.Context, room string, h chat.Handler) (chat.Subscription, error) {
	var s *subscription
	err := b.do(ctx, room, cmdSubscribe, func(ctx context.Context) error {
		var err error
		s, err = b.link(room).subscribe(ctx, room, h)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}
