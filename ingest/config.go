package ingest

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Modes of AuthConfig.
const (
	AuthSigned = "signed" // keys minted by `barrage key ROOM`
	AuthOpen   = "open"   // the key is the room's name: for development only
)

// Config says where publishers come in and what they may do.
type Config struct {
	// RTMPAddr is where encoders connect. Default ":1935".
	RTMPAddr string `yaml:"rtmp_addr"`
	// RTMPSAddr is reserved for encrypted RTMP and must be empty in this version.
	RTMPSAddr string `yaml:"rtmps_addr"`
	// Auth decides who may publish.
	Auth AuthConfig `yaml:"auth"`
	// Grace is how long a room waits for a publisher whose connection was lost
	// before the broadcast ends. Longer survives worse networks; viewers of a
	// publisher who is gone for good wait as long. Default 60s.
	Grace time.Duration `yaml:"grace"`
	// MaxBitrate closes a publisher that sends more bits per second, averaged over
	// 5 s. It bounds the memory of a room: window × bitrate. 0 = no limit.
	// Default 50000000.
	MaxBitrate int `yaml:"max_bitrate"`
	// MaxConnections bounds all RTMP connections together, publishing or not; each
	// costs about 100 KiB. When they are used up, the oldest that does not publish
	// makes room for the next. Default 4096.
	MaxConnections int `yaml:"max_connections"`
	// Timeouts end connections that do not get on.
	Timeouts Timeouts `yaml:"timeouts"`
}

// AuthConfig decides who may publish.
type AuthConfig struct {
	// Mode is "signed" (a key from `barrage key ROOM`) or "open" (the key is the
	// room's name, anybody may publish). Default "signed".
	Mode string `yaml:"mode"`
}

// Timeouts end connections that do not get on. Shorter frees sockets sooner;
// too short cuts off encoders on slow links.
type Timeouts struct {
	// Handshake is from Accept to the end of the handshake. Default 5s.
	Handshake time.Duration `yaml:"handshake"`
	// Publish is from the end of the handshake to the publish command. Default 10s.
	Publish time.Duration `yaml:"publish"`
	// Media is how long a publisher may send neither picture nor sound. Default 10s.
	Media time.Duration `yaml:"media"`
	// Takeover is how long a publisher waits for its predecessor, whose connection
	// is closed, to let go of the room. Only a fault uses it up. Default 5s.
	Takeover time.Duration `yaml:"takeover"`
	// Write bounds each write to an encoder that does not read. Default 5s.
	Write time.Duration `yaml:"write"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		RTMPAddr:       ":1935",
		Auth:           AuthConfig{Mode: AuthSigned},
		Grace:          time.Minute,
		MaxBitrate:     50_000_000,
		MaxConnections: 4096,
		Timeouts: Timeouts{
			Handshake: 5 * time.Second,
			Publish:   10 * time.Second,
			Media:     10 * time.Second,
			Takeover:  5 * time.Second,
			Write:     5 * time.Second,
		},
	}
}

const maxGrace = time.Hour

// Validate returns everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	bad := func(key string, value any, want string) {
		errs = append(errs, fmt.Errorf("ingest.%s: %v: must be %s", key, value, want))
	}
	if _, _, err := net.SplitHostPort(c.RTMPAddr); err != nil {
		bad("rtmp_addr", fmt.Sprintf("%q", c.RTMPAddr), `host:port or ":port"`)
	}
	if c.RTMPSAddr != "" {
		bad("rtmps_addr", fmt.Sprintf("%q", c.RTMPSAddr), "empty: this version does not serve RTMPS, put a TLS proxy in front")
	}
	if c.Auth.Mode != AuthSigned && c.Auth.Mode != AuthOpen {
		bad("auth.mode", fmt.Sprintf("%q", c.Auth.Mode), `"signed" or "open"`)
	}
	if c.Grace < 0 || c.Grace > maxGrace {
		bad("grace", c.Grace, "between 0s and 1h")
	}
	if c.MaxBitrate < 0 || c.MaxBitrate > 0 && c.MaxBitrate < 100_000 {
		bad("max_bitrate", c.MaxBitrate, "0 (no limit) or at least 100000 bits per second")
	}
	if c.MaxConnections < 1 {
		bad("max_connections", c.MaxConnections, "at least 1")
	}
	for _, t := range []struct {
		key   string
		value time.Duration
	}{
		{"handshake", c.Timeouts.Handshake},
		{"publish", c.Timeouts.Publish},
		{"media", c.Timeouts.Media},
		{"takeover", c.Timeouts.Takeover},
		{"write", c.Timeouts.Write},
	} {
		if t.value <= 0 || t.value > 5*time.Minute {
			bad("timeouts."+t.key, t.value, "more than 0s and at most 5m")
		}
	}
	return errors.Join(errs...)
}
