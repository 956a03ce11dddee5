package ingest

import (
	"math"
	"sync"
	"time"

	"barrage/packager/media"
)

// Health is how a room's publisher is doing, as the studio shows it.
type Health struct {
	ConnectedAt int64        `json:"connected_at,omitempty"` // milliseconds since the Unix epoch
	Remote      string       `json:"remote,omitempty"`
	Client      string       `json:"client,omitempty"` // the encoder's name for itself
	Video       *VideoHealth `json:"video,omitempty"`
	Audio       *AudioHealth `json:"audio,omitempty"`
	Bitrate     int          `json:"bitrate"` // bits per second over the last 5 s
	Warnings    []Warning    `json:"warnings"`
	Refused     *Refusal     `json:"refused,omitempty"` // why the last attempt failed, while nobody publishes
}

// VideoHealth describes the video track.
type VideoHealth struct {
	Codec      string  `json:"codec"`
	Width      int     `json:"width"`
	Height     int     `json:"height"`
	FPS        float64 `json:"fps"`         // measured
	GOPSeconds float64 `json:"gop_seconds"` // between the last two sync samples, or since the last one if that is longer
}

// AudioHealth describes the audio track.
type AudioHealth struct {
	Codec      string `json:"codec"`
	SampleRate int    `json:"sample_rate"`
	Channels   int    `json:"channels"`
}

// Codes of warnings. They are stable: pages and alerts switch on them.
const (
	WarnGOPTooLong = "GOP_TOO_LONG" // value: seconds between sync samples
	WarnNoVideo    = "NO_VIDEO"
	WarnNoAudio    = "NO_AUDIO"
	WarnBitrateLow = "BITRATE_LOW" // value: bits per second that arrive
)

// Severities of warnings.
const (
	SeverityInfo     = "info" // may be meant so
	SeverityWarning  = "warning"
	SeverityCritical = "critical"
)

// Warning is one thing an anchor should look at.
type Warning struct {
	Code     string  `json:"code"`
	Severity string  `json:"severity"`
	Value    float64 `json:"value,omitempty"`
}

// Refusal is why a publisher was turned away.
type Refusal struct {
	At     int64  `json:"at"`     // milliseconds since the Unix epoch
	Code   string `json:"code"`   // NetStream.Publish.…
	Reason string `json:"reason"` // the sentence the encoder was sent
	Remote string `json:"remote"`
}

// Thresholds of warnings.
const (
	gopWarning   = 4.0 // seconds: latency grows by as much
	gopCritical  = 8.0
	trackMissing = 5 * time.Second
	lowShare     = 0.25 // of the bitrate that the encoder promised
	lowAfter     = 10 * time.Second
	rateSeconds  = 5
)

// monitor measures a publisher. The publisher's read goroutine writes, anybody
// takes a snapshot.
type monitor struct {
	mu     sync.Mutex
	start  time.Time
	remote string
	client string
	video  videoMeter
	audio  audioMeter
	rate   rateMeter
	// promised is the bitrate of onMetaData, 0 = not promised
	promised int
}

type videoMeter struct {
	track    *media.Track
	last     time.Time // of the newest sample, received
	dts      int64     // of the newest sample
	sync     int64     // DTS of the newest sync sample
	synced   bool
	gop      int64 // between the last two sync samples
	fps      float64
	fpsFrom  int64 // DTS where the running count began
	fpsCount int
}

type audioMeter struct {
	track *media.Track
	last  time.Time
}

func newMonitor(start time.Time, remote, client string) *monitor {
	return &monitor{start: start, remote: remote, client: client}
}

func (m *monitor) promise(encoder string, bitrate int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if encoder != "" {
		m.client = encoder
	}
	m.promised = bitrate
}

func (m *monitor) setTrack(t media.Track) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.Kind == media.Video {
		m.video.track = &t
		return
	}
	m.audio.track = &t
}

// received counts the bytes of a message and returns the bits per second over
// the last rateSeconds, or 0 before they have passed.
func (m *monitor) received(now time.Time, bytes int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	second := m.second(now)
	m.rate.add(second, bytes)
	if second < rateSeconds {
		return 0
	}
	return m.rate.bits(second)
}

// second numbers the seconds of the connection's life.
func (m *monitor) second(now time.Time) int64 {
	return int64(max(now.Sub(m.start), 0) / time.Second)
}

// sample notes an access unit. It returns the length in seconds of the GOP that
// it ended, or 0.
func (m *monitor) sample(now time.Time, s media.Sample) (gop float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Kind == media.Video {
		return m.video.sample(now, s)
	}
	m.audio.last = now
	return 0
}

