package web

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxSiteName bounds the name in runes: it stands in a tab title.
const maxSiteName = 60

// anySite stands for every site in EmbedOrigins.
const anySite = "*"

// Config is the section `web` of the configuration.
type Config struct {
	// HLSURL is the origin the page loads playlists and segments from, such as
	// "https://cdn.example.com". Set it when a cache stands before the media
	// role. Default "": the origin of the page.
	HLSURL string `yaml:"hls_url"`
	// ChatURL is the origin of the chat role, such as
	// "https://chat.example.com". Set it when chat runs apart; that origin must
	// list the page's in chat.allowed_origins. Default "": the origin of the page.
	ChatURL string `yaml:"chat_url"`
	// SiteName stands in the header and in tab titles. Default "barrage".
	SiteName string `yaml:"site_name"`
	// EmbedOrigins are the sites whose pages may show /embed/{room} in a frame, such
	// as "https://fans.example.com"; "*" is every site. Our own pages always may.
	// Every other page of ours stays out of frames: a click on something of value
	// could be stolen there. Default: none.
	EmbedOrigins []string `yaml:"embed_origins"`
}

// DefaultConfig returns the configuration of one process that serves everything.
func DefaultConfig() Config {
	return Config{SiteName: "barrage"}
}

// Validate reports every value the page could not work with.
func (c Config) Validate() error {
	errs := []error{
		checkOrigin("web.hls_url", c.HLSURL),
		checkOrigin("web.chat_url", c.ChatURL),
		checkSiteName(c.SiteName),
	}
	for _, o := range c.EmbedOrigins {
		if _, err := parseOrigin(o); err != nil && o != anySite {
			errs = append(errs, fmt.Errorf("web.embed_origins: %q: %w", o, err))
		}
	}
	return errors.Join(errs...)
}

func checkSiteName(name string) error {
	if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > maxSiteName {
		return fmt.Errorf("web.site_name: %q: must have 1 to %d characters", name, maxSiteName)
	}
	return nil
}

func checkOrigin(key, value string) error {
	if value == "" {
		return nil
	}
	if _, err := parseOrigin(value); err != nil {
		return fmt.Errorf("%s: %q: %w", key, value, err)
	}
	return nil
}

var errOrigin = errors.New("must be http:// or https:// and a host, without a path, such as https://cdn.example.com")

// parseOrigin accepts what may stand as a source in a Content-Security-Policy
// and nothing that could end that source and begin another directive.
func parseOrigin(value string) (*url.URL, error) {
	u, err := url.Parse(value)
	if err != nil {
		return nil, errOrigin
	}
	bare := url.URL{Scheme: u.Scheme, Host: u.Host}
	web := u.Scheme == "http" || u.Scheme == "https"
	if !web || u.Hostname() == "" || strings.TrimSuffix(value, "/") != bare.String() {
		return nil, errOrigin
	}
	if strings.ContainsAny(u.Host, " ;,'\"\t\r\n*") {
		return nil, errOrigin
	}
	return &bare, nil
}
