package chat

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The kinds of broker a Config may name.
const (
	BrokerMemory = "memory"
	BrokerRedis  = "redis"
)

// Config is the chat section of the configuration.
type Config struct {
	// Broker joins the chat nodes: "memory" for a single process, "redis" for
	// several. Memory needs nothing installed, and goes on after a restart from what is in
	// state_dir. Default memory.
	Broker string `yaml:"broker"`
	// JournalBytes bounds what is kept of all rooms' comments in state_dir, on disk: with
	// broker "memory" all, of which the oldest go; with "redis" those that wait because it is
	// away, beyond which they are refused. At least 16 MiB. Default 1 GiB.
	JournalBytes int64 `yaml:"journal_bytes"`
	// Redis says where the Redis of broker "redis" is.
	Redis RedisConfig `yaml:"redis"`
	// Rate is how often one author may comment in the long run, as "1/s" or
	// "30/m". Higher rates make single authors louder. Default 1/s.
	Rate Rate `yaml:"rate"`
	// Burst is how many comments an author may send at once. Default 3.
	Burst int `yaml:"burst"`
	// AllowedOrigins are the origins of pages besides our own that may use chat,
	// as "https://example.com"; "*" allows every page of the web to speak to this
	// server with its visitors' browsers. Default none: same host only.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// TickMin is the least time between two frames of comments to one viewer.
	// Less is livelier and costs CPU for each viewer; large rooms use more by
	// themselves. 20ms to 1s. Default 100ms.
	TickMin time.Duration `yaml:"tick_min"`
	// MaxShownPerSecond is how many comments of a room reach the screens each
	// second (two seconds' worth may come at once); the rest is merged into combos,
	// or counted and logged. Beyond about 30 a picture is covered and nobody can
	// read. Default 30.
	MaxShownPerSecond int `yaml:"max_shown_per_second"`
	// MaxConnsPerAddr bounds the WebSockets of one client address (a /64 for
	// IPv6). A school or a company may share one address. Default 200.
	MaxConnsPerAddr int `yaml:"max_conns_per_addr"`
	// MaxNewConnsPerSecond is how many newcomers are let in each second; when more
	// come, at the start of a show or after a cut, each is told when to come back.
	// Each costs about 0.1 ms of CPU. Default 3000.
	MaxNewConnsPerSecond int `yaml:"max_new_conns_per_second"`
	// Keep is how long what was said stays on disk, in whole days; 0 is for ever. A
	// quiet room has kilobytes a day, 1,000 comments a second have 20 GB. Default 720h.
	Keep time.Duration `yaml:"keep"`
	// MaxRooms bounds the rooms open on this node at once; each costs two
	// goroutines and three broker calls a second. Default 1000.
	MaxRooms int `yaml:"max_rooms"`
}

// RedisConfig is the chat.redis section.
type RedisConfig struct {
	// URL is the address, as "redis://[user:password@]host:6379/0" or "rediss://…". Several
	// hosts, as "redis://a:6379,b:6379,c:6379", are nodes of a Redis Cluster (7.0 or newer), which
	// tells of the others; a single one of them is "redis://a:6379?cluster=true".
	URL string `yaml:"url"`
}

// DefaultConfig returns the configuration of an empty file.
func DefaultConfig() Config {
	return Config{
		Broker: BrokerMemory, JournalBytes: 1 << 30, Rate: 1, Burst: 3, TickMin: 100 * time.Millisecond,
		MaxShownPerSecond: 30, MaxConnsPerAddr: 200, MaxNewConnsPerSecond: 3000, MaxRooms: 1000,
		Keep: 30 * 24 * time.Hour,
	}
}

// Validate names every value that cannot work.
func (c Config) Validate() error {
	var errs []error
	fail := func(ok bool, key string, value any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("chat.%s: %v: must be %s", key, value, want))
		}
	}
	fail(c.Broker == BrokerMemory || c.Broker == BrokerRedis, "broker", c.Broker, "memory or redis")
	fail(c.Broker != BrokerRedis || c.Redis.URL != "", "redis.url", `""`, "set when chat.broker is redis, as redis://127.0.0.1:6379/0")
	fail(c.JournalBytes >= 16<<20, "journal_bytes", c.JournalBytes, "at least 16777216 (16 MiB)")
	fail(c.Rate > 0 && c.Rate <= 1000, "rate", c.Rate, "above 0 and at most 1000/s")
	fail(c.Burst >= 1 && c.Burst <= 1000, "burst", c.Burst, "1 to 1000")
	fail(c.TickMin >= 20*time.Millisecond && c.TickMin <= tickMax, "tick_min", c.TickMin, "20ms to 1s")
	fail(c.MaxShownPerSecond >= 1 && c.MaxShownPerSecond <= 1000, "max_shown_per_second", c.MaxShownPerSecond, "1 to 1000")
	fail(c.MaxConnsPerAddr >= 1, "max_conns_per_addr", c.MaxConnsPerAddr, "at least 1")
	fail(c.MaxNewConnsPerSecond >= 1 && c.MaxNewConnsPerSecond <= 1_000_000, "max_new_conns_per_second", c.MaxNewConnsPerSecond, "1 to 1000000")
	fail(c.Keep == 0 || c.Keep >= 24*time.Hour, "keep", c.Keep, "0 (for ever) or at least 24h")
	fail(c.MaxRooms >= 1, "max_rooms", c.MaxRooms, "at least 1")
	for _, o := range c.AllowedOrigins {
		fail(validOrigin(o), "allowed_origins", o, `"*" or scheme://host[:port] without a path`)
	}
	return errors.Join(errs...)
}

func validOrigin(o string) bool {
	if o == "*" {
		return true
	}
	u, err := url.Parse(o)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.EqualFold(u.Scheme+"://"+u.Host, o)
}

// Rate is a number of events per second.
type Rate float64

// UnmarshalText reads "1/s", "30/m", "0.5/s" or a plain number per second.
func (r *Rate) UnmarshalText(text []byte) error {
	number, unit, _ := strings.Cut(string(text), "/")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return fmt.Errorf(`rate %q: must look like "1/s" or "30/m"`, text)
	}
	switch unit {
	case "", "s":
		*r = Rate(v)
	case "m":
		*r = Rate(v / 60)
	default:
		return fmt.Errorf(`rate %q: must be per "s" or "m"`, text)
	}
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns the rate per second, as "1/s".
func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s" }

// interval is the time one event takes up.
func (r Rate) interval() time.Duration { return time.Duration(float64(time.Second) / float64(r)) }
