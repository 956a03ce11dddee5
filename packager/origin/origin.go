package origin

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
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
	// MaxWaiting bounds the requests that wait for media; each costs 16 to 50 KiB.
	// Beyond it a reload is answered 503 at once. 0: 20000.
	MaxWaiting int64
}

// handler answers requests below /hls/.
type handler struct {
	reg     *packager.Registry
	metrics *metrics
	addr    func(*http.Request) netip.Addr
	seed    maphash.Seed
	limit   int64
	waiting atomic.Int64
}

// New makes the handler of everything below /hls/.
func New(reg *packager.Registry, opts Options) (http.Handler, error) {
	if opts.Registerer == nil {
		opts.Registerer = prometheus.NewRegistry()
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
	return &handler{reg: reg, metrics: m, addr: opts.ClientAddr, seed: maphash.MakeSeed(), limit: opts.MaxWaiting}, nil
}

func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	share(w.Header())
	a := h.answer(r)
	status, sent := a.status, int64(0)
	if status != statusGone {
		status, sent = a.write(w, r)
	}
	h.metrics.requests.WithLabelValues(a.kind, strconv.Itoa(status)).Inc()
	h.metrics.sent.WithLabelValues(a.kind).Add(float64(sent))
}

// share lets every site play the stream: nothing here depends on who asks.
func share(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Age, Content-Length, Content-Range, Date, Server-Timing")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Timing-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
}

func (h *handler) answer(r *http.Request) reply {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return h.route(r)
	case http.MethodOptions:
		return reply{kind: kindOther, status: http.StatusNoContent}
	default:
		return fail(kindOther, http.StatusMethodNotAllowed, "method_not_allowed", "only GET, HEAD and OPTIONS are answered here")
	}
}

