package redisbroker

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ErrURL is the error of New for a URL it cannot read: the configuration is to
// be corrected. Its text never holds the URL, which may hold a password.
var ErrURL = errors.New("malformed Redis URL")

const wantURL = "want redis://[user:password@]host[:port][/database], redis://host[:port],host[:port],… for a cluster, " +
	"rediss://… for TLS, or unix:///path/to/socket"

// Bounds on Redis, unless the URL's own parameters (dial_timeout and so on) say
// otherwise.
const (
	ioTimeout      = time.Second             // one dial, one write
	commandTimeout = 1500 * time.Millisecond // one command with all of these, and its answer; always
	connections    = 16                      // pooled, per node; further commands wait within commandTimeout
)

// address is where Redis is, and how to speak to it.
type address struct {
	options *redis.Options // of every node
	nodes   []string       // of a cluster, to ask for the others; none: one Redis, at options.Addr
}

func (a address) String() string { return cmp.Or(strings.Join(a.nodes, ","), a.options.Addr) }

// parseURL reads an address. Several hosts, or cluster=true, make it a cluster's.
func parseURL(raw string) (address, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	switch {
	case raw == "":
		return address{}, fmt.Errorf("%w: it is empty; %s", ErrURL, wantURL)
	case !ok || (scheme != "redis" && scheme != "rediss" && scheme != "unix"):
		return address{}, fmt.Errorf("%w: it does not begin with redis://, rediss:// or unix://; %s", ErrURL, wantURL)
	}
	opt, nodes, err := parseHosts(scheme, rest)
	if err != nil { // not wrapped: it may quote the password
		return address{}, fmt.Errorf("%w: %s; special characters of a password are percent-encoded (@ is %%40, # is %%23, / is %%2F)",
			ErrURL, wantURL)
	}
	if len(nodes) > 0 && opt.DB != 0 {
		return address{}, fmt.Errorf("%w: a cluster has no database but 0", ErrURL)
	}
	opt.MaxRetries = -1
	opt.DialerRetries = 1
	opt.Protocol = cmp.Or(opt.Protocol, 2)
	opt.DialTimeout = cmp.Or(opt.DialTimeout, ioTimeout)
	opt.ReadTimeout = cmp.Or(opt.ReadTimeout, commandTimeout) // the answer of a busy Redis may need all of it
	opt.WriteTimeout = cmp.Or(opt.WriteTimeout, ioTimeout)
	opt.PoolTimeout = cmp.Or(opt.PoolTimeout, ioTimeout)
	opt.PoolSize = cmp.Or(opt.PoolSize, connections)
	opt.MaxActiveConns = cmp.Or(opt.MaxActiveConns, opt.PoolSize)
	opt.PipelinePoolSize = -1 // 256 KiB of buffers per connection serve nothing here
	opt.ContextTimeoutEnabled = true
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return address{opt, nodes}, nil
}

// parseHosts reads what comes after scheme://. nodes are those of a cluster.
func parseHosts(scheme, rest string) (opt *redis.Options, nodes []string, err error) {
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	begin := strings.LastIndex(rest[:end], "@") + 1
	hosts := strings.Split(rest[begin:end], ",")
	u, err := url.Parse(scheme + "://" + rest[:begin] + hosts[0] + rest[end:])
	if err != nil {
		return nil, nil, err
	}
	cluster := len(hosts) > 1
	if q := u.Query(); q.Has("cluster") {
		said, unclear := strconv.ParseBool(q.Get("cluster"))
		if unclear != nil || scheme == "unix" || cluster && !said {
			return nil, nil, ErrURL
		}
		cluster = said
		q.Del("cluster")
		u.RawQuery = q.Encode()
	}
	if opt, err = redis.ParseURL(u.String()); err != nil || !cluster {
		return opt, nil, err
	}
	for _, host := range hosts {
		node, err := redis.ParseURL("redis://" + host)
		if err != nil || host == "" {
			return nil, nil, ErrURL
		}
		nodes = append(nodes, node.Addr)
	}
	return opt, nodes, nil
}
