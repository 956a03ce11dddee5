package app

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"barrage/chat"
	"barrage/ingest"
	"barrage/internal/safehttp"
	"barrage/packager"
	"barrage/web"
)

// Config is everything an operator can set. Each package owns its own section.
type Config struct {
	// StateDir keeps the stream keys, the token secret, what hosts say of their rooms
	// and what was said in chat. Created when missing.
	StateDir string `yaml:"state_dir"`
	// TokenSecretFile signs the tokens of people; every process of one deployment
	// needs the same one. Default: token.secret in StateDir, made at first start.
	TokenSecretFile string `yaml:"token_secret_file"`

	HTTP     HTTPConfig      `yaml:"http"`
	Admin    AdminConfig     `yaml:"admin"`
	Log      LogConfig       `yaml:"log"`
	Ingest   ingest.Config   `yaml:"ingest"`
	Packager packager.Config `yaml:"packager"`
	Chat     chat.Config     `yaml:"chat"`
	Web      web.Config      `yaml:"web"`
}

// HTTPConfig is the listener for viewers.
type HTTPConfig struct {
	// Addr serves the page, HLS, the API and chat: HTTP/1.1, and HTTP/2 without TLS
	// for a proxy in front.
	Addr string `yaml:"addr"`
	// TLSAddr serves the same with TLS: HTTP/1.1 and HTTP/2. Default "": ":8443" when
	// TLS names a certificate, otherwise off.
	TLSAddr string `yaml:"tls_addr"`
	// TLS is the certificate of TLSAddr.
	TLS TLSConfig `yaml:"tls"`
	// PublicURL is what people type, such as https://live.example.org. It makes the
	// printed links; empty = the addresses of this machine.
	PublicURL string `yaml:"public_url"`
	// TrustedProxies are the addresses or CIDRs whose X-Forwarded-For is believed.
	TrustedProxies []string `yaml:"trusted_proxies"`
}

// TLSConfig names the certificate of HTTPS. Both files are PEM and are read again
// when they change; connections go on.
type TLSConfig struct {
	// CertFile holds the certificate and its intermediates. Default "": no HTTPS.
	CertFile string `yaml:"cert_file"`
	// KeyFile holds the private key of the certificate. Default "".
	KeyFile string `yaml:"key_file"`
}

// defaultTLSAddr is where HTTPS goes without the right to 443.
const defaultTLSAddr = ":8443"

// tlsAddr is where HTTPS listens, "" = nowhere.
func (c HTTPConfig) tlsAddr() string {
	if c.TLSAddr == "" && c.TLS != (TLSConfig{}) {
		return defaultTLSAddr
	}
	return c.TLSAddr
}

// AdminConfig is the listener for operators.
type AdminConfig struct {
	// Addr serves /metrics, /healthz and /readyz (and pprof, to loopback clients only).
	// Anybody who reaches it can read it: keep it on loopback or in a private network.
	Addr string `yaml:"addr"`
}

// LogConfig says what is logged, on standard error.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn or error; SIGHUP reloads it
	Format string `yaml:"format"` // text or json
}

// DefaultConfig is what runs when nothing is set. configs/barrage.yaml shows it.
func DefaultConfig() Config {
	return Config{
		StateDir: "var",
		HTTP:     HTTPConfig{Addr: ":8080"},
		Admin:    AdminConfig{Addr: "127.0.0.1:9600"},
		Log:      LogConfig{Level: "info", Format: "text"},
		Ingest:   ingest.DefaultConfig(),
		Packager: packager.DefaultConfig(),
		Chat:     chat.DefaultConfig(),
		Web:      web.DefaultConfig(),
	}
}

// sources says where settings come from, weakest first: file, environment, flags.
type sources struct {
	file string   // path, "" = none
	env  []string // NAME=value of the process
	set  []string // section.key=value of the command line
}

// load reads the defaults, then every source, and checks the result. The
// warnings name BARRAGE_ variables that are no settings: a container platform
// may inject such names, so they cannot be errors.
func load(src sources) (cfg Config, warnings []string, err error) {
	cfg = DefaultConfig()
	if src.file != "" {
		if err = readFile(&cfg, src.file); err != nil {
			return cfg, nil, fmt.Errorf("%w: %w", errConfig, err)
		}
	}
	warnings, envErr := applyEnv(&cfg, src.env)
	err = errors.Join(envErr, applySet(&cfg, src.set))
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return cfg, warnings, fmt.Errorf("%w: %w", errConfig, err)
	}
	return cfg, warnings, nil
}

func readFile(cfg *Config, path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	for _, doc := range file.Docs {
		if isNull(doc.Body) {
			continue
		}
		// Strict: an unknown key is an error with its line and column.
		scratch := *cfg
		if err := yaml.NodeToValue(doc.Body, &scratch, yaml.Strict()); err != nil {
			return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
		}
		// A section whose keys are all commented out is null in YAML, and would
		// empty its struct: it means the defaults.
		dropNulls(doc.Body)
		if err := yaml.NodeToValue(doc.Body, cfg, yaml.Strict()); err != nil {
			return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
		}
	}
	return nil
}

