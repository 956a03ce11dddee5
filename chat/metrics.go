package chat

import "github.com/prometheus/client_golang/prometheus"

// metrics of one hub. Over all nodes, and when nothing is on its way,
// logged = accepted = shown + combined + rest.
type metrics struct {
	conns    prometheus.Gauge
	rooms    prometheus.Gauge
	degraded prometheus.Gauge

	logged   prometheus.Counter
	accepted prometheus.Counter
	shown    prometheus.Counter
	combined prometheus.Counter
	rest     prometheus.Counter
	rejected *prometheus.CounterVec
	spooled  prometheus.Counter
	restored prometheus.Counter
	waiting  prometheus.Gauge

	archived prometheus.Counter
	doubles  prometheus.Counter
	unkept   prometheus.Gauge

	ticks     prometheus.Counter
	tickBytes prometheus.Histogram
	lateTicks prometheus.Counter
	lostTicks prometheus.Counter
	leads     prometheus.Counter
	append    prometheus.Histogram
	ack       prometheus.Histogram
	closes    *prometheus.CounterVec
	refused   *prometheus.CounterVec
}

// Reasons for which an upgrade is refused, as labels.
const (
	refuseOrigin   = "origin"
	refuseRoom     = "room"
	refuseAddr     = "address_limit"
	refuseRooms    = "room_limit"
	refuseCrowded  = "crowded"
	refuseFull     = "full"
	refuseStopping = "stopping"
	refuseUpgrade  = "handshake"
)

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "barrage_chat_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "barrage_chat_" + name, Help: help})
	}
	vec := func(name, help, label string, values ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "barrage_chat_" + name, Help: help}, []string{label})
		for _, value := range values {
			v.WithLabelValues(value)
		}
		return v
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "barrage_chat_" + name, Help: help, Buckets: buckets})
	}
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	m := &metrics{
		conns:     gauge("connections", "WebSockets open on this node."),
		rooms:     gauge("rooms", "Rooms open on this node."),
		degraded:  gauge("degraded_rooms", "Rooms that the broker cannot serve now."),
		logged:    counter("comments_logged_total", "Comments this node has put into the log."),
		accepted:  counter("comments_accepted_total", "Comments counted in ticks that this node led."),
		shown:     counter("comments_shown_total", "Comments shown in ticks that this node led."),
		combined:  counter("comments_combined_total", "Comments counted in combos of ticks that this node led."),
		rest:      counter("comments_rest_total", "Comments only counted in ticks that this node led."),
		rejected:  vec("comments_rejected_total", "Comments not taken.", "reason", rejectReasons()...),
		spooled:   counter("comments_spooled_total", "Comments kept on this node's disk because the broker did not take them."),
		restored:  counter("comments_restored_total", "Comments logged again because the broker had lost them."),
		waiting:   gauge("spool_bytes", "Comments on this node's disk that wait for the broker."),
		archived:  counter("comments_archived_total", "Comments this node has put on disk."),
		doubles:   counter("comments_double_total", "Comments not put on disk, because they were there already."),
		unkept:    gauge("unarchived_rooms", "Rooms whose comments this node cannot put on disk now."),
		ticks:     counter("ticks_total", "Ticks delivered to subscribers of this node's rooms."),
		tickBytes: histogram("tick_bytes", "Size of a tick as sent to a subscriber.", prometheus.ExponentialBuckets(64, 2, 12)),
		lateTicks: counter("ticks_late_total", "Ticks that were read from the log because they were missed, or because a room was opened."),
		lostTicks: counter("ticks_lost_total", "Ticks that never reached this node."),
		leads:     counter("leaderships_total", "Times this node became the tick leader of a room."),
		append:    histogram("append_seconds", "Time to log a batch and publish its partial.", seconds),
		ack:       histogram("ack_seconds", "Time from reading a comment to its ack.", seconds),
		closes:    vec("closes_total", "WebSockets closed after hello or refused at it.", "reason", closeReasons()...),
		refused: vec("refused_total", "WebSocket upgrades refused.", "reason",
			refuseOrigin, refuseRoom, refuseAddr, refuseRooms, refuseCrowded, refuseFull, refuseStopping, refuseUpgrade),
	}
	for _, c := range []prometheus.Collector{
		m.conns, m.rooms, m.degraded, m.logged, m.accepted, m.shown, m.combined, m.rest, m.rejected,
		m.spooled, m.restored, m.waiting, m.archived, m.doubles, m.unkept,
		m.ticks, m.tickBytes, m.lateTicks, m.lostTicks, m.leads, m.append, m.ack, m.closes, m.refused,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
