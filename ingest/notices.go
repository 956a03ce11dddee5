package ingest

import (
	"sync"
	"time"

	"barrage/ingest/guard"
)

// noticeEvery bounds log lines: one of each kind in this time.
const noticeEvery = time.Minute

// gate lets one log line of each kind through per noticeEvery. Kinds come from a
// closed set. The zero value is ready.
type gate struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (g *gate) open(kind string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last, ok := g.last[kind]; ok && now.Sub(last) < noticeEvery {
		return false
	}
	if g.last == nil {
		g.last = map[string]time.Time{}
	}
	g.last[kind] = now
	return true
}

// lookEvery is how often a publisher's warnings are looked at for the log.
const lookEvery = time.Second

// pingEvery is how often the round trip to a publisher is measured.
const pingEvery = 10 * time.Second

// lookout is what is looked at once a second while a publisher sends: warnings
// that are new, the round trip. It belongs to the publisher's read goroutine.
type lookout struct {
	line   *guard.Conn
	pinged time.Time
	looked time.Time
	on     map[string]string // severities by code, at the last look
	gate   gate
}

// due says whether it is time to look again.
func (l *lookout) due(now time.Time) bool {
	if now.Sub(l.looked) < lookEvery {
		return false
	}
	l.looked = now
	return true
}

// news returns the warnings that were not there at the last look, or not as bad.
func (l *lookout) news(now time.Time, ws []Warning) []Warning {
	var fresh []Warning
	on := make(map[string]string, len(ws))
	for _, w := range ws {
		on[w.Code] = w.Severity
		if before := l.on[w.Code]; before != w.Severity && before != SeverityCritical && l.gate.open(w.Code+w.Severity, now) {
			fresh = append(fresh, w)
		}
	}
	l.on = on
	return fresh
}

// lookOut logs what is new about how the publisher is doing.
func (p *publication) lookOut(now time.Time) {
	if !p.lookout.due(now) {
		return
	}
	p.lookout.measure(now, p.monitor)
	for _, w := range p.lookout.news(now, p.monitor.warnings(now)) {
		say := p.log.Warn
		if w.Severity == SeverityInfo {
			say = p.log.Info
		}
		say("publisher needs attention", "code", w.Code, "status", w.Severity, "count", w.Value, "hint", advice(w.Code))
	}
}

// measure takes over the last round trip and asks for another one.
func (l *lookout) measure(now time.Time, m *monitor) {
	if rtt, ok := l.line.RTT(); ok {
		m.roundTrip(rtt)
	}
	if now.Sub(l.pinged) >= pingEvery && l.line.Answered() {
		l.pinged = now
		_ = l.line.Ping() // a line that is broken ends the reading, too
	}
}

// advice is what an operator can tell the anchor; the studio says it in full.
func advice(code string) string {
	switch code {
	case WarnGOPTooLong:
		return "set the encoder's keyframe interval to 2 s: viewers wait as long as it is"
	case WarnNoVideo:
		return "no picture arrives: check the encoder's scene"
	case WarnNoAudio:
		return "no sound arrives: check the encoder's mixer, unless it is meant so"
	case WarnBitrateLow:
		return "far less arrives than the encoder promised: its line may be too slow"
	case WarnBitrateHigh:
		return "near ingest.max_bitrate, which ends the publisher: lower the encoder's bitrate"
	case WarnAVDrift:
		return "sound and picture drift apart: restart the encoder, check its capture devices"
	case WarnSenderBehind:
		return "the encoder or its line is too slow for this bitrate: lower it"
	}
	return ""
}