func isNull(n ast.Node) bool {
	return n == nil || n.Type() == ast.NullType || n.Type() == ast.CommentType
}

// dropNulls takes the keys without a value out of a mapping, at every depth.
func dropNulls(n ast.Node) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return
	}
	m.Values = slices.DeleteFunc(m.Values, func(v *ast.MappingValueNode) bool { return isNull(v.Value) })
	for _, v := range m.Values {
		dropNulls(v.Value)
	}
}

// Validate checks every setting and reports all that is wrong at once.
func (c Config) Validate() error {
	var errs []error
	bad := func(key string, value any, want string) {
		errs = append(errs, fmt.Errorf("%s: %q: %s", key, fmt.Sprint(value), want))
	}
	if c.StateDir == "" {
		bad("state_dir", c.StateDir, "must name a directory")
	}
	for key, addr := range map[string]string{"http.addr": c.HTTP.Addr, "admin.addr": c.Admin.Addr} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			bad(key, addr, "must be host:port or :port")
		}
	}
	if u, err := url.Parse(c.HTTP.PublicURL); c.HTTP.PublicURL != "" &&
		(err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
		bad("http.public_url", c.HTTP.PublicURL, "must be an http or https URL with a host")
	}
	if addr := c.HTTP.tlsAddr(); addr != "" {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			bad("http.tls_addr", addr, "must be host:port or :port")
		}
		for key, file := range map[string]string{"http.tls.cert_file": c.HTTP.TLS.CertFile, "http.tls.key_file": c.HTTP.TLS.KeyFile} {
			if file == "" {
				bad(key, file, "must name a PEM file, because HTTPS is on")
			}
		}
	}
	if _, err := c.HTTP.proxies(); err != nil {
		errs = append(errs, fmt.Errorf("http.trusted_proxies: %w", err))
	}
	if _, err := c.Log.level(); err != nil {
		bad("log.level", c.Log.Level, "must be debug, info, warn or error")
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		bad("log.format", c.Log.Format, "must be text or json")
	}
	errs = append(errs, c.Ingest.Validate(), c.Packager.Validate(), c.Chat.Validate(), c.Web.Validate())
	return errors.Join(errs...)
}

func (c HTTPConfig) proxies() ([]netip.Prefix, error) {
	return safehttp.ParsePrefixes(c.TrustedProxies)
}

func (c LogConfig) level() (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(c.Level))
	return l, err
}

// applyEnv sets what BARRAGE_SECTION_KEY variables name.
func applyEnv(cfg *Config, environ []string) (warnings []string, err error) {
	keys := settings(reflect.ValueOf(cfg).Elem(), "")
	byName := make(map[string]string, len(keys))
	for key := range keys {
		byName[envName(key)] = key
	}
	var errs []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "BARRAGE_") {
			continue
		}
		key, ok := byName[name]
		if !ok {
			warnings = append(warnings, name)
			continue
		}
		if err := assign(keys[key], value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %q: %w", name, value, err))
		}
	}
	return warnings, errors.Join(errs...)
}

// applySet sets what -set section.key=value names.
func applySet(cfg *Config, pairs []string) error {
	keys := settings(reflect.ValueOf(cfg).Elem(), "")
	var errs []error
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		field, known := keys[key]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("-set %s: want key=value", pair))
		case !known:
			errs = append(errs, fmt.Errorf("-set %s: there is no such setting", key))
		default:
			if err := assign(field, value); err != nil {
				errs = append(errs, fmt.Errorf("-set %s: %q: %w", key, value, err))
			}
		}
	}
	return errors.Join(errs...)
}

// envName is the environment variable of a setting.
func envName(key string) string {
	return "BARRAGE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// settings lists the leaves of a configuration struct by their dotted key.
func settings(v reflect.Value, prefix string) map[string]reflect.Value {
	leaves := map[string]reflect.Value{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		field := v.Field(i)
		if field.Kind() == reflect.Struct {
			maps.Copy(leaves, settings(field, prefix+name+"."))
			continue
		}
		leaves[prefix+name] = field
	}
	return leaves
}

// assign parses text as the field's type: strings verbatim, lists by comma, the rest as YAML.
func assign(field reflect.Value, text string) error {
	switch {
	case field.Kind() == reflect.String && reflect.PointerTo(field.Type()).NumMethod() == 0:
		field.SetString(text)
		return nil
	case field.Type() == reflect.TypeFor[[]string]():
		var list []string
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		field.Set(reflect.ValueOf(list))
		return nil
	}
	if err := yaml.Unmarshal([]byte(text), field.Addr().Interface()); err != nil {
		return fmt.Errorf("want %s", field.Type())
	}
	return nil
}
