package ingest

import (
	"errors"
	"fmt"

	"barrage/ingest/guard"
	"barrage/packager/media"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the package's own numbers. Every label value comes from a set
// that is closed at compile time.
type metrics struct {
	connections prometheus.Gauge
	publishers  prometheus.Gauge
	bytes       prometheus.Counter
	takeovers   prometheus.Counter
	acceptErrs  prometheus.Counter
	rejected    *prometheus.CounterVec // reason: connections closed at once
	publishes   *prometheus.CounterVec // result
	ended       *prometheus.CounterVec // reason: connections that were admitted
	video       prometheus.Counter     // samples, as audio
	audio       prometheus.Counter
	dropped     *prometheus.CounterVec // reason
	ignored     []prometheus.Counter   // by guard.Drop
}

// Label values of rejected.
const (
	rejectLimit   = "limit"   // all connections together
	rejectAddress = "address" // not yet publishing, from one address
)

// Label values of publishes.
const (
	resultAccepted = "accepted"
	resultDenied   = "denied"   // the key
	resultBusy     = "busy"     // the room could not be had
	resultRejected = "rejected" // what is sent is not carried
)

// Label values of dropped.
const (
	dropMalformed = "malformed"
	dropNoConfig  = "no_config" // before the decoder configuration
	dropEmpty     = "empty"     // no picture, no bytes
	dropTrack     = "track"     // a second track of its kind
)

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		connections: gauge("connections", "RTMP connections open now."),
		publishers:  gauge("publishers", "Publishers that hold a room now."),
		bytes:       counter("received_bytes_total", "Bytes received from RTMP clients."),
		takeovers:   counter("takeovers_total", "Publishers that took over a room from another connection."),
		acceptErrs:  counter("accept_errors_total", "Failed accepts; the open-file limit is the usual cause."),
		rejected: counters("connections_rejected_total", "Connections closed at once, by the bound they met.", "reason",
			rejectLimit, rejectAddress),
		publishes: counters("publishes_total", "Publish requests by result; rejected ones were accepted before.", "result",
			resultAccepted, resultDenied, resultBusy, resultRejected),
		ended: counters("connections_ended_total", "Connections that ended, by reason.", "reason", endReasons()...),
		dropped: counters("samples_dropped_total", "Messages that became no sample, by reason.", "reason",
			dropMalformed, dropNoConfig, dropEmpty, dropTrack),
	}
	samples := counters("samples_total", "Access units handed to the packager.", "kind")
	m.video, m.audio = samples.WithLabelValues(media.Video.String()), samples.WithLabelValues(media.Audio.String())
	ignored := counters("messages_ignored_total", "RTMP messages that meant nothing to this server, by reason.", "reason")
	for _, d := range guard.Drops() {
		m.ignored = append(m.ignored, ignored.WithLabelValues(d.String()))
	}
	return m, register(reg, m.connections, m.publishers, m.bytes, m.takeovers, m.acceptErrs,
		m.rejected, m.publishes, m.ended, samples, m.dropped, ignored)
}

// register adds cs to reg, which may be nil.
func register(reg prometheus.Registerer, cs ...prometheus.Collector) error {
	if reg == nil {
		return nil
	}
	var errs []error
	for _, c := range cs {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

// ignore counts what a guard left out.
func (m *metrics) ignore(d guard.Drop) { m.ignored[d].Inc() }

func name(n, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "barrage", Subsystem: "ingest", Name: n, Help: help}
}

func gauge(n, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts(name(n, help)))
}

func counter(n, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts(name(n, help)))
}

// counters touches every value, so that each reads 0 before it happens.
func counters(n, help, label string, values ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts(name(n, help)), []string{label})
	for _, value := range values {
		v.WithLabelValues(value)
	}
	return v
}
