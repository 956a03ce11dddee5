package chat

import (
	"cmp"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"barrage/internal/safehttp"
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
}

func newDoor(h *Hub, clientAddr func(*http.Request) netip.Addr) *door {
	d := &door{hub: h, mux: http.NewServeMux(), clientAddr: clientAddr}
	if d.clientAddr == nil {
		d.clientAddr = safehttp.NewClients(nil).Addr
	}
	d.upgrader = websocket.Upgrader{
		HandshakeTimeout: 5 * time.Second,
		Subprotocols:     []string{Subprotocol},
		// Small, so that no connection keeps the 4 KiB of net/http for ever; for
		// writing only during the handshake.
		ReadBufferSize: 256, WriteBufferSize: 256, WriteBufferPool: &sync.Pool{},
		CheckOrigin: d.allowed,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			h.metrics.refused.WithLabelValues(refuseUpgrade).Inc()
			safehttp.WriteError(w, status, "bad_handshake", reason.Error())
		},
	}
	d.mux.HandleFunc("GET /chat/v1/rooms/{room}/ws", d.socket)
	d.mux.HandleFunc("GET /chat/v1/rooms", d.rooms)
	d.mux.HandleFunc("GET /chat/v1/rooms/{room}/segments/{file}", d.segment)
	d.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		safehttp.WriteError(w, http.StatusNotFound, "not_found", "there is nothing at this address")
	})
	return d
}

// socket turns a request into a subscriber.
func (d *door) socket(w http.ResponseWriter, r *http.Request) {
	h := d.hub
	name := r.PathValue("room")
	if slug.Check(name) != nil {
		d.refuse(w, errRoomName)
		return
	}
	// A browser attaches cookies and the visitor's address to a WebSocket of
	// any page: the origin is the only sign of whose page it is.
	if !d.allowed(r) {
		d.refuse(w, errOrigin)
		return
	}
	addr := group(d.clientAddr(r))
	turn, err := h.admit(addr)
	if err != nil {
		d.refuse(w, err)
		return
	}
	var rm *room // of who may enter now
	if turn == 0 {
		if rm, err = h.enter(name); err != nil {
			h.dismiss(addr)
			d.refuse(w, err)
			return
		}
	}
	gone := func() {
		if rm != nil {
			h.leave(rm)
		}
		h.dismiss(addr)
	}
	below := &line{}
	conn, err := d.upgrader.Upgrade(hijacker{w, below}, r, nil)
	if err != nil { // answered by upgrader.Error
		gone()
		return
	}
	conn.SetCloseHandler(below.answerClose(conn))
	s := newSubscriber(h, rm, conn, d.clientAddr(r))
	s.line = below
	if rm == nil {
		// A page sees nothing of an answer to its upgrade, but it hears a bye.
		s.close(byeBusy(turn))
	}
	if err = h.employ(s, gone); err != nil { //nolint:contextcheck // a subscriber outlives its request
		s.hangUp()
		gone()
	}
}

// refuse answers who may not come in.
func (d *door) refuse(w http.ResponseWriter, reason error) {
	status, label, code := refusal(reason)
	d.hub.metrics.refused.WithLabelValues(label).Inc()
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(5+rand.IntN(25))) //nolint:gosec // jitter, not a secret
		w.Header().Set("Connection", "close")                        // it is one descriptor more
	}
	safehttp.WriteError(w, status, code, reason.Error())
}

// refusal is the one table from errors of entering to HTTP.
func refusal(err error) (status int, label, code string) {
	switch {
	case errors.Is(err, errRoomName):
		return http.StatusNotFound, refuseRoom, "no_such_room"
	case errors.Is(err, errOrigin):
		return http.StatusForbidden, refuseOrigin, "origin_not_allowed"
	case errors.Is(err, errAddress):
		return http.StatusTooManyRequests, refuseAddr, "too_many_connections"
	case errors.Is(err, errRooms):
		return http.StatusServiceUnavailable, refuseRooms, "too_many_rooms"
	case errors.Is(err, errCrowded):
		return http.StatusServiceUnavailable, refuseCrowded, "crowded"
	case errors.Is(err, errStopping):
		return http.StatusServiceUnavailable, refuseStopping, "stopping"
	default: // Options.Full
		return http.StatusServiceUnavailable, refuseFull, "full"
	}
}

// allowed reports whether the page that asks may use chat: one of the same
// host, one of an allowed origin, or something that is no page at all.
func (d *door) allowed(r *http.Request) bool {
	return safehttp.AllowOrigin(r, d.hub.cfg.AllowedOrigins)
}

// share lets pages of the allowed origins read the answer.
func (d *door) share(w http.ResponseWriter, r *http.Request) {
	if slices.Contains(d.hub.cfg.AllowedOrigins, "*") {
		w.Header().Set("Access-Control-Allow-Origin", "*") // one answer for all of them
		return
	}
	w.Header().Add("Vary", "Origin")
	// The origin is only ever echoed when it may ask, and never with credentials.
	if origin := r.Header.Get("Origin"); origin != "" && d.allowed(r) {
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
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// Whoever no longer listens cannot be told more.
	_ = json.NewEncoder(w).Encode(map[string]any{"rooms": list})
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
