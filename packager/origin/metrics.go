package origin

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Kinds of resources, the label of the metrics.
const (
	kindIndex    = "index"
	kindPlaylist = "playlist"
	kindInit     = "init"
	kindSegment  = "segment"
	kindPart     = "part"
	kindOther    = "other"
)

// What became of a blocked reload.
const (
	blockedServed  = "served"  // the part came
	blockedAway    = "away"    // the publisher is away: the playlist as it is
	blockedTimeout = "timeout" // nothing came for three target durations
	blockedGone    = "gone"    // the client left
	blockedFull    = "full"    // too many are waiting
)

// statusGone is what a request counts as whose client has left: nothing is sent.
const statusGone = 499

type metrics struct {
	requests *prometheus.CounterVec
	sent     *prometheus.CounterVec
	blocked  *prometheus.CounterVec
	waiting  prometheus.Gauge

	// What nearly every request needs, found once.
	of   map[string]series
	held map[string]prometheus.Counter // by outcome
}

// series are the counters of one kind of resource.
type series struct{ found, missing, sent prometheus.Counter }

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "barrage", Subsystem: "origin", Name: name, Help: help}
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(opts("requests_total", "Requests by kind of resource and status."), []string{"kind", "code"}),
		sent:     prometheus.NewCounterVec(opts("sent_bytes_total", "Bytes of bodies handed to the network."), []string{"kind"}),
		blocked:  prometheus.NewCounterVec(opts("blocked_requests_total", "Requests that waited, by outcome."), []string{"outcome"}),
		waiting:  prometheus.NewGauge(prometheus.GaugeOpts(opts("waiting_requests", "Requests that wait now."))),
	}
	for _, c := range []prometheus.Collector{m.requests, m.sent, m.blocked, m.waiting} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register origin metrics: %w", err)
		}
	}
	m.of, m.held = map[string]series{}, map[string]prometheus.Counter{}
	for _, k := range []string{kindIndex, kindPlaylist, kindInit, kindSegment, kindPart, kindOther} {
		m.of[k] = series{m.requests.WithLabelValues(k, "200"), m.requests.WithLabelValues(k, "404"), m.sent.WithLabelValues(k)}
	}
	for _, o := range []string{blockedServed, blockedAway, blockedTimeout, blockedGone, blockedFull} {
		m.held[o] = m.blocked.WithLabelValues(o)
	}
	return m, nil
}

// answered counts a request.
func (m *metrics) answered(kind string, status, sent int) {
	s := m.of[kind]
	switch status {
	case http.StatusOK:
		s.found.Inc()
	case http.StatusNotFound:
		s.missing.Inc()
	default:
		m.requests.WithLabelValues(kind, strconv.Itoa(status)).Inc()
	}
	if sent > 0 {
		s.sent.Add(float64(sent))
	}
}
