package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"barrage/chat"
	"barrage/chat/redisbroker"
	"barrage/ingest"
	"barrage/ingest/auth"
	"barrage/internal/safehttp"
	"barrage/internal/token"
	"barrage/packager"
)

// role says which half of the server a process is.
type role struct {
	name        string
	media, chat bool
}

// App is one running server. Make it with New, then call Run once.
type App struct {
	cfg       Config
	role      role
	logger    *slog.Logger
	metrics   *prometheus.Registry
	lifecycle *lifecycle
	addrs     Addrs

	secret []byte // signs the tokens of people
	keys   *auth.Keys
	broker chat.Broker
	hub    *chat.Hub          // chat role only
	rooms  *packager.Registry // media role only
	ingest *ingest.Server     // media role only
}

// Addrs says where a server listens; empty where its role has no such listener.
type Addrs struct {
	HTTP  string `json:"http"`
	Admin string `json:"admin"`
	RTMP  string `json:"rtmp,omitempty"`
	RTMPS string `json:"rtmps,omitempty"`
}

// New binds the listeners and builds every part of the role. When it fails,
// everything it had opened is closed again.
func New(cfg Config, r role, build Build) (_ *App, err error) {
	a := &App{cfg: cfg, role: r, logger: build.Logger, metrics: prometheus.NewRegistry(), lifecycle: newLifecycle(build.Logger)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.lifecycle.stop())
		}
	}()
	if err = a.openState(); err != nil {
		return nil, err
	}
	if err = a.registerProcess(build.Version); err != nil {
		return nil, err
	}
	proxies, err := cfg.HTTP.proxies()
	if err != nil {
		return nil, err
	}
	clients := safehttp.NewClients(proxies)
	viewers, err := a.bind("http.addr", cfg.HTTP.Addr)
	if err != nil {
		return nil, err
	}
	operators, err := a.bind("admin.addr", cfg.Admin.Addr)
	if err != nil {
		return nil, err
	}
	a.addrs = Addrs{HTTP: viewers.Addr().String(), Admin: operators.Addr().String()}

	mux := http.NewServeMux()
	if err = a.openBroker(); err != nil {
		return nil, err
	}
	if r.chat {
		err = a.addChat(mux, clients)
	}
	if err == nil && r.media {
		err = a.addMedia(mux, clients, build)
	}
	if err != nil {
		return nil, err
	}
	a.serve("http", viewers, mux)
	a.serve("admin", operators, a.adminHandler())
	return a, nil
}

// Build is what the process gives an App.
type Build struct {
	Logger  *slog.Logger
	Version string
}

// Addrs returns where the server listens.
func (a *App) Addrs() Addrs { return a.addrs }

// Run waits until ctx ends or a part fails, then stops everything within ten seconds.
func (a *App) Run(ctx context.Context) error {
	a.logger.Info("server running", "role", a.role.name, "addr", a.addrs.HTTP, "url", a.links().Watch)
	err := a.lifecycle.wait(ctx)
	a.logger.Info("server stopping", "role", a.role.name)
	return errors.Join(err, a.lifecycle.stop())
}

// openState makes the state directory and opens what it keeps.
func (a *App) openState() (err error) {
	if err = os.MkdirAll(a.cfg.StateDir, 0o750); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	if a.secret, err = token.LoadSecret(a.cfg.secretFile()); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	if a.role.media {
		if a.keys, err = auth.Open(a.cfg.keysFile()); err != nil {
			return fmt.Errorf("state_dir: %w", err)
		}
	}
	return nil
}

func (c Config) keysFile() string { return filepath.Join(c.StateDir, "keys.json") }

func (c Config) secretFile() string {
	if c.TokenSecretFile != "" {
		return c.TokenSecretFile
	}
	return filepath.Join(c.StateDir, "token.secret")
}

func (a *App) registerProcess(version string) error {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "barrage_build_info",
		Help:        "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "role": a.role.name},
	})
	info.Set(1)
	for _, c := range []prometheus.Collector{
		info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := a.metrics.Register(c); err != nil {
			return fmt.Errorf("register process metrics: %w", err)
		}
	}
	return nil
}

// bind opens a listener that is closed at the end even if nothing ever serves it.
func (a *App) bind(key, addr string) (net.Listener, error) {
	l, err := listen(key, addr)
	if err != nil {
		return nil, err
	}
	a.lifecycle.push(key, func(context.Context) error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return l, nil
}

// serve answers HTTP on l until the stop, which lets running requests end.
func (a *App) serve(name string, l net.Listener, h http.Handler) {
	srv := safehttp.Server(h)
	srv.ErrorLog = slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug)
	a.lifecycle.run(name, func(ctx context.Context) error {
		ended := make(chan error, 1)
		go func() { ended <- srv.Serve(l) }()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
		}
		// Requests that wait for media were woken by the parts stopped before or are
		// stopped after this one; what is left after the limit is cut off.
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
		defer cancel()
		if srv.Shutdown(bound) != nil {
			srv.Close() //nolint:errcheck // the listener is closed already
		}
		<-ended
		return nil
	})
}

// openBroker joins the chat nodes: in memory within one process, by Redis across processes.
func (a *App) openBroker() error {
	if a.cfg.Chat.Broker != chat.BrokerRedis {
		memory := chat.NewMemory(chat.MemoryOptions{})
		a.broker = memory
		a.lifecycle.push("memory broker", func(context.Context) error { return memory.Close() })
		return nil
	}
	broker, err := redisbroker.New(context.Background(), redisbroker.Options{
		URL: a.cfg.Chat.Redis.URL, Logger: a.logger, Registerer: a.metrics,
	})
	if err != nil {
		return fmt.Errorf("%w: chat.redis.url: %w", errConfig, err)
	}
	a.broker = broker
	a.lifecycle.push("redis broker", func(context.Context) error { return broker.Close() })
	return nil
}

func (a *App) addChat(mux *http.ServeMux, clients *safehttp.Clients) (err error) {
	a.hub, err = chat.New(a.cfg.Chat, chat.Options{
		Logger: a.logger, Registerer: a.metrics, Broker: a.broker, Secret: a.secret, ClientAddr: clients.Addr,
	})
	if err != nil {
		return err
	}
	mux.Handle("/chat/v1/", a.hub.Handler())
	a.lifecycle.run("chat", a.hub.Run)
	return nil
}
