package app

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"barrage/cmd/barrage/app/cards"
	"barrage/ingest"
	"barrage/internal/safehttp"
	"barrage/internal/slug"
	"barrage/internal/token"
	"barrage/packager"
)

// room is one room in the JSON API. Times are milliseconds, points in time
// since the Unix epoch.
type room struct {
	Room    string         `json:"room"`
	Phase   packager.Phase `json:"phase"`
	Session string         `json:"session,omitempty"`
	Epoch   string         `json:"epoch,omitempty"`
	Since   int64          `json:"since,omitempty"`   // when the phase began
	PDT     int64          `json:"pdt,omitempty"`     // program date time of the newest sample
	PDTNow  int64          `json:"pdt_now,omitempty"` // the same for Now, steady: pages steer to PDTNow - Latency
	Now     int64          `json:"now"`
	Latency int64          `json:"latency,omitempty"` // how far behind PDT players aim to be
	Window  int64          `json:"window,omitempty"`  // what can be seeked back to
	Players int            `json:"players"`           // HLS players that are not our page: the sum of the next two
	Exact   int            `json:"players_exact"`     // those that name their session (CMCD)
	Guessed int            `json:"players_estimated"` // the others, by address and user agent
	HLS     string         `json:"hls"`
	cards.Card
}

// maxCard is what a host may send of a room, in bytes.
const maxCard = 8 << 10

func (a *App) apiHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/rooms", a.listRooms)
	mux.HandleFunc("GET /api/v1/rooms/{room}", a.showRoom)
	mux.Handle("PUT /api/v1/rooms/{room}", a.require(token.RoleHost, a.describeRoom))
	mux.Handle("GET /api/v1/rooms/{room}/ingest", a.require(token.RoleModerator, a.showIngest))
	mux.Handle("GET /api/v1/rooms/{room}/publish", a.require(token.RoleHost, a.showPublish))
	mux.Handle("POST /api/v1/rooms/{room}/kick", a.require(token.RoleHost, a.kick))
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, _ *http.Request) {
		safehttp.WriteError(w, http.StatusNotFound, "not_found", "there is no such address in this API")
	})
	return mux
}

func (a *App) listRooms(w http.ResponseWriter, _ *http.Request) {
	list := struct {
		Rooms []room `json:"rooms"`
	}{[]room{}}
	now := time.Now()
	for _, st := range a.rooms.Statuses() {
		list.Rooms = append(list.Rooms, describe(st, a.cards.Card(st.Room), now))
	}
	writeJSON(w, list)
}

// showRoom answers for any room that could exist: one nobody ever streamed to is offline.
func (a *App) showRoom(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("room")
	if err := slug.Check(name); err != nil {
		safehttp.WriteError(w, http.StatusNotFound, "no_such_room", err.Error())
		return
	}
	writeJSON(w, describe(a.status(name), a.cards.Card(name), time.Now()))
}

// describeRoom keeps what the host says of the room, and answers with the room as
// others see it now: what nobody could read has been taken out.
func (a *App) describeRoom(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("room")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCard))
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		safehttp.WriteError(w, http.StatusRequestEntityTooLarge, "too_long", "title, tags and language have at most 8 KiB together")
		return
	}
	card, err := cards.Parse(body)
	if err != nil {
		safehttp.WriteError(w, http.StatusBadRequest, "bad_card", err.Error())
		return
	}
	if err = a.cards.Put(name, card); err != nil {
		a.logger.Error("room card not kept", "room", name, "err", err)
		safehttp.WriteError(w, http.StatusInternalServerError, "not_kept", "the title could not be kept; the server's log says why")
		return
	}
	writeJSON(w, describe(a.status(name), card, time.Now()))
}

func (a *App) status(name string) packager.Status {
	if stream, ok := a.rooms.Stream(name); ok {
		return stream.Status()
	}
	return packager.Status{Room: name, Phase: packager.PhaseOffline}
}

// showIngest answers how the publisher of a room is doing.
func (a *App) showIngest(w http.ResponseWriter, r *http.Request) {
	health, connected := a.ingest.Health(r.PathValue("room"))
	writeJSON(w, struct {
		Connected bool `json:"connected"`
		ingest.Health
	}{connected, health})
}

// kick closes the connection of a room's publisher. Encoders come back by
// themselves: to keep one away, its key has to be rotated first.
func (a *App) kick(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("room")
	if !a.ingest.Kick(name) {
		safehttp.WriteError(w, http.StatusConflict, "no_publisher", "nobody is publishing in this room")
		return
	}
	a.logger.Info("publisher kicked through the API", "room", name)
	writeJSON(w, map[string]bool{"kicked": true})
}

// showPublish answers what the anchor types into the encoder.
func (a *App) showPublish(w http.ResponseWriter, r *http.Request) {
	key, err := a.streamKey(r.PathValue("room"))
	if err != nil {
		a.logger.Error("stream key not made", "room", r.PathValue("room"), "err", err)
		safehttp.WriteError(w, http.StatusInternalServerError, "no_key", "the stream key could not be made; the server's log says why")
		return
	}
	writeJSON(w, struct {
		Servers []string `json:"servers"`
		Key     string   `json:"key"`
	}{a.links().Servers, key})
}

// streamKey is what the anchor of a room types as the stream key.
func (a *App) streamKey(name string) (string, error) {
	if a.cfg.Ingest.Auth.Mode == ingest.AuthOpen {
		return name, nil
	}
	return a.keys.Mint(name, 0)
}

// require lets only bearers of at least want in the addressed room through.
func (a *App) require(want token.Role, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		claims, err := token.Parse(a.secret, token.UsePerson, text, time.Now())
		switch name := r.PathValue("room"); {
		case slug.Check(name) != nil:
			safehttp.WriteError(w, http.StatusNotFound, "no_such_room", slug.ErrInvalid.Error())
		case !ok || err != nil:
			w.Header().Set("WWW-Authenticate", "Bearer")
			safehttp.WriteError(w, http.StatusUnauthorized, "bad_token",
				"this link is not valid (any more): ask the operator for a new one (barrage token "+name+" -role host)")
		case !claims.Allows(name, want):
			safehttp.WriteError(w, http.StatusForbidden, "forbidden", "this link is for another room or another role")
		default:
			next(w, r)
		}
	})
}

func describe(st packager.Status, card cards.Card, now time.Time) room {
	r := room{
		Room: st.Room, Phase: st.Phase, Session: st.Session, Epoch: st.Epoch, Now: now.UnixMilli(),
		Latency: st.Latency.Milliseconds(), Window: st.Window.Milliseconds(), Players: st.Players.Sum(),
		Exact: st.Players.Exact, Guessed: st.Players.Estimated,
		HLS: "/hls/" + st.Room + "/index.m3u8", Card: card,
	}
	if !st.Since.IsZero() {
		r.Since = st.Since.UnixMilli()
	}
	if !st.PDT.IsZero() {
		r.PDT = st.PDT.UnixMilli()
	}
	if !st.PDTNow.IsZero() {
		r.PDTNow = st.PDTNow.UnixMilli()
	}
	return r
}

func writeJSON(w http.ResponseWriter, v any) { writeStatus(w, http.StatusOK, v) }

func writeStatus(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		safehttp.WriteError(w, http.StatusInternalServerError, "internal", "the answer could not be encoded")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(body) //nolint:gosec // the client may have gone; there is nobody else to tell
}
