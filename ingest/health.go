package ingest

import "time"

// Health is how a room's publisher is doing, as the studio shows it.
type Health struct {
	ConnectedAt int64        `json:"connected_at,omitempty"` // milliseconds since the Unix epoch
	Remote      string       `json:"remote,omitempty"`
	Client      string       `json:"client,omitempty"` // the encoder's name for itself
	Video       *VideoHealth `json:"video,omitempty"`
	Audio       *AudioHealth `json:"audio,omitempty"`
	Bitrate     int          `json:"bitrate"`          // bits per second over the last 5 s
	AVDrift     int64        `json:"av_drift_ms"`      // how far sound is ahead of the picture, milliseconds; negative: behind
	Lag         int64        `json:"lag_ms"`           // how far the encoder's media is behind real time, milliseconds
	RTT         float64      `json:"rtt_ms,omitempty"` // round trip to the encoder, milliseconds; 0 = not measured
	Reconnects  int          `json:"reconnects"`       // how often a publisher came back within this broadcast
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
	WarnGOPTooLong   = "GOP_TOO_LONG" // value: seconds between sync samples
	WarnNoVideo      = "NO_VIDEO"
	WarnNoAudio      = "NO_AUDIO"
	WarnBitrateLow   = "BITRATE_LOW"   // value: bits per second that arrive
	WarnBitrateHigh  = "BITRATE_HIGH"  // value: bits per second that arrive
	WarnAVDrift      = "AV_DRIFT"      // value: milliseconds that sound is ahead of the picture
	WarnSenderBehind = "SENDER_BEHIND" // value: milliseconds behind real time
)

func warningCodes() []string {
	return []string{WarnGOPTooLong, WarnNoVideo, WarnNoAudio, WarnBitrateLow, WarnBitrateHigh, WarnAVDrift, WarnSenderBehind}
}

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
	highShare    = 0.9 // of the bitrate that ends a publisher
	// Sound and picture: people notice 45 to 125 ms and object to 90 to 185 (ITU-R
	// BT.1359), but the tracks of an encoder may interleave this coarsely.
	driftWarning  = 500 // milliseconds
	driftCritical = 2000
	lagWarning    = 2000 // milliseconds: viewers' players begin to stall
	lagCritical   = 5000
	rateSeconds   = 5
	limitSeconds  = 30 // over which the bitrate is held against the limit: three media timeouts, so that who was cut off for one may catch up
)

// measures is what warnings are decided by.
type measures struct {
	age            time.Duration // of the connection
	video, audio   silence
	gop            float64 // seconds
	bitrate        int     // bits per second
	promised, most int     // bits per second: by the encoder, by us; 0 = unknown, no limit
	drift, lag     int64   // milliseconds
}

// silence is how long a track has been missing.
type silence struct {
	seen bool // it was there once
	dur  time.Duration
}

// warnings says what an anchor should look at, in a fixed order.
func (m measures) warnings() []Warning {
	ws := []Warning{}
	warn := func(code, severity string, value float64) {
		if severity != "" {
			ws = append(ws, Warning{Code: code, Severity: severity, Value: value})
		}
	}
	warn(WarnGOPTooLong, grade(m.gop, gopWarning, gopCritical), m.gop)
	warn(WarnNoVideo, m.video.severity(SeverityCritical), 0)
	warn(WarnNoAudio, m.audio.severity(SeverityWarning), 0)
	if m.age > lowAfter && float64(m.bitrate) < lowShare*float64(m.promised) {
		warn(WarnBitrateLow, SeverityWarning, float64(m.bitrate))
	}
	if m.most > 0 && float64(m.bitrate) > highShare*float64(m.most) {
		warn(WarnBitrateHigh, SeverityWarning, float64(m.bitrate))
	}
	warn(WarnAVDrift, grade(float64(max(m.drift, -m.drift)), driftWarning, driftCritical), float64(m.drift))
	warn(WarnSenderBehind, grade(float64(m.lag), lagWarning, lagCritical), float64(m.lag))
	return ws
}

// grade returns the severity of a value that is bad when it is large, "" = good.
func grade(value, warning, critical float64) string {
	switch {
	case value > critical:
		return SeverityCritical
	case value > warning:
		return SeverityWarning
	}
	return ""
}

// severity: a track that never came may be meant so, one that stopped is a fault.
func (s silence) severity(stopped string) string {
	switch {
	case s.dur <= trackMissing:
		return ""
	case s.seen:
		return stopped
	}
	return SeverityInfo
}
