package redisbroker

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The commands, as metrics and errors name them.
const (
	cmdPublish   = "publish"
	cmdSubscribe = "subscribe"
	cmdAppend    = "append"
	cmdTail      = "tail"
	cmdRead      = "read"
	cmdTrim      = "trim"
	cmdLead      = "lead"
	cmdAdvance   = "advance"
	cmdTicks     = "ticks"
	cmdResign    = "resign"
	cmdRules     = "rules"
	cmdSetRules  = "set_rules"
	cmdPutState  = "put_state"
	cmdState     = "state"
)

// metrics are what an operator sees of Redis from here.
type metrics struct {
	seconds    *prometheus.HistogramVec
	failures   *prometheus.CounterVec
	reconnects prometheus.Counter
	foreign    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, links []*link) (*metrics, error) {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "barrage_redisbroker_command_seconds",
			Help:    "Time of one round trip to Redis, failed ones included.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2},
		}, []string{"command"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "barrage_redisbroker_command_errors_total",
			Help: "Commands that failed, those refused while Redis is known to be away included.",
		}, []string{"command"}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "barrage_redisbroker_reconnects_total",
			Help: "Pub/sub connections that were lost after they had worked.",
		}),
		foreign: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "barrage_redisbroker_foreign_messages_total",
			Help: "Messages on the rooms' channels that no barrage of this version sends.",
		}),
	}
	for _, command := range []string{
		cmdPublish, cmdSubscribe, cmdAppend, cmdTail, cmdRead, cmdTrim,
		cmdLead, cmdAdvance, cmdTicks, cmdResign, cmdRules, cmdSetRules, cmdPutState, cmdState,
	} {
		m.seconds.WithLabelValues(command)
		m.failures.WithLabelValues(command)
	}
	if reg == nil {
		return m, nil
	}
	err := errors.Join(
		reg.Register(m.seconds), reg.Register(m.failures), reg.Register(m.reconnects), reg.Register(m.foreign),
		reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "barrage_redisbroker_up",
			Help: "1 while heartbeats come back through Redis pub/sub, on a cluster through every partition.",
		}, func() float64 {
			if down(links) > 0 {
				return 0
			}
			return 1
		})),
		reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "barrage_redisbroker_links_down",
			Help: "Pub/sub connections (one, or one for each of a cluster's 16 partitions) through which no heartbeat comes back.",
		}, func() float64 { return float64(down(links)) })),
		reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "barrage_redisbroker_probe_age_seconds",
			Help: "Time since a heartbeat came back through Redis pub/sub, or since the start; on a cluster the longest.",
		}, func() float64 {
			var oldest time.Duration
			for _, l := range links {
				oldest = max(oldest, l.heart.age())
			}
			return oldest.Seconds()
		})),
	)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) observe(command string, begin time.Time, err error) {
	m.seconds.WithLabelValues(command).Observe(time.Since(begin).Seconds())
	if err != nil {
		m.failures.WithLabelValues(command).Inc()
	}
}
