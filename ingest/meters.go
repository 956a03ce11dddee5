package ingest

import (
	"math"
	"sync"
	"time"

	"barrage/packager/media"
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
	// promised is the bitrate of onMetaData, most the one that ends the publisher,
	// in bits per second; 0 = not promised, no limit.
	promised, most int
	rtt            time.Duration
	reconnects     int
}

type videoMeter struct {
	track    *media.Track
	pace     pace
	sync     int64 // DTS of the newest sync sample
	synced   bool
	gop      int64 // between the last two sync samples
	fps      float64
	fpsFrom  int64 // DTS where the running count began
	fpsCount int
}

type audioMeter struct {
	track *media.Track
	pace  pace
}

func newMonitor(start time.Time, remote, client string, most int) *monitor {
	return &monitor{start: start, remote: remote, client: client, most: most}
}

// roundTrip notes how long the encoder took to answer a ping.
func (m *monitor) roundTrip(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rtt = d
}

// reconnected notes that this publisher is the n-th to come back in its broadcast.
func (m *monitor) reconnected(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reconnects = n
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

// received counts the bytes of a message and returns the bits per second that count
// against the limit, 0 before there is enough to tell.
func (m *monitor) received(now time.Time, bytes int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	second := m.second(now)
	m.rate.add(second, bytes)
	if second < rateSeconds {
		return 0
	}
	return m.rate.bits(second, limitSeconds)
}

// age is how long the connection has published.
func (m *monitor) age(now time.Time) time.Duration { return max(now.Sub(m.start), 0) }

// second numbers the seconds of the connection's life.
func (m *monitor) second(now time.Time) int64 { return int64(m.age(now) / time.Second) }

// sample notes an access unit.
func (m *monitor) sample(now time.Time, s media.Sample) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Kind == media.Video {
		m.video.sample(m.age(now), s)
		return
	}
	m.audio.pace.sample(m.age(now), s.DTS)
}

func (v *videoMeter) sample(age time.Duration, s media.Sample) {
	v.pace.sample(age, s.DTS)
	v.countFrame(s.DTS)
	if !s.Sync {
		return
	}
	if v.synced && s.DTS > v.sync {
		v.gop = s.DTS - v.sync
	}
	v.sync, v.synced = s.DTS, true
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
	return float64(max(v.gop, v.pace.newest-v.sync)) / 1000
}

// snapshot returns how the publisher is doing at now.
func (m *monitor) snapshot(now time.Time) Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	ms := m.measures(now)
	h := Health{
		ConnectedAt: m.start.UnixMilli(), Remote: m.remote, Client: m.client,
		Bitrate: ms.bitrate, AVDrift: ms.drift, Lag: ms.lag, RTT: milliseconds(m.rtt), Reconnects: m.reconnects,
		Warnings: ms.warnings(),
	}
	if t := m.video.track; t != nil {
		h.Video = &VideoHealth{Codec: t.Codec.String(), Width: t.Width, Height: t.Height, FPS: m.video.fps, GOPSeconds: ms.gop}
	}
	if t := m.audio.track; t != nil {
		h.Audio = &AudioHealth{Codec: t.Codec.String(), SampleRate: int(t.SampleRate), Channels: t.Channels}
	}
	return h
}

// warnings returns what an anchor should look at now.
func (m *monitor) warnings(now time.Time) []Warning {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.measures(now).warnings()
}

// measures is called with m.mu held.
func (m *monitor) measures(now time.Time) measures {
	age := m.age(now)
	ms := measures{
		age: age, video: m.video.pace.silence(age), audio: m.audio.pace.silence(age), gop: m.video.gopSeconds(),
		bitrate: m.rate.bits(m.second(now), rateSeconds), promised: m.promised, most: m.most,
	}
	v, a := &m.video.pace, &m.audio.pace
	// Drift means something only while both tracks come.
	if v.started && a.started && ms.video.dur <= trackMissing && ms.audio.dur <= trackMissing {
		ms.drift = a.lead(age) - v.lead(age)
	}
	// A track that has stopped is missing, not late.
	for _, p := range []*pace{v, a} {
		if p.started && p.silence(age).dur <= trackMissing {
			ms.lag = max(ms.lag, p.lag(age))
		}
	}
	return ms
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
}

// rateMeter counts bytes per second of the connection's life, in a ring.
type rateMeter struct {
	newest int64 // second
	bytes  [limitSeconds + 1]int
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

// bits returns the bits per second over at most that many full seconds before second.
func (r *rateMeter) bits(second, over int64) int {
	r.turn(second)
	full := min(second, over)
	if full == 0 {
		return 0
	}
	sum := 0
	for i := range full {
		sum += r.bytes[(second-1-i)%int64(len(r.bytes))]
	}
	return sum * 8 / int(full)
}
