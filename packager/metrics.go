package packager

import (
	"fmt"
	"time"

	"barrage/packager/media"
	"barrage/packager/timeline"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of all streams; nothing is labelled by room.
type metrics struct {
	visible         prometheus.Histogram
	streams         *prometheus.GaugeVec
	segments        *prometheus.CounterVec
	parts           *prometheus.CounterVec
	discontinuities *prometheus.CounterVec
	forced          prometheus.Counter
	gop             prometheus.Histogram
	dropped         *prometheus.CounterVec
	shed            prometheus.Counter
	renderErrors    prometheus.Counter
}

// Reasons of a discontinuity.
const (
	reasonJump    = "jump"
	reasonConfig  = "config"
	reasonPublish = "reconnect"
)

func newMetrics(reg prometheus.Registerer, b *budget) (*metrics, error) {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "barrage", Subsystem: "packager", Name: name, Help: help}
	}
	hist := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "barrage", Subsystem: "packager", Name: name, Help: help, Buckets: buckets})
	}
	gauge := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts(name, help)), func() float64 { return float64(value()) })
	}
	counter := func(name, help string, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), []string{label})
	}
	m := &metrics{
		visible:         hist("part_visible_seconds", "From the arrival of the last sample of a part to its being in the playlist.", prometheus.ExponentialBuckets(0.00005, 2.5, 12)),
		streams:         prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("streams", "Streams by phase.")), []string{"phase"}),
		segments:        counter("segments_total", "Segments completed.", "kind"),
		parts:           counter("parts_total", "Parts published.", "kind"),
		discontinuities: counter("discontinuities_total", "Discontinuities in the media.", "reason"),
		forced:          prometheus.NewCounter(prometheus.CounterOpts(opts("forced_cuts_total", "Segments ended without a sync sample, because the GOP is too long."))),
		gop:             hist("gop_seconds", "Distance between sync samples of video.", []float64{0.5, 1, 2, 3, 4, 6, 8, 10, 20}),
		dropped:         counter("dropped_samples_total", "Samples that could not be placed.", "reason"),
		shed:            prometheus.NewCounter(prometheus.CounterOpts(opts("shed_segments_total", "Segments dropped early to stay under window_bytes."))),
		renderErrors:    prometheus.NewCounter(prometheus.CounterOpts(opts("render_errors_total", "Playlists or init sections that could not be written."))),
	}
	for _, c := range []prometheus.Collector{
		gauge("window_bytes", "Media kept in memory.", b.held.Load),
		gauge("window_bytes_needed", "What the media of the live rooms will take once their windows are full.", b.needed.Load),
		gauge("window_bytes_limit", "What the media of all rooms may take together; 0 = no limit.", func() int64 { return b.limit }),
		m.visible, m.streams, m.segments, m.parts, m.discontinuities, m.forced, m.gop, m.dropped, m.shed, m.renderErrors,
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register packager metrics: %w", err)
		}
	}
	m.touch()
	return m, nil
}

func (m *metrics) touch() {
	for _, p := range []Phase{PhaseStarting, PhaseLive, PhaseAway, PhaseEnded} {
		m.streams.WithLabelValues(string(p))
	}
	for _, k := range []media.Kind{media.Video, media.Audio} {
		m.segments.WithLabelValues(k.String())
		m.parts.WithLabelValues(k.String())
	}
	for _, r := range []string{reasonJump, reasonConfig, reasonPublish} {
		m.discontinuities.WithLabelValues(r)
	}
	for _, v := range []timeline.Verdict{timeline.DropEarly, timeline.DropStray, timeline.DropExcess} {
		m.dropped.WithLabelValues(dropReason(v))
	}
}

func dropReason(v timeline.Verdict) string {
	switch v {
	case timeline.DropStray:
		return "stray"
	case timeline.DropExcess:
		return "excess"
	default:
		return "early"
	}
}

// moved counts a stream from one phase into another.
func (m *metrics) moved(from, to Phase) {
	if from != PhaseOffline {
		m.streams.WithLabelValues(string(from)).Dec()
	}
	if to != PhaseOffline {
		m.streams.WithLabelValues(string(to)).Inc()
	}
}

func (m *metrics) sawPart(k media.Kind, took time.Duration) {
	m.parts.WithLabelValues(k.String()).Inc()
	if took >= 0 {
		m.visible.Observe(took.Seconds())
	}
}
