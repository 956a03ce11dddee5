package chat

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"barrage/chat/internal/segment"
	"barrage/internal/safehttp"
	"barrage/internal/slug"
)

// Errors of asking for a segment.
var (
	errNotYet     = errors.New("that moment has not come yet")
	errNoSegment  = errors.New("what was said at that moment is not kept here")
	errBadSegment = errors.New("a segment is named after its beginning, in ms since the Unix epoch: a multiple of 10000, as 1790000000000.json")
	errNotReady   = errors.New("the room is opening here, or its broker does not answer; ask again in a moment")
)

// segment answers with what was shown in ten seconds of a room: the same bytes for
// everybody.
func (d *door) segment(w http.ResponseWriter, r *http.Request) {
	d.share(w, r)
	name := r.PathValue("room")
	if err := slug.Check(name); err != nil {
		safehttp.WriteError(w, http.StatusNotFound, "no_such_room", err.Error())
		return
	}
	digits, named := strings.CutSuffix(r.PathValue("file"), ".json")
	t, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !named || t < 0 || t%segment.Length != 0 || strconv.FormatInt(t, 10) != digits {
		safehttp.WriteError(w, http.StatusNotFound, "bad_segment", errBadSegment.Error())
		return
	}
	v, open, err := d.hub.segment(r.Context(), name, t)
	switch {
	case errors.Is(err, errNotYet):
		w.Header().Set("Cache-Control", "max-age=1")
		safehttp.WriteError(w, http.StatusNotFound, "not_yet", err.Error())
	case errors.Is(err, errNoSegment):
		w.Header().Set("Cache-Control", "max-age=2")
		safehttp.WriteError(w, http.StatusNotFound, "no_such_segment", err.Error())
	case errors.Is(err, errRooms):
		safehttp.WriteError(w, http.StatusServiceUnavailable, "too_many_rooms", err.Error())
	case errors.Is(err, errStopping):
		safehttp.WriteError(w, http.StatusServiceUnavailable, "stopping", err.Error())
	case err != nil:
		safehttp.WriteError(w, http.StatusServiceUnavailable, "unavailable", err.Error())
	case open:
		writeView(w, r, v, "max-age=2")
	default:
		writeView(w, r, v, "max-age=60")
	}
}

// writeView writes v as the client can take it, or that it has it already.
func writeView(w http.ResponseWriter, r *http.Request, v *segment.View, cache string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", cache)
	h.Add("Vary", "Accept-Encoding")
	body, tag := v.Body, v.ETag
	if v.Gzip != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		// RFC 9110, 8.8.1: a strong tag is not shared by two representations.
		body, tag = v.Gzip, strings.TrimSuffix(tag, `"`)+`-gz"`
	}
	h.Set("ETag", tag)
	if has(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) //nolint:gosec // JSON, said to be so, with nosniff; a client that left needs no answer
	}
}

// has reads If-None-Match: a list of tags, compared weakly (RFC 9110, 13.1.2).
func has(lists []string, tag string) bool {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if item = strings.TrimSpace(item); item == "*" || strings.TrimPrefix(item, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// acceptsGzip reads Accept-Encoding: gzip counts when it is named without weight zero.
func acceptsGzip(header string) bool {
	for item := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(item, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		value, weighted := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		q, err := strconv.ParseFloat(value, 64)
		return !weighted || err == nil && q > 0
	}
	return false
}

// segment returns what was shown in a room at t; open = it may still change. A room
// that is not open here is opened when it is not on disk, and exists.
func (h *Hub) segment(ctx context.Context, name string, t int64) (v *segment.View, open bool, err error) {
	r := h.visit(name)
	if r == nil {
		if h.archive != nil {
			if body, bad := h.archive.Segment(name, t); bad == nil && body != nil {
				return segment.NewView(body), false, nil
			}
		}
		if !h.exists(ctx, name) {
			return nil, false, errNoSegment
		}
		if r, err = h.enter(name); err != nil {
			return nil, false, err
		}
	}
	defer h.leave(r)
	return r.segment(ctx, t)
}

// visit is enter for a room that is open here; nil = it is not.
func (h *Hub) visit(name string) *room {
	h.desk.mu.Lock()
	defer h.desk.mu.Unlock()
	r := h.desk.rooms[name]
	if r != nil {
		r.refs++
	}
	return r
}

// exists says whether video knows of the room: what has only an address is not
// opened for somebody who just asks.
func (h *Hub) exists(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	s, err := h.broker.Rooms().State(ctx, name)
	return err == nil && s.Phase != ""
}

func (r *room) segment(ctx context.Context, t int64) (v *segment.View, open bool, err error) {
	timer := time.NewTimer(shelfTimeout)
	defer timer.Stop()
	select {
	case <-r.shelf.ready:
	case <-timer.C:
		return nil, false, errNotReady
	case <-ctx.Done():
		return nil, false, errNotReady
	}
	now, late := r.present()
	if t > now+1000 { // a comment's moment is at most a second ahead
		return nil, false, errNotYet
	}
	r.shelf.mu.Lock()
	defer r.shelf.mu.Unlock()
	r.catchUp()
	v, known := r.shelf.rows.View(t)
	if !known {
		return nil, false, errNoSegment
	}
	return v, t+segment.Length+late > now, nil
}
