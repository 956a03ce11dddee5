package ingest

import (
	"barrage/ingest/certs"

	"github.com/prometheus/client_golang/prometheus"
)

// healthMetrics says how all publishers are doing when it is asked. Rooms have
// no series of their own: there are as many as codes.
type healthMetrics struct {
	server   *Server
	warnings *prometheus.GaugeVec
	lag      prometheus.Gauge
	drift    prometheus.Gauge
	gop      prometheus.Gauge
	rtt      prometheus.Gauge
}

// collectors are the metrics that are computed when they are asked for.
func (s *Server) collectors() []prometheus.Collector {
	warnings := prometheus.NewGaugeVec(
		prometheus.GaugeOpts(name("publisher_warnings", "Publishers that need attention now, by warning.")), []string{"code"})
	return []prometheus.Collector{certificateEnd(s.certs), &healthMetrics{
		server:   s,
		warnings: warnings,
		lag:      gauge("worst_lag_seconds", "How far the slowest publisher is behind real time."),
		drift:    gauge("worst_av_drift_seconds", "How far sound and picture are apart at the worst publisher."),
		gop:      gauge("worst_gop_seconds", "The longest time between sync samples of any publisher."),
		rtt:      gauge("worst_rtt_seconds", "The longest round trip to any publisher."),
	}}
}

// certificateEnd lets alerts come before encoders are refused. p is nil when RTMPS is off.
func certificateEnd(p *certs.Pair) prometheus.Collector {
	return prometheus.NewGaugeFunc(
		prometheus.GaugeOpts(name("certificate_expiry_timestamp_seconds", "When the certificate of RTMPS ends, in seconds since the Unix epoch; 0 while RTMPS is off.")),
		func() float64 {
			if p == nil {
				return 0
			}
			return float64(p.Leaf().NotAfter.Unix())
		})
}

func (m *healthMetrics) parts() []prometheus.Collector {
	return []prometheus.Collector{m.warnings, m.lag, m.drift, m.gop, m.rtt}
}

// Describe implements prometheus.Collector.
func (m *healthMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, part := range m.parts() {
		part.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (m *healthMetrics) Collect(out chan<- prometheus.Metric) {
	counts := map[string]int{}
	var lag, drift, gop, rtt float64
	now := m.server.now()
	for _, p := range m.server.rooms.all() {
		h := p.monitor.snapshot(now)
		for _, w := range h.Warnings {
			counts[w.Code]++
		}
		lag = max(lag, float64(h.Lag)/1000)
		drift = max(drift, float64(h.AVDrift)/1000, -float64(h.AVDrift)/1000)
		rtt = max(rtt, h.RTT/1000)
		if h.Video != nil {
			gop = max(gop, h.Video.GOPSeconds)
		}
	}
	for _, code := range warningCodes() {
		m.warnings.WithLabelValues(code).Set(float64(counts[code]))
	}
	m.lag.Set(lag)
	m.drift.Set(drift)
	m.gop.Set(gop)
	m.rtt.Set(rtt)
	for _, part := range m.parts() {
		part.Collect(out)
	}
}
