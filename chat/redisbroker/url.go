package redisbroker

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ErrURL is the error of New for a URL it cannot read: the configuration is to
// be corrected. Its text never holds the URL, which may hold a password.
var ErrURL = errors.New("malformed Redis URL")

const wantURL = "want redis://[user:password@]host[:port][/database], rediss://… for TLS, or unix:///path/to/socket"

// Bounds on Redis, unless the URL's own parameters (dial_timeout and so on) say
// otherwise.
const (
	ioTimeout      = time.Second             // one dial, one write
	commandTimeout = 1500 * time.Millisecond // one command with all of these, and its answer; always
	connections    = 16                      // pooled; further commands wait within commandTimeout
)

// parseURL reads the options of the client from a URL.
func parseURL(raw string) (*redis.Options, error) {
	scheme, _, ok := strings.Cut(raw, "://")
	switch {
	case raw == "":
		return nil, fmt.Errorf("%w: it is empty; %s", ErrURL, wantURL)
	case !ok || (scheme != "redis" && scheme != "rediss" && scheme != "unix"):
		return nil, fmt.Errorf("%w: it does not begin with redis://, rediss:// or unix://; %s", ErrURL, wantURL)
	}
	opt, err := redis.ParseURL(raw)
	if err != nil { // not wrapped: it may quote the password
		return nil, fmt.Errorf("%w: %s; special characters of a password are percent-encoded (@ is %%40, # is %%23, / is %%2F)",
			ErrURL, wantURL)
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
	return opt, nil
}
