package redisbroker

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// client speaks to one Redis or to a cluster.
type client struct {
	redis.UniversalClient
	cluster *redis.ClusterClient // nil: one Redis
}

func newClient(a address) client {
	if len(a.nodes) == 0 {
		return client{UniversalClient: redis.NewClient(a.options)}
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: a.nodes,
		NewClient: func(node *redis.Options) *redis.Client {
			o := *a.options
			o.Addr, o.NodeAddress = node.Addr, node.NodeAddress
			n := redis.NewClient(&o)
			n.AddHook(whereabouts{})
			return n
		},
		// Redirects (below) repeats what was not done; go-redis itself also what may have been.
		MaxRedirects:             -1,
		Protocol:                 a.options.Protocol,
		DialTimeout:              a.options.DialTimeout,
		ReadTimeout:              a.options.ReadTimeout,
		WriteTimeout:             a.options.WriteTimeout,
		ContextTimeoutEnabled:    true,
		DisableRoutingPolicies:   true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	c.AddHook(redirects{c})
	return client{UniversalClient: c, cluster: c}
}

// publishCommand is PUBLISH, on a cluster the one that goes to the nodes of the
// channel's slot alone: PUBLISH goes to all of them.
func (c client) publishCommand() string {
	if c.cluster != nil {
		return "SPUBLISH"
	}
	return "PUBLISH"
}

func (c client) publish(ctx context.Context, channel string, message any) error {
	if c.cluster != nil {
		return c.SPublish(ctx, channel, message).Err()
	}
	return c.Publish(ctx, channel, message).Err()
}

// subscribe has ps receive channels, which are of one slot.
func (c client) subscribe(ctx context.Context, ps *redis.PubSub, channels ...string) error {
	if c.cluster != nil {
		return ps.SSubscribe(ctx, channels...)
	}
	return ps.Subscribe(ctx, channels...)
}

func (c client) unsubscribe(ctx context.Context, ps *redis.PubSub, channels ...string) error {
	if c.cluster != nil {
		return ps.SUnsubscribe(ctx, channels...)
	}
	return ps.Unsubscribe(ctx, channels...)
}

// relocate has the client look again where the slots are.
func (c client) relocate(ctx context.Context) {
	if c.cluster != nil {
		c.cluster.ReloadState(ctx)
	}
}

// persistence is what the Redis that has key says of its disk.
func (c client) persistence(ctx context.Context, key string) (string, error) {
	if c.cluster == nil {
		return c.Info(ctx, "persistence").Result()
	}
	node, err := c.cluster.MasterForKey(ctx, key)
	if err != nil {
		return "", err
	}
	return node.Info(ctx, "persistence").Result()
}

// slotsTimeout is how long a node may take to say where the slots are.
const slotsTimeout = 500 * time.Millisecond

// whereabouts does not wait long for one node's map of the slots, which any other
// node has, too: go-redis asks one after the other, and one that hangs is among them when the
// map is needed most.
type whereabouts struct{}

// DialHook implements redis.Hook.
func (whereabouts) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (whereabouts) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "cluster" {
			var cancel func()
			ctx, cancel = context.WithTimeout(ctx, slotsTimeout)
			defer cancel()
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (whereabouts) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Between the attempts of a command that a cluster refused.
const (
	minRefused = 5 * time.Millisecond
	maxRefused = 100 * time.Millisecond
)

// redirects repeats commands that a node of a cluster refused unseen: the slot is
// elsewhere, on its way, or has no master yet. It asks the map of slots again rather than
// to follow the redirect: a script's keys are on both sides of a move ("multi-keys
// operations … TRYAGAIN", Redis cluster specification), so it has to wait anyhow.
type redirects struct{ cluster *redis.ClusterClient }

// DialHook implements redis.Hook.
func (r redirects) DialHook(next redis.DialHook) redis.DialHook {
	return next
}

// ProcessHook implements redis.Hook.
func (r redirects) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return r.repeat(ctx, func() error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook implements redis.Hook. Pipelines here only read.
func (r redirects) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return r.repeat(ctx, func() error { return next(ctx, cmds) })
	}
}

func (r redirects) repeat(ctx context.Context, f func() error) error {
	for pause := minRefused; ; pause = min(2*pause, maxRefused) {
		err := f()
		var answer redis.Error
		if err == nil || errors.As(err, &answer) && !refusedUnseen(err) {
			return err
		}
		r.cluster.ReloadState(ctx)
		if answer == nil {
			return err // nobody answered: it may have been done
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// refusedUnseen says that a node of a cluster did nothing, and that it or another
// one will.
func refusedUnseen(err error) bool {
	_, moved := redis.IsMovedError(err)
	_, ask := redis.IsAskError(err)
	return moved || ask || redis.IsTryAgainError(err) || redis.IsClusterDownError(err) ||
		redis.IsReadOnlyError(err) || redis.IsLoadingError(err) || redis.IsMasterDownError(err)
}
