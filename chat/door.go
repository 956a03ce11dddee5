package chat

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"barrage/internal/slug"

	"github.com/gorilla/websocket"
)

// Subprotocol is the WebSocket subprotocol of protocol v1.
const Subprotocol = "barrage.v1"

// door is the HTTP side of a hub: who may come in.
type door struct {
	hub        *Hub
	mux        *http.ServeMux
	clientAddr func(*http.Request) netip.Addr
	upgrader   websocket.Upgrader
	origins    []string // lower case
}

func newDoor(h *Hub, clientAddr func(*http.Request) netip.Addr) *door {
	d := &door{hub: h, mux: http.NewServeMux(), clientAddr: clientAddr}
	if d.clientAddr == nil {
		d.clientAddr = peerAddr
	}
	for _, o := range h.cfg.AllowedOrigins {
		d.origins = append(d.origins, strings.ToLower(o))
	}
	d.upgrader = websocket.Upgrader{
		HandshakeTimeout: 5 * time.Second,
		Subprotocols:     []string{Subprotocol},
		// Small and pooled: without the pool each connection keeps the 4 KiB
		// buffers of net/http for ever.
		ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{},
		CheckOrigin: d.allowed,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			h.metrics.refused.WithLabelValues(refuseUpgrade).Inc()
			writeError(w, status, "bad_handshake", reason.Error())
		},
	}
	d.mux.HandleFunc("GET /chat/v1/rooms/{room}/ws", d.socket)
	d.mux.HandleFunc("GET /chat/v1/rooms", d.rooms)
	d.mux.HandleFunc("GET /chat/v1/rooms/{room}/segments/{file}", d.segment)
	d.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusNotFound, "not_found", "there is nothing at this address")
	})
	return d
}

// socket turns a request into a subscriber.
func (d *door) socket(w http.ResponseWriter, r *http.Request) {
	h := d.hub
	refuse := func(status int, label, code string, err error) {
		h.metrics.refused.WithLabelValues(label).Inc()
		writeError(w, status, code, err.Error())
	}
	name := r.PathValue("room")
	if err := slug.Check(name); err != nil {
		refuse(http.StatusNotFound, refuseRoom, "no_such_room", err)
		return
	}
	// A browser attaches cookies and the visitor's address to a WebSocket of
	// any page: the origin is the only sign of whose page it is.
	if !d.allowed(r) {
		refuse(http.StatusForbidden, refuseOrigin, "origin_not_allowed",
			errors.New("pages of this origin may not use chat; chat.allowed_origins lists those that may"))
		return
	}
	addr := group(d.clientAddr(r))
	if err := h.admit(addr); err != nil {
		status, label, code := refusal(err)
		refuse(status, label, code, err)
		return
	}
	rm, err := h.enter(name)
	if err != nil {
		h.dismiss(addr)
		status, label, code := refusal(err)
		refuse(status, label, code, err)
		return
	}
	gone := func() {
		h.leave(rm)
		h.dismiss(addr)
	}
	conn, err := d.upgrader.Upgrade(w, r, nil)
	if err != nil { // answered by upgrader.Error
		gone()
		return
	}
	s := newSubscriber(rm, conn, d.clientAddr(r))
	if err = h.employ(s, gone); err != nil {
		s.hangUp()
		gone()
	}
}

// refusal is the one table from errors of entering to HTTP.
func refusal(err error) (status int, label, code string) {
	switch {
	case errors.Is(err, errAddress):
		return http.StatusTooManyRequests, refuseAddr, "too_many_connections"
	case errors.Is(err, errRooms):
		return http.StatusServiceUnavailable, refuseRooms, "too_many_rooms"
	default:
		return http.StatusServiceUnavailable, refuseStopping, "stopping"
	}
}

// allowed reports whether the page that asks may use chat: one of the same
// host, one of an allowed origin, or something that is no page at all.
func (d *door) allowed(r *http.Request) bool {
	origin := strings.ToLower(r.Header.Get("Origin"))
	if origin == "" || d.listed(origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

func (d *door) listed(origin string) bool {
	return slices.Contains(d.origins, "*") || slices.Contains(d.origins, origin)
}

// share lets pages of the allowed origins read the answer.
func (d *door) share(w http.ResponseWriter, r *http.Request) {
	if slices.Contains(d.origins, "*") {
		w.Header().Set("Access-Control-Allow-Origin", "*") // one answer for all of them
		return
	}
	w.Header().Add("Vary", "Origin")
	// The origin is only ever echoed from the list, and never with credentials.
	if origin := r.Header.Get("Origin"); origin != "" && d.listed(strings.ToLower(origin)) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
	}
}

// rooms lists the rooms open on this node with their viewers on all nodes.
func (d *door) rooms(w http.ResponseWriter, r *http.Request) {
	type item struct {
		Room    string `json:"room"`
		Viewers int    `json:"viewers"`
	}
	list := []item{}
	for _, rm := range d.hub.openRooms() {
		list = append(list, item{rm.name, rm.viewers()})
	}
	slices.SortFunc(list, func(a, b item) int { return cmp.Compare(a.Room, b.Room) })
	d.share(w, r)
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, map[string]any{"rooms": list})
}

func writeError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The status is out: whoever no longer listens cannot be told more.
	_ = json.NewEncoder(w).Encode(v)
}

func peerAddr(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// group is what counts as one address: a household has a whole IPv6 /64.
func group(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
