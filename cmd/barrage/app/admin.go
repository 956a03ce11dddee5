package app

import (
	"errors"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"barrage/internal/safehttp"
)

// adminHandler serves operators: metrics, health, readiness and profiles.
func (a *App) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{Registry: a.metrics}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]bool{"alive": true}) })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("/debug/pprof/", loopbackOnly(http.HandlerFunc(pprof.Index)))
	mux.Handle("/debug/pprof/profile", loopbackOnly(http.HandlerFunc(pprof.Profile)))
	mux.Handle("/debug/pprof/trace", loopbackOnly(http.HandlerFunc(pprof.Trace)))
	return mux
}

// ready answers 200 as long as this process can do its work. What is worse than
// it should be but does not stop it, such as a lost Redis, is listed as degraded.
func (a *App) ready(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Ready    bool     `json:"ready"`
		Problems []string `json:"problems,omitempty"`
		Degraded []string `json:"degraded,omitempty"`
	}{Ready: true}
	if err := writable(a.cfg.StateDir); err != nil {
		answer.Ready = false
		answer.Problems = append(answer.Problems, "state_dir: "+err.Error())
	}
	if a.hub != nil {
		if reason, degraded := a.hub.Degraded(); degraded {
			answer.Degraded = append(answer.Degraded, "chat: "+reason)
		}
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeStatus(w, status, answer)
}

// writable reports whether files can be made in dir.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".ready-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// loopbackOnly refuses clients of other machines: profiles show memory.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !peer.Addr().Unmap().IsLoopback() {
			safehttp.WriteError(w, http.StatusForbidden, "loopback_only", "profiles are served to clients on this machine only")
			return
		}
		next.ServeHTTP(w, r)
	})
}
