package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"barrage/chat"
	"barrage/chat/redisbroker"
	"barrage/cmd/barrage/app/cards"
	"barrage/ingest"
	"barrage/ingest/auth"
	"barrage/ingest/certs"
	"barrage/internal/safehttp"
	"barrage/internal/token"
	"barrage/packager"
	"barrage/packager/origin"
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

	secret  []byte // signs the tokens of people
	keys    *auth.Keys
	records *os.Root     // of the sessions; media role only
	cards   *cards.Store // media role only
	broker  chat.Broker
	hub     *chat.Hub          // chat role only
	rooms   *packager.Registry // media role only
	hls     *origin.Handler    // media role only
	ingest  *ingest.Server     // media role only
	certs   *certs.Pair        // nil without HTTPS
}

// Addrs says where a server listens; empty where its role has no such listener.
type Addrs struct {
	HTTP  string `json:"http"`
	HTTPS string `json:"https,omitempty"`
	Admin string `json:"admin"`
	RTMP  string `json:"rtmp,omitempty"`
	RTMPS string `json:"rtmps,omitempty"`
}

// New binds the listeners and builds every part of the role. When it fails,
// everything it had opened is closed again.
func New(ctx context.Context, cfg Config, r role, build Build) (_ *App, err error) {
	a := &App{cfg: cfg, role: r, logger: build.Logger, metrics: prometheus.NewRegistry(), lifecycle: newLifecycle(build.Logger)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.lifecycle.stop(ctx))
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
	viewers, err := a.bind(ctx, "http.addr", cfg.HTTP.Addr)
	if err != nil {
		return nil, err
	}
	secured, err := a.bindTLS(ctx)
	if err != nil {
		return nil, err
	}
	operators, err := a.bind(ctx, "admin.addr", cfg.Admin.Addr)
	if err != nil {
		return nil, err
	}
	a.addrs.HTTP, a.addrs.Admin = viewers.Addr().String(), operators.Addr().String()

	mux := http.NewServeMux()
	if err = a.openBroker(ctx); err != nil {
		return nil, err
	}
	if r.chat {
		err = a.addChat(mux, clients)
	}
	if err == nil && r.media {
		err = a.addMedia(mux, clients, build) //nolint:contextcheck // binding a local address does not block
	}
	if err != nil {
		return nil, err
	}
	a.serve(ctx, "http", viewers, mux, a.hls)
	if secured != nil {
		a.serve(ctx, "https", secured, mux, nil)
	}
	a.serve(ctx, "admin", operators, a.adminHandler(), nil)
	a.start(ctx)
	return a, nil
}

// start runs the parts behind the listeners. They stop before them, in reverse:
// the publishers leave, the last playlists are flushed and waiting players
// answered, chat hears that the rooms are gone and says goodbye, and then there is
// no request left to wait for.
func (a *App) start(ctx context.Context) {
	if a.hub != nil {
		a.lifecycle.run(ctx, "chat", a.hub.Run)
	}
	if a.rooms != nil {
		a.lifecycle.run(ctx, "room states", states{rooms: a.rooms, store: a.broker.Rooms(), logger: a.logger}.Run)
		a.lifecycle.run(ctx, "packager", a.rooms.Run)
		a.lifecycle.run(ctx, "ingest", a.ingest.Run)
	}
	if os.Getenv("GOGC") == "" {
		held := func() int64 { return 0 }
		if a.rooms != nil {
			held = a.rooms.Held
		}
		a.lifecycle.run(ctx, "garbage", func(ctx context.Context) error { return tuneGarbage(ctx, held) })
	}
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
	a.logger.Info("server running", "role", a.role.name, "addr", a.addrs.HTTP, "url", a.links().Pages[0])
	err := a.lifecycle.wait(ctx)
	a.logger.Info("server stopping", "role", a.role.name)
	return errors.Join(err, a.lifecycle.stop(ctx))
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
		if err = a.openRecords(); err != nil {
			return err
		}
		return a.openCards()
	}
	return nil
}

// openCards opens the folder of what hosts say of their rooms.
func (a *App) openCards() (err error) {
	if a.cards, err = cards.Open(cards.Folder(a.cfg.StateDir), a.logger); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	a.lifecycle.push("room cards", func(context.Context) error { return a.cards.Close() })
	return nil
}

// openRecords opens the folder in which the packager writes down how far sessions are.
// Two servers that go on with the same sessions would give the same numbers to different media.
func (a *App) openRecords() (err error) {
	a.records, err = a.openFolder("hls")
	return err
}

// openFolder makes and opens a folder of the state directory, and keeps other servers
// away from it.
func (a *App) openFolder(name string) (*os.Root, error) {
	folder := filepath.Join(a.cfg.StateDir, name)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	a.lifecycle.push("folder "+name, func(context.Context) error { return root.Close() })
	return root, a.lockFolder(root)
}

