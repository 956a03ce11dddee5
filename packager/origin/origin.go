package origin

import (
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"barrage/packager"

	"github.com/prometheus/client_golang/prometheus"
)

// Options wires the handler.
type Options struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// ClientAddr tells who asks, trusted proxies considered. nil: the peer of the connection.
	ClientAddr func(*http.Request) netip.Addr
	// MaxWaiting bounds the requests that wait for media; each costs 20 KiB in the lane and 45 outside it.
	// Beyond it a reload is answered 503 at once. One household (an IPv4 address, an
	// IPv6 /64) gets a quarter of it. 0: 20000.
	MaxWaiting int64
}

// Handler answers requests below /hls/.
type Handler struct {
	reg     *packager.Registry
	log     *slog.Logger
	metrics *metrics
	addr    func(*http.Request) netip.Addr
	seed    maphash.Seed
	values  values
	waiting waiting
}

// New makes the handler of everything below /hls/.
func New(reg *packager.Registry, opts Options) (*Handler, error) {
	if opts.Registerer == nil {
		opts.Registerer = prometheus.NewRegistry()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.ClientAddr == nil {
		opts.ClientAddr = peer
	}
	if opts.MaxWaiting <= 0 {
		opts.MaxWaiting = 20000
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	h := &Handler{reg: reg, log: opts.Logger, metrics: m, addr: opts.ClientAddr, seed: maphash.MakeSeed(), values: newValues()}
	h.waiting.limit = opts.MaxWaiting
	return h, nil
}

func peer(r *http.Request) netip.Addr {
	hop, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return hop.Addr().Unmap()
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := h.answer(&request{
		method: r.Method, path: r.URL.Path, query: r.URL.RawQuery,
		accepts: r.Header.Get("Accept-Encoding"), ranges: r.Header.Get("Range"), session: r.Header.Get("CMCD-Session"), agent: r.UserAgent(),
		addr: h.addr(r), gone: r.Context().Done(),
	})
	if a.status == statusGone {
		h.metrics.answered(a.kind, a.status, 0)
		panic(http.ErrAbortHandler) // to return would send an empty 200, which a cache might keep
	}
	h.metrics.answered(a.kind, a.status, h.write(w, r, &a))
}

// request is what an answer depends on, whoever has read it.
type request struct {
	method, path, query string
	// Accept-Encoding, Range, CMCD-Session and User-Agent.
	accepts, ranges, session, agent string

	addr netip.Addr      // of the client
	gone <-chan struct{} // closed when it has left; nil when nothing says so
	left func() bool     // looks whether it has left; nil when gone says so
}

// answer finds what to say, and waits when that is asked for.
func (h *Handler) answer(r *request) reply {
	a := h.found(r)
	a.narrow(r.ranges)
	return a
}

func (h *Handler) found(r *request) reply {
	switch r.method {
	case http.MethodGet, http.MethodHead:
		return h.route(r)
	case http.MethodOptions:
		return reply{kind: kindOther, status: http.StatusNoContent}
	default:
		return fail(kindOther, http.StatusMethodNotAllowed, "method_not_allowed", "only GET, HEAD and OPTIONS are answered here")
	}
}

// route finds what the path names: {room}/{index|ts}.m3u8, {room}/{epoch}/{v0|a0|ts}.m3u8,
// {room}/{epoch}/{v0|a0}/{init-N.mp4|sN.m4s|pN.m4s} or {room}/{epoch}/ts/sN.ts.
func (h *Handler) route(r *request) reply {
	path, ok := strings.CutPrefix(r.path, "/hls/")
	if !ok {
		return notFound(kindOther)
	}
	room, rest, _ := strings.Cut(path, "/")
	s, ok := h.reg.Stream(room)
	switch rest {
	case "index.m3u8":
		return index(r, s)
	case "ts.m3u8":
		return muxed(r, s)
	}
	id, rest, _ := strings.Cut(rest, "/")
	if !ok {
		return notFound(kindOf(rest))
	}
	e, ok := s.Epoch(id)
	if !ok {
		return notFound(kindOf(rest))
	}
	name, file, isMedia := strings.Cut(rest, "/")
	if !isMedia {
		name, ok = strings.CutSuffix(name, ".m3u8")
		if !ok {
			return notFound(kindOther)
		}
	}
	rendition, ok := e.Rendition(name)
	at := place{stream: s, epoch: e, rendition: rendition, mime: mimeVideo}
	switch {
	case strings.HasPrefix(name, "a"):
		at.mime = mimeAudio
	case name == "ts":
		at.mime = mimeMuxed
	}
	switch {
	case !ok:
		return notFound(kindOf(rest))
	case isMedia:
		return h.media(r, at, file)
	}
	return h.playlist(r, at)
}

// kindOf guesses what somebody looks for that does not exist.
func kindOf(rest string) string {
	_, file, isMedia := strings.Cut(rest, "/")
	switch {
	case !isMedia && strings.HasSuffix(rest, ".m3u8"):
		return kindPlaylist
	case strings.HasPrefix(file, "init-"):
		return kindInit
	case strings.HasPrefix(file, "s"):
		return kindSegment
	case strings.HasPrefix(file, "p"):
		return kindPart
	}
	return kindOther
}

func index(r *request, s *packager.Stream) reply {
	if s == nil {
		return notFound(kindIndex)
	}
	e, ok := s.Current()
	if !ok {
		return notFound(kindIndex)
	}
	zip := acceptsGzip(r.accepts)
	return reply{kind: kindIndex, status: http.StatusOK, mime: mimePlaylist, cache: cacheShort, body: e.Index(zip), zipped: zip, varies: true}
}

// muxed answers for the multivariant playlist of MPEG-TS, which asking for switches on.
func muxed(r *request, s *packager.Stream) reply {
	if s == nil {
		return notFound(kindIndex)
	}
	e, ok := s.Current()
	if !ok {
		return notFound(kindIndex)
	}
	zip := acceptsGzip(r.accepts)
	body, err := e.Muxed(zip)
	switch {
	case err != nil:
		return fail(kindIndex, http.StatusNotFound, "not_in_mpeg_ts", "play index.m3u8 instead: "+err.Error())
	case body == nil:
		return notFound(kindIndex)
	}
	return reply{kind: kindIndex, status: http.StatusOK, mime: mimePlaylist, cache: cacheShort, body: body, zipped: zip, varies: true}
}

// skips reads _HLS_skip, "YES" or "v2" (6.2.5.1). There are no dateranges here that
// v2 could leave out, so both mean the same.
func skips(query string) bool {
	_, value, ok := strings.Cut(query, "_HLS_skip=")
	return ok && (strings.HasPrefix(value, "YES") || strings.HasPrefix(value, "v2"))
}

// want is what a blocking reload asks for (6.2.5.2).
type want struct {
	msn  uint64
	part int // -1: the whole segment
}

// Why directives are refused.
var (
	errDirective = errors.New("_HLS_msn and _HLS_part must be decimal numbers")
	errPartAlone = errors.New("_HLS_part needs _HLS_msn")
)

// parameter returns the first value of a parameter of a query. url.ParseQuery would
// make a map of all of them for every reload.
func parameter(query, name string) (value string, ok bool) {
	for pair := range strings.SplitSeq(query, "&") {
		key, text, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(key); err != nil || decoded != name {
			continue
		}
		value, err := url.QueryUnescape(text)
		if err != nil {
			value = "" // no directive has such a value
		}
		return value, true
	}
	return "", false
}

// parseWant reads the delivery directives; ok is false without any.
func parseWant(query string) (w want, ok bool, err error) {
	w.part = -1
	if !strings.Contains(query, "_HLS_") {
		return w, false, nil
	}
	msn, ok := parameter(query, "_HLS_msn")
	part, hasPart := parameter(query, "_HLS_part")
	switch {
	case !ok && hasPart:
		return want{}, false, errPartAlone
	case !ok:
		return w, false, nil
	}
	if w.msn, err = strconv.ParseUint(msn, 10, 53); err != nil {
		return want{}, false, errDirective
	}
	if hasPart {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return want{}, false, errDirective
		}
		w.part = int(n)
	}
	return w, true, nil
}

func (h *Handler) playlist(r *request, at place) reply {
	win := at.rendition.Window()
	ask, directed, err := parseWant(r.query)
	cache := cacheShort
	heeded := directed && !win.Ended && win.PartTarget > 0
	switch {
	case win.Ended, win.PartTarget == 0: // one that ends ignores the delivery directives (6.2.5), as does one without parts
	case err != nil:
		return badRequest(err.Error())
	case heeded && win.TooFar(ask.msn, ask.part):
		return badRequest("nothing that far ahead is on its way: reload without _HLS_msn")
	case !win.Has(ask.msn, ask.part): // without directives: there is no playlist yet
		var outcome string
		win, outcome = h.hold(r, at, func(w *packager.Window) bool { return w.Has(ask.msn, ask.part) })
		switch outcome {
		case blockedGone:
			return reply{kind: kindPlaylist, status: statusGone}
		case blockedAway:
			cache = cacheNever
		case blockedTimeout, blockedFull:
			return stalled(kindPlaylist, outcome)
		}
	}
	zip := acceptsGzip(r.accepts)
	body := win.Playlist(packager.Form{Gzip: zip, Delta: skips(r.query)})
	switch last, _ := win.Last(); {
	case body == nil && !win.Ended && at.epoch.Empty():
		return unavailable(kindPlaylist, "publisher_away", "the server was restarted and the publisher is not back yet: ask again in a second")
	case body == nil:
		return notFound(kindPlaylist)
	case heeded && cache != cacheNever && ask.msn+1 >= last:
		cache = lasting(win)
	}
	if r.method == http.MethodGet {
		h.count(r, at.stream)
	}
	return reply{kind: kindPlaylist, status: http.StatusOK, mime: mimePlaylist, cache: cache, body: body, zipped: zip, varies: true}
}

// lasting is how long the answer to a directive holds: the address names a state of
// the playlist that never changes; six target durations are what appendix B.1 advises.
func lasting(w *packager.Window) string {
	return "public, max-age=" + strconv.Itoa(int(6*w.TargetDuration/time.Second))
}
