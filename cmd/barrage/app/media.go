package app

import (
	"fmt"
	"net/http"
	"time"

	"barrage/ingest"
	"barrage/internal/safehttp"
	"barrage/packager"
	"barrage/packager/origin"
	"barrage/web"
)

// drainLimit is how long running requests may go on once the server stops.
const drainLimit = 3 * time.Second

// addMedia builds video, the page and the room API.
func (a *App) addMedia(mux *http.ServeMux, clients *safehttp.Clients, build Build) (err error) {
	cfg := a.cfg.Packager
	if cfg.TotalBytes == 0 {
		cfg.TotalBytes = mediaBound()
	}
	a.rooms, err = packager.New(cfg, packager.Options{
		Logger: build.Logger, Registerer: a.metrics, Grace: a.cfg.Ingest.Grace, Records: a.records,
	})
	if err != nil {
		return err
	}
	a.hls, err = origin.New(a.rooms, origin.Options{Logger: build.Logger, Registerer: a.metrics, ClientAddr: clients.Addr})
	if err != nil {
		return err
	}
	pages, err := web.New(a.cfg.Web, web.Options{
		Logger: build.Logger, PublicURL: a.cfg.HTTP.PublicURL, Card: func(room string) web.Card { return web.Card(a.cards.Card(room)) },
	})
	if err != nil {
		return err
	}
	if err = a.firstRoom(); err != nil {
		return err
	}
	a.ingest, err = ingest.New(a.cfg.Ingest, ingest.Options{
		Logger: build.Logger, Registerer: a.metrics, Keys: a.keys,
		Attach:  func(room string) (ingest.Sink, error) { return a.rooms.Attach(room) },
		Session: func(room string) string { return a.status(room).Session },
	})
	if err != nil {
		return explainIngest(err)
	}
	a.addrs.RTMP = a.ingest.Addr().String()
	if addr := a.ingest.SecureAddr(); addr != nil {
		a.addrs.RTMPS = addr.String()
	}

	mux.Handle("/hls/", a.hls)
	mux.Handle("/api/v1/", a.apiHandler())
	mux.Handle("/", pages)
	return nil
}

// firstRoom gives a new server the room everybody starts with.
func (a *App) firstRoom() error {
	if len(a.keys.Rooms()) > 0 {
		return nil
	}
	if _, err := a.keys.Mint(firstRoom, 0); err != nil {
		return fmt.Errorf("create room %s: %w", firstRoom, err)
	}
	return nil
}

const firstRoom = "live"
