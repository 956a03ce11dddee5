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
	// RTMPSAddr is where encoders connect with TLS. Default "": ":1936" when TLS
	// names a certificate, otherwise RTMPS is off.
	RTMPSAddr string `yaml:"rtmps_addr"`
	// TLS is the certificate of RTMPS.
	TLS TLSConfig `yaml:"tls"`
	// Auth decides who may publish.
	Auth AuthConfig `yaml:"auth"`
	// Grace is how long a room waits for a publisher whose connection was lost
	// before the broadcast ends. Longer survives worse networks; viewers of a
	// publisher who is gone for good wait as long. Default 60s.
	Grace time.Duration `yaml:"grace"`
	// MaxBitrate closes a publisher that sends more bits per second, averaged over
	// 30 s, so that one whose line was dead for a while may catch up. 0 = no limit.
	// Default 50000000.
	MaxBitrate int `yaml:"max_bitrate"`
	// MaxConnections bounds all RTMP connections together, publishing or not; each
	// costs about 100 KiB. When they are used up, one of the oldest that do not
	// publish makes room for the next. Default 4096.
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

// TLSConfig names the certificate of RTMPS. Both files are PEM and are read again
// when they change; publishers that are connected go on.
type TLSConfig struct {
	// CertFile holds the certificate and its intermediates. Encoders must trust it:
	// OBS refuses a self-signed one without a word. Default "": no RTMPS.
	CertFile string `yaml:"cert_file"`
	// KeyFile holds the private key of the certificate. Default "".
	KeyFile string `yaml:"key_file"`
}

// defaultRTMPSAddr is next to RTMP's port; no port is assigned to RTMPS.
const defaultRTMPSAddr = ":1936"

// rtmpsAddr is where RTMPS listens, "" = nowhere.
func (c Config) rtmpsAddr() string {
	if c.RTMPSAddr == "" && c.TLS != (TLSConfig{}) {
		return defaultRTMPSAddr
	}
	return c.RTMPSAddr
}

// Timeouts end connections that do not get on. Shorter frees sockets sooner;
// too short cuts off encoders on slow links.
type Timeouts struct {
	// Handshake is from Accept to the end of the handshake, TLS included. Default 5s.
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

// validateTLS checks the settings of RTMPS; the files are read by New.
func (c Config) validateTLS() error {
	addr := c.rtmpsAddr()
	if addr == "" {
		return nil
	}
	var errs []error
	bad := func(key, value, want string) {
		errs = append(errs, fmt.Errorf("ingest.%s: %q: must be %s", key, value, want))
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		bad("rtmps_addr", addr, `host:port or ":port"`)
	}
	if c.TLS.CertFile == "" {
		bad("tls.cert_file", c.TLS.CertFile, "the PEM file of the certificate, because RTMPS is on")
	}
	if c.TLS.KeyFile == "" {
		bad("tls.key_file", c.TLS.KeyFile, "the PEM file of the certificate's private key, because RTMPS is on")
	}
	return errors.Join(errs...)
}

// Validate returns everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	bad := func(key string, value any, want string) {
		errs = append(errs, fmt.Errorf("ingest.%s: %v: must be %s", key, value, want))
	}
	if _, _, err := net.SplitHostPort(c.RTMPAddr); err != nil {
		bad("rtmp_addr", fmt.Sprintf("%q", c.RTMPAddr), `host:port or ":port"`)
	}
	errs = append(errs, c.validateTLS())
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
