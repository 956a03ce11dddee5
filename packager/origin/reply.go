package origin

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// reply is an answer before it is written.
type reply struct {
	kind    string
	status  int
	mime    string
	cache   string
	body    []byte // shared with everybody: read only
	zipped  bool
	varies  bool   // by Accept-Encoding
	ranging bool   // ranges are honoured
	part    string // Content-Range
}

// Cache lifetimes. URIs of media carry the stream epoch, so they never change.
const (
	cacheForever = "public, max-age=31536000, immutable"
	cacheShort   = "public, max-age=1"
	cacheNever   = "no-store"
)

// Media types.
const (
	mimePlaylist = "application/vnd.apple.mpegurl"
	mimeVideo    = "video/mp4"
	mimeAudio    = "audio/mp4"
	mimeMuxed    = "video/mp2t"
	mimeJSON     = "application/json"
)

// fail is an answer for an error: a code for programs, a sentence for people.
func fail(kind string, status int, code, message string) reply {
	cache := cacheNever
	if status == http.StatusNotFound {
		cache = cacheShort
	}
	body := fmt.Appendf(nil, "{\"error\":{\"code\":%q,\"message\":%q}}\n", code, message)
	return reply{kind: kind, status: status, mime: mimeJSON, cache: cache, body: body}
}

func notFound(kind string) reply {
	return fail(kind, http.StatusNotFound, "not_found", "there is no such stream, playlist or media here (any more)")
}

func badRequest(message string) reply {
	return fail(kindPlaylist, http.StatusBadRequest, "bad_request", message)
}

func unavailable(kind, code, message string) reply {
	return fail(kind, http.StatusServiceUnavailable, code, message)
}

// span is a range of bytes.
type span struct{ from, to int64 } // to is behind the last

// parseRange reads a Range header for a body of that size. A header it does not
// understand is ignored, as is a list of ranges: "A server MAY ignore the Range
// header field" (RFC 9110, 14.2). ok is false when it cannot be satisfied.
func parseRange(header string, size int64) (s span, partial, ok bool) {
	whole := span{0, size}
	spec, found := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !found || !dash || strings.Contains(spec, ",") {
		return whole, false, true
	}
	if first == "" { // the last n bytes
		n, err := strconv.ParseUint(last, 10, 63)
		if err != nil {
			return whole, false, true
		}
		return span{size - min(size, int64(n)), size}, true, n > 0 && size > 0
	}
	from, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return whole, false, true
	}
	to := uint64(size) - 1
	if last != "" {
		if to, err = strconv.ParseUint(last, 10, 63); err != nil || to < from {
			return whole, false, true
		}
	}
	if int64(from) >= size {
		return span{}, true, false
	}
	return span{int64(from), int64(min(to, uint64(size)-1)) + 1}, true, true
}

// values are those of header fields that are sent again and again. net/http only reads
// them, so that answers share them.
type values map[string][]string

func newValues() values {
	v := values{}
	for _, value := range []string{
		anyOrigin, exposed, varyEncoding, "bytes", "gzip", "nosniff",
		mimePlaylist, mimeVideo, mimeAudio, mimeJSON, cacheForever, cacheShort, cacheNever,
	} {
		v[value] = []string{value}
	}
	return v
}

// set sets a field; the name must be in its canonical form.
func (v values) set(h http.Header, name, value string) {
	if shared, ok := v[value]; ok {
		h[name] = shared
		return
	}
	h[name] = []string{value}
}

const (
	anyOrigin    = "*"
	exposed      = "Age, Content-Length, Content-Range, Date, Server-Timing"
	varyEncoding = "Accept-Encoding"
	methods      = "GET, HEAD, OPTIONS"
)

// fields calls set with the header fields of an answer, the names in canonical form.
// What players ask for has eight fields at most: maps of net/http cost several times
// as much beyond that (a test counts them).
func (a *reply) fields(set func(name, value string)) {
	// Every site may play the stream: nothing here depends on who asks.
	set("Access-Control-Allow-Origin", anyOrigin)
	set("Access-Control-Expose-Headers", exposed)
	set("Timing-Allow-Origin", anyOrigin)
	if a.status == http.StatusNoContent {
		allow(set)
		return
	}
	set("Content-Type", a.mime)
	set("Cache-Control", a.cache)
	set("Content-Length", strconv.Itoa(len(a.body)))
	switch {
	case a.varies: // a playlist, all of whose text is ours
		set("Vary", varyEncoding)
	default:
		set("X-Content-Type-Options", "nosniff")
	}
	if a.ranging {
		set("Accept-Ranges", "bytes")
	}
	if a.zipped {
		set("Content-Encoding", "gzip")
	}
	if a.part != "" {
		set("Content-Range", a.part)
	}
	switch a.status {
	case http.StatusMethodNotAllowed:
		set("Allow", methods)
	case http.StatusServiceUnavailable:
		set("Retry-After", retryAfter)
	}
}

// allow answers a preflight. Players of other sites may mark requests as ours do
// (CMCD headers, CTA-5004) and ask for ranges.
func allow(set func(name, value string)) {
	set("Access-Control-Allow-Methods", methods)
	set("Access-Control-Allow-Headers", "CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status, Range")
	set("Access-Control-Max-Age", "86400")
	set("Cache-Control", "public, max-age=86400")
	set("Vary", "Access-Control-Request-Headers, Access-Control-Request-Method")
}

// write sends the answer and returns how many bytes of body went out.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, a *reply) (sent int) {
	header := w.Header()
	a.fields(func(name, value string) { h.values.set(header, name, value) })
	w.WriteHeader(a.status)
	if r.Method == http.MethodHead || a.status == http.StatusNoContent {
		return 0
	}
	sent, _ = w.Write(a.body) // an error is a client that has left
	return sent
}

// narrow makes the answer the one to a Range header, if there is one.
func (a *reply) narrow(asked string) {
	if !a.ranging || asked == "" {
		return
	}
	size := int64(len(a.body))
	s, partial, ok := parseRange(asked, size)
	switch {
	case !ok:
		*a = fail(a.kind, http.StatusRequestedRangeNotSatisfiable, "bad_range", "the resource is shorter than that")
		a.part = "bytes */" + strconv.FormatInt(size, 10)
	case partial:
		a.status, a.body = http.StatusPartialContent, a.body[s.from:s.to]
		a.part = fmt.Sprintf("bytes %d-%d/%d", s.from, s.to-1, size)
	}
}

// acceptsGzip reads Accept-Encoding: gzip is welcome unless its weight is zero. The
// asterisk "matches any available content coding not explicitly listed" (RFC 9110, 12.5.3).
func acceptsGzip(header string) bool {
	others := false
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		switch name = strings.TrimSpace(name); {
		case strings.EqualFold(name, "gzip"):
			return welcome(params)
		case name == "*":
			others = welcome(params)
		}
	}
	return others
}

// welcome reads the parameters of one coding.
func welcome(params string) bool {
	weight, weighted := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
	q, err := strconv.ParseFloat(weight, 64)
	return !weighted || err == nil && q > 0
}