func (v *videoMeter) sample(now time.Time, s media.Sample) (gop float64) {
	v.last, v.dts = now, s.DTS
	v.countFrame(s.DTS)
	if !s.Sync {
		return 0
	}
	if v.synced && s.DTS > v.sync {
		v.gop = s.DTS - v.sync
		gop = float64(v.gop) / 1000
	}
	v.sync, v.synced = s.DTS, true
	return gop
}

// fpsWindow is the media time, in milliseconds, over which frames are counted.
const fpsWindow = 2000

func (v *videoMeter) countFrame(dts int64) {
	passed := dts - v.fpsFrom
	switch {
	case v.fpsCount == 0 || passed < 0 || passed > 5*fpsWindow:
		v.fpsFrom, v.fpsCount = dts, 0
	case passed >= fpsWindow:
		v.fps = math.Round(float64(v.fpsCount)*100_000/float64(passed)) / 100
		v.fpsFrom, v.fpsCount = dts, 0
	}
	v.fpsCount++
}

// gopSeconds is the last GOP, or the running one if that is already longer.
func (v *videoMeter) gopSeconds() float64 {
	if !v.synced {
		return 0
	}
	return float64(max(v.gop, v.dts-v.sync)) / 1000
}

// snapshot returns how the publisher is doing at now.
func (m *monitor) snapshot(now time.Time) Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := Health{
		ConnectedAt: m.start.UnixMilli(), Remote: m.remote, Client: m.client,
		Bitrate: m.rate.bits(m.second(now)),
	}
	if t := m.video.track; t != nil {
		h.Video = &VideoHealth{Codec: t.Codec.String(), Width: t.Width, Height: t.Height, FPS: m.video.fps, GOPSeconds: m.video.gopSeconds()}
	}
	if t := m.audio.track; t != nil {
		h.Audio = &AudioHealth{Codec: t.Codec.String(), SampleRate: int(t.SampleRate), Channels: t.Channels}
	}
	h.Warnings = m.warnings(now, h.Bitrate)
	return h
}

// warnings is called with m.mu held.
func (m *monitor) warnings(now time.Time, bitrate int) []Warning {
	ws := []Warning{}
	if gop := m.video.gopSeconds(); gop > gopWarning {
		ws = append(ws, Warning{Code: WarnGOPTooLong, Severity: gopSeverity(gop), Value: gop})
	}
	if missing(now, m.start, m.video.last) {
		ws = append(ws, Warning{Code: WarnNoVideo, Severity: missingSeverity(m.video.last)})
	}
	if missing(now, m.start, m.audio.last) {
		ws = append(ws, Warning{Code: WarnNoAudio, Severity: missingSeverity(m.audio.last)})
	}
	if now.Sub(m.start) > lowAfter && float64(bitrate) < lowShare*float64(m.promised) {
		ws = append(ws, Warning{Code: WarnBitrateLow, Severity: SeverityWarning, Value: float64(bitrate)})
	}
	return ws
}

func gopSeverity(seconds float64) string {
	if seconds > gopCritical {
		return SeverityCritical
	}
	return SeverityWarning
}

func missing(now, start, last time.Time) bool {
	if last.IsZero() {
		last = start
	}
	return now.Sub(last) > trackMissing
}

// missingSeverity: a track that never came may be meant so, one that stopped is
// a fault.
func missingSeverity(last time.Time) string {
	if last.IsZero() {
		return SeverityInfo
	}
	return SeverityWarning
}

// rateMeter counts bytes per second of the connection's life, in a ring.
type rateMeter struct {
	newest int64 // second
	bytes  [rateSeconds + 1]int
}

func (r *rateMeter) add(second int64, n int) {
	r.turn(second)
	r.bytes[second%int64(len(r.bytes))] += n
}

// turn empties the slots of the seconds that passed since the newest one.
func (r *rateMeter) turn(second int64) {
	for i := range min(second-r.newest, int64(len(r.bytes))) {
		r.bytes[(second-i)%int64(len(r.bytes))] = 0
	}
	r.newest = max(r.newest, second)
}

// bits returns the bits per second over the last full seconds before second.
func (r *rateMeter) bits(second int64) int {
	r.turn(second)
	full := min(second, rateSeconds)
	if full == 0 {
		return 0
	}
	sum := 0
	for i := range full {
		sum += r.bytes[(second-1-i)%int64(len(r.bytes))]
	}
	return sum * 8 / int(full)
}