// lockFolder takes a folder for this server alone.
func (a *App) lockFolder(root *os.Root) error {
	f, err := root.OpenFile(".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	a.lifecycle.push("lock", func(context.Context) error { return f.Close() })
	switch err = lockFile(f); {
	case errors.Is(err, errors.ErrUnsupported):
		a.logger.Warn("state_dir is not locked", "path", a.cfg.StateDir,
			"hint", "this system or its file system has no locks: see to it that no second server uses the same state_dir")
		return nil
	case errors.Is(err, errTaken):
		return fmt.Errorf("state_dir: %s is in use by another server: stop that one, or give this one a directory of its own with state_dir (%s): %w",
			a.cfg.StateDir, envName("state_dir"), err)
	case err != nil:
		return fmt.Errorf("state_dir: lock %s: %w", f.Name(), err)
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
	certificate := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "barrage_http_certificate_expiry_timestamp_seconds",
		Help: "When the certificate of HTTPS ends, in seconds since the Unix epoch; 0 while HTTPS is off.",
	}, func() float64 {
		if a.certs == nil {
			return 0
		}
		return float64(a.certs.Leaf().NotAfter.Unix())
	})
	for _, c := range []prometheus.Collector{
		info, certificate, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := a.metrics.Register(c); err != nil {
			return fmt.Errorf("register process metrics: %w", err)
		}
	}
	return nil
}

// bind opens a listener that is closed at the end even if nothing ever serves it.
func (a *App) bind(ctx context.Context, key, addr string) (net.Listener, error) {
	l, err := listen(ctx, key, addr)
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

// bindTLS opens the listener of HTTPS, nil when there is no certificate.
func (a *App) bindTLS(ctx context.Context) (net.Listener, error) {
	addr, files := a.cfg.HTTP.tlsAddr(), a.cfg.HTTP.TLS
	if addr == "" {
		return nil, nil //nolint:nilnil // off is no error
	}
	var err error
	a.certs, err = certs.Open(certs.Files{Cert: files.CertFile, Key: files.KeyFile}, certs.Options{Logger: a.logger})
	if err != nil {
		return nil, fmt.Errorf("%w: http.tls: %w", errConfig, err)
	}
	l, err := a.bind(ctx, "http.tls_addr", addr)
	if err != nil {
		return nil, err
	}
	a.addrs.HTTPS = l.Addr().String()
	return tls.NewListener(l, safehttp.TLS(a.certs.Certificate)), nil
}

// serve answers HTTP on l until the stop, which lets running requests end. With hls,
// players have a lane of their own.
func (a *App) serve(ctx context.Context, name string, l net.Listener, h http.Handler, hls *origin.Handler) {
	srv := safehttp.Server(h)
	srv.ErrorLog = slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug)
	shutdown := srv.Shutdown
	if hls != nil {
		lane := hls.NewLane(l, srv)
		l, shutdown = lane, func(ctx context.Context) error { return errors.Join(srv.Shutdown(ctx), lane.Shutdown(ctx)) }
	}
	a.lifecycle.run(ctx, name, func(ctx context.Context) error {
		ended := make(chan error, 1)
		go func() { ended <- srv.Serve(l) }()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
		}
		// Requests that waited for media have been answered by now, see start; a
		// viewer who takes a segment slowly gets a little longer.
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
		defer cancel()
		err := shutdown(bound)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close()
		}
		<-ended
		return err
	})
}

// openBroker joins the chat nodes: in memory within one process, by Redis across processes.
func (a *App) openBroker(ctx context.Context) error {
	if a.cfg.Chat.Broker != chat.BrokerRedis {
		folder, err := a.openFolder("chat")
		if err != nil {
			return err
		}
		memory, err := chat.OpenMemory(chat.MemoryOptions{Dir: folder, JournalBytes: a.cfg.Chat.JournalBytes, Logger: a.logger})
		if err != nil {
			return fmt.Errorf("state_dir: %w", err)
		}
		a.broker = memory
		a.lifecycle.push("memory broker", func(context.Context) error { return memory.Close() })
		return nil
	}
	broker, err := redisbroker.New(ctx, redisbroker.Options{
		URL: a.cfg.Chat.Redis.URL, Logger: a.logger, Registerer: a.metrics,
	})
	if err != nil {
		return fmt.Errorf("%w: chat.redis.url: %w", errConfig, err)
	}
	a.broker = broker
	a.lifecycle.push("redis broker", func(context.Context) error { return broker.Close() })
	return nil
}

// openSpool takes a folder in which this node keeps comments while Redis is away. Nodes
// may share a state directory: each has a folder of its own, the first that is free, so that
// what a killed one has left is found by the next.
func (a *App) openSpool() (*os.Root, error) {
	if a.cfg.Chat.Broker != chat.BrokerRedis {
		return nil, nil //nolint:nilnil // the memory broker is never away
	}
	for n := 1; ; n++ {
		root, err := a.openFolder(filepath.Join("chat", "spool", strconv.Itoa(n)))
		if !errors.Is(err, errTaken) || n == maxSpools {
			return root, err
		}
	}
}

// maxSpools bounds the chat nodes on one state directory.
const maxSpools = 64

func (a *App) addChat(mux *http.ServeMux, clients *safehttp.Clients) error {
	spool, err := a.openSpool()
	if err != nil {
		return err
	}
	a.hub, err = chat.New(a.cfg.Chat, chat.Options{
		Spool: spool, SpoolBytes: a.cfg.Chat.JournalBytes,
		Logger: a.logger, Registerer: a.metrics, Broker: a.broker, Secret: a.secret, ClientAddr: clients.Addr,
		Full: newFileGuard(a.logger, a.role.media).check,
		Dir:  filepath.Join(a.cfg.StateDir, "chat"),
	})
	if err != nil {
		return err
	}
	mux.Handle("/chat/v1/", a.hub.Handler())
	return nil
}
