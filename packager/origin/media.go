package origin

import (
	"net/http"
	"strconv"
	"strings"

	"barrage/packager"
)

// number reads the running number of "<prefix>N<suffix>". Only the canonical form
// names a resource: one address, one object in a cache.
func number(file, prefix, suffix string) (uint64, bool) {
	digits, ok := strings.CutPrefix(file, prefix)
	if !ok {
		return 0, false
	}
	if digits, ok = strings.CutSuffix(digits, suffix); !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return n, err == nil
}

// place is where a request has arrived.
type place struct {
	stream    *packager.Stream
	epoch     *packager.Epoch
	rendition *packager.Rendition
	mime      string
}

// media answers for init sections, segments and parts of a rendition.
func (h *Handler) media(r *request, at place, file string) reply {
	w := at.rendition.Window()
	if at.mime == mimeMuxed {
		n, ok := number(file, "s", ".ts")
		if !ok {
			return notFound(kindOther)
		}
		data, found := w.Segment(n)
		return at.reply(kindSegment, data, found)
	}
	if n, ok := number(file, "init-", ".mp4"); ok {
		data, found := w.Init(n)
		return at.reply(kindInit, data, found)
	}
	if n, ok := number(file, "s", ".m4s"); ok {
		data, found := w.Segment(n)
		return at.reply(kindSegment, data, found)
	}
	if n, ok := number(file, "p", ".m4s"); ok {
		return h.part(r, at, n)
	}
	return notFound(kindOther)
}

func (at place) reply(kind string, body []byte, found bool) reply {
	if !found {
		return notFound(kind)
	}
	return reply{kind: kind, status: http.StatusOK, mime: at.mime, cache: cacheForever, body: body, ranging: true}
}

// part answers for a part, and waits for the one that was announced: a preload hint
// is an invitation to ask before the part is there (RFC 8216bis, 6.2.6). Only a hint
// that came to nothing is 404.
func (h *Handler) part(r *request, at place, n uint64) reply {
	w := at.rendition.Window()
	if w.Hinted(n) {
		var outcome string
		w, outcome = h.hold(r, at, func(w *packager.Window) bool { return !w.Hinted(n) })
		switch outcome {
		case blockedGone:
			return reply{kind: kindPart, status: statusGone}
		case blockedTimeout, blockedFull:
			return stalled(kindPart, outcome)
		}
	}
	data, found := w.Part(n)
	return at.reply(kindPart, data, found)
}