// route finds what the path names: {room}/index.m3u8, {room}/{epoch}/{v0|a0}.m3u8
// or {room}/{epoch}/{v0|a0}/{init-N.mp4|sN.m4s|pN.m4s}.
func (h *handler) route(r *http.Request) reply {
	path, ok := strings.CutPrefix(r.URL.Path, "/hls/")
	if !ok {
		return notFound(kindOther)
	}
	room, rest, _ := strings.Cut(path, "/")
	s, ok := h.reg.Stream(room)
	if rest == "index.m3u8" {
		return index(r, s)
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
	at := place{stream: s, rendition: rendition, mime: mimeVideo}
	if strings.HasPrefix(name, "a") {
		at.mime = mimeAudio
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

func index(r *http.Request, s *packager.Stream) reply {
	if s == nil {
		return notFound(kindIndex)
	}
	e, ok := s.Current()
	if !ok {
		return notFound(kindIndex)
	}
	zip := acceptsGzip(r.Header.Get("Accept-Encoding"))
	return reply{kind: kindIndex, status: http.StatusOK, mime: mimePlaylist, cache: cacheShort, body: [][]byte{e.Index(zip)}, zipped: zip, varies: true}
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

// parseWant reads the delivery directives; ok is false without any.
func parseWant(query string) (w want, ok bool, err error) {
	if !strings.Contains(query, "_HLS_") {
		return want{}, false, nil
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return want{}, false, errDirective
	}
	if !q.Has("_HLS_msn") {
		if q.Has("_HLS_part") {
			return want{}, false, errPartAlone
		}
		return want{}, false, nil
	}
	w.part = -1
	if w.msn, err = strconv.ParseUint(q.Get("_HLS_msn"), 10, 53); err != nil {
		return want{}, false, errDirective
	}
	if q.Has("_HLS_part") {
		n, err := strconv.ParseUint(q.Get("_HLS_part"), 10, 31)
		if err != nil {
			return want{}, false, errDirective
		}
		w.part = int(n)
	}
	return w, true, nil
}

func (h *handler) playlist(r *http.Request, at place) reply {
	win := at.rendition.Window()
	ask, directed, err := parseWant(r.URL.RawQuery)
	cache := cacheShort
	switch {
	case win.Ended: // a playlist that ends ignores the delivery directives (6.2.5)
	case err != nil:
		return badRequest(err.Error())
	case directed && win.TooFar(ask.msn, ask.part):
		return badRequest("nothing that far ahead is on its way: reload without _HLS_msn")
	case directed && !win.Has(ask.msn, ask.part):
		var outcome string
		win, outcome = h.hold(r.Context(), at, func(ctx context.Context) (*packager.Window, error) {
			return at.rendition.Wait(ctx, ask.msn, ask.part)
		})
		switch outcome {
		case blockedGone:
			return reply{kind: kindPlaylist, status: statusGone}
		case blockedAway:
			cache = cacheNever
		case blockedTimeout, blockedFull:
			return stalled(kindPlaylist, outcome)
		default:
			cache = lasting(win)
		}
	case directed:
		if last, _ := win.Last(); ask.msn+1 >= last {
			cache = lasting(win)
		}
	}
	zip := acceptsGzip(r.Header.Get("Accept-Encoding"))
	body := win.Playlist(packager.Form{Gzip: zip, Delta: skips(r.URL.RawQuery)})
	if body == nil {
		return notFound(kindPlaylist)
	}
	if r.Method == http.MethodGet && !isOurPage(r) {
		at.stream.Seen(h.fingerprint(r))
	}
	return reply{kind: kindPlaylist, status: http.StatusOK, mime: mimePlaylist, cache: cache, body: [][]byte{body}, zipped: zip, varies: true}
}

// lasting is how long the answer to a directive holds: the address names a state of
// the playlist that never changes; six target durations are what appendix B.1 advises.
func lasting(w *packager.Window) string {
	return "public, max-age=" + strconv.Itoa(int(6*w.TargetDuration/time.Second))
}

func stalled(kind, outcome string) reply {
	if outcome == blockedFull {
		return unavailable(kind, "too_many_waiting", "too many players are waiting here: come back in a second")
	}
	return unavailable(kind, "no_new_media", "the publisher has sent nothing for three target durations")
}

// hold waits, in slices after which it looks whether the publisher has gone away.
//
// hls.js waits max(3 x PART-TARGET, 0.8 x target duration) for the first byte of a
// blocking reload and leaves the low-latency mode when it times out. RFC 8216bis,
// 6.2.5.2: a request that is blocked for three target durations should get 503.
func (h *handler) hold(ctx context.Context, at place, wait func(context.Context) (*packager.Window, error)) (*packager.Window, string) {
	w := at.rendition.Window()
	if h.waiting.Add(1) > h.limit {
		h.waiting.Add(-1)
		return w, h.held(blockedFull)
	}
	h.metrics.waiting.Inc()
	defer func() { h.waiting.Add(-1); h.metrics.waiting.Dec() }()

	slice := max(3*w.PartTarget, w.TargetDuration*8/10) * 3 / 4
	for left := 3 * w.TargetDuration; left > 0; left -= slice {
		turn, cancel := context.WithTimeout(ctx, min(slice, left))
		found, err := wait(turn)
		cancel()
		switch {
		case err == nil:
			return found, h.held(blockedServed)
		case ctx.Err() != nil:
			return w, h.held(blockedGone)
		case at.stream.Away():
			return found, h.held(blockedAway)
		}
	}
	return w, h.held(blockedTimeout)
}

func (h *handler) held(outcome string) string {
	h.metrics.blocked.WithLabelValues(outcome).Inc()
	return outcome
}

// isOurPage says that a request comes from our page, which is counted by the chat:
// it marks its media requests with a CMCD session id of ours (CTA-5004).
func isOurPage(r *http.Request) bool {
	const ours = `sid="barrage-`
	if strings.Contains(r.Header.Get("CMCD-Session"), ours) {
		return true
	}
	return strings.Contains(r.URL.RawQuery, "CMCD=") && strings.Contains(r.URL.Query().Get("CMCD"), ours)
}

// agentsPerPlace bounds how many players one place can seem to be.
const agentsPerPlace = 64

// fingerprint tells players apart: by address, that of the network of a household
// for IPv6, and user agent. The seed is this process's, so nobody can choose
// colliding ones; user agents are invented, so they fall into a few classes.
func (h *handler) fingerprint(r *http.Request) uint64 {
	addr := h.addr(r)
	place := addr.As16()
	if addr.Is6() {
		clear(place[8:])
	}
	var hash maphash.Hash
	hash.SetSeed(h.seed)
	_, _ = hash.Write(place[:])
	_ = hash.WriteByte(byte(maphash.String(h.seed, r.UserAgent()) % agentsPerPlace))
	return hash.Sum64()
}
