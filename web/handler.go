package web

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"barrage/internal/slug"
)

//go:embed dist templates
var embedded embed.FS

// Options carry the wiring of New. All may be zero.
type Options struct {
	Logger *slog.Logger
	// Assets replaces the embedded files of dist: a build on disk, or a test's.
	Assets fs.FS
	// PublicURL is the address people type, such as "https://live.example.com".
	// Cards of shared links name it; "": the address a request was sent to.
	PublicURL string
	// Card says how a room describes itself. Nil: rooms have their names only.
	Card func(room string) Card
}

// Card is what the host says of a room: plain text that means nothing in HTML.
type Card struct {
	Title    string
	Tags     []string
	Language string // as in RFC 5646; "" = unknown
}

// pages are the names of the bundles build.mjs makes.
const (
	pageDirectory = "directory"
	pageRoom      = "room"
	pageStudio    = "studio"
	pageEmbed     = "embed"
	pageOverlay   = "overlay"
)

// handler serves one configuration. Everything in it is read-only after New.
type handler struct {
	config    Config
	csp       string
	embedCSP  string // of the one page that may stand in a frame
	card      func(room string) Card
	public    string // origin of links, "" = of the request
	assets    *assets
	templates *template.Template
	log       *slog.Logger
}

// New returns the handler of the pages and of /assets/. What it does not know
// gets a 404 page, so that it can stand at "/" of a mux.
func New(cfg Config, opts Options) (http.Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Assets == nil {
		dist, err := fs.Sub(embedded, "dist")
		if err != nil {
			return nil, fmt.Errorf("embedded pages: %w", err)
		}
		opts.Assets = dist
	}
	if opts.Card == nil {
		opts.Card = func(string) Card { return Card{} }
	}
	loaded, err := loadAssets(opts.Assets)
	if err != nil {
		return nil, err
	}
	templates, err := template.ParseFS(embedded, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("page templates: %w", err)
	}
	if !loaded.built() {
		opts.Logger.Warn("pages are not built", "hint", "run 'make build'; until then every page says so")
	}
	hls, chat := originOf(cfg.HLSURL), originOf(cfg.ChatURL)
	h := &handler{
		config: cfg, csp: policy(hls, chat, nobody), embedCSP: policy(hls, chat, embedders(cfg.EmbedOrigins)),
		card: opts.Card, public: strings.TrimSuffix(opts.PublicURL, "/"), assets: loaded, templates: templates, log: opts.Logger,
	}
	return h.routes(), nil
}

// originOf parses a value Validate has passed; nil when it is empty.
func originOf(value string) *url.URL {
	u, err := parseOrigin(value)
	if err != nil {
		return nil
	}
	return u
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		h.page(w, r, pageDirectory, "")
	})
	mux.HandleFunc("GET /r/{room}", h.room(pageRoom))
	mux.HandleFunc("GET /studio/{room}", h.room(pageStudio))
	mux.HandleFunc("GET /embed/{room}", h.room(pageEmbed))
	mux.HandleFunc("GET /overlay/{room}", h.room(pageOverlay))
	mux.HandleFunc("GET /assets/{name}", h.asset)
	mux.HandleFunc("GET /favicon.ico", h.favicon)
	mux.HandleFunc("GET /", h.notFound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header(), h.csp)
		mux.ServeHTTP(w, r)
	})
}

func (h *handler) room(page string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		room := r.PathValue("room")
		if slug.Check(room) != nil {
			h.notFound(w, r)
			return
		}
		if page == pageEmbed {
			w.Header().Set("Content-Security-Policy", h.embedCSP)
		}
		h.page(w, r, page, room)
	}
}

func (h *handler) asset(w http.ResponseWriter, r *http.Request) {
	f, ok := h.assets.files[r.PathValue("name")]
	if !ok {
		h.notFound(w, r)
		return
	}
	f.write(w, r)
}

// favicon answers what browsers ask for without being told to.
func (h *handler) favicon(w http.ResponseWriter, r *http.Request) {
	if !h.assets.built() {
		h.notFound(w, r)
		return
	}
	http.Redirect(w, r, "/assets/"+h.assets.manifest.Icon, http.StatusFound)
}

// view is what the templates see.
type view struct {
	Config
	Lang, Page, Room string
	Card             Card
	Icon             string
	Origin, Path     string // of this page, for links from elsewhere
	Picture          string // of the card of a link, a file of /assets/
	Bundle           bundle
}

// Name is what people call what is on the page: the title of the room, or its
// address; "" for the directory.
func (v view) Name() string { return cmp.Or(v.Card.Title, v.Room) }

// Tags are the room's own words about itself, for cards of links.
func (v view) Tags() string { return strings.Join(v.Card.Tags, " · ") }

func (h *handler) page(w http.ResponseWriter, r *http.Request, page, room string) {
	v := h.view(r, page, room)
	if !h.assets.built() {
		h.render(w, r, http.StatusServiceUnavailable, "unbuilt.html", v)
		return
	}
	h.render(w, r, http.StatusOK, "page.html", v)
}

func (h *handler) notFound(w http.ResponseWriter, r *http.Request) {
	h.render(w, r, http.StatusNotFound, "notfound.html", h.view(r, pageDirectory, ""))
}

func (h *handler) view(r *http.Request, page, room string) view {
	v := view{
		Config: h.config, Lang: language(r.Header.Get("Accept-Language")), Page: page, Room: room,
		Origin: h.origin(r), Path: r.URL.Path, Icon: h.assets.manifest.Icon, Picture: h.assets.manifest.Card, Bundle: h.assets.manifest.Pages[page],
	}
	if room != "" {
		v.Card = h.card(room)
	}
	return v
}

// origin is where people reach this server: what makes cards of links follows no
// relative address.
func (h *handler) origin(r *http.Request) string {
	switch {
	case h.public != "":
		return h.public
	case r.TLS != nil:
		return "https://" + r.Host
	default:
		return "http://" + r.Host
	}
}

func (h *handler) render(w http.ResponseWriter, r *http.Request, code int, name string, v view) {
	var body bytes.Buffer
	if err := h.templates.ExecuteTemplate(&body, name, v); err != nil {
		h.log.Error("page template failed", "file", name, "err", err)
		http.Error(w, "the page could not be drawn", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	header.Set("Cache-Control", "no-cache")
	header.Set("Vary", "Accept-Language")
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes())
	}
}

// language picks one of the two languages of the pages by the reader's first
// choice. The script in the page may choose again.
func language(accept string) string {
	first, _, _ := strings.Cut(accept, ",")
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(first)), "zh") {
		return "zh"
	}
	return "en"
}
