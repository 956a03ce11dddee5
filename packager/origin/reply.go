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
	varies  bool // by Accept-Encoding
	ranging bool // ranges are honoured
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

// write sends the answer and returns its status and how many bytes of body went out.
//
// What players ask for has eight fields at most: maps of net/http cost several times
// as much beyond that (a test counts them).
func (h *handler) write(w http.ResponseWriter, r *http.Request, a reply) (status int, sent int64) {
	header := w.Header()
	part := a.narrow(header, r)
	// Every site may play the stream: nothing here depends on who asks.
	h.values.set(header, "Access-Control-Allow-Origin", anyOrigin)
	h.values.set(header, "Access-Control-Expose-Headers", exposed)
	h.values.set(header, "Timing-Allow-Origin", anyOrigin)
	if a.status == http.StatusNoContent {
		allow(header)
		w.WriteHeader(a.status)
		return a.status, 0
	}
	h.values.set(header, "Content-Type", a.mime)
	h.values.set(header, "Cache-Control", a.cache)
	header["Content-Length"] = []string{strconv.FormatInt(part.to-part.from, 10)}
	switch {
	case a.varies: // a playlist, all of whose text is ours
		h.values.set(header, "Vary", varyEncoding)
	default:
		h.values.set(header, "X-Content-Type-Options", "nosniff")
	}
	if a.ranging {
		h.values.set(header, "Accept-Ranges", "bytes")
	}
	if a.zipped {
		h.values.set(header, "Content-Encoding", "gzip")
	}
	switch a.status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", methods)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(a.status)
	if r.Method == http.MethodHead {
		return a.status, 0
	}
	n, _ := w.Write(a.body[part.from:part.to]) // an error is a client that has left
	return a.status, int64(n)
}

// narrow makes the answer the one to a Range header, if there is one, and returns
// the bytes of the body that are asked for.
func (a *reply) narrow(header http.Header, r *http.Request) span {
	size := int64(len(a.body))
	asked := r.Header.Get("Range")
	if !a.ranging || asked == "" {
		return span{0, size}
	}
	s, partial, ok := parseRange(asked, size)
	switch {
	case !ok:
		header.Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		*a = fail(a.kind, http.StatusRequestedRangeNotSatisfiable, "bad_range", "the resource is shorter than that")
		return span{0, int64(len(a.body))}
	case partial:
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", s.from, s.to-1, size))
		a.status = http.StatusPartialContent
	}
	return s
}

// allow answers a preflight. Players of other sites may mark requests as ours do
// (CMCD headers, CTA-5004) and ask for ranges.
func allow(h http.Header) {
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status, Range")
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Cache-Control", "public, max-age=86400")
	h.Set("Vary", "Access-Control-Request-Headers, Access-Control-Request-Method")
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
