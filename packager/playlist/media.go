package playlist

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/grafov/m3u8"
)

// Version is the EXT-X-VERSION of everything this server makes as fMP4: EXT-X-MAP
// needs 6, EXT-X-GAP 8 and EXT-X-SKIP 9 (RFC 8216bis, 8), and a playlist must not
// change its version when the first of them appears.
const Version = 9

// Media is one media playlist. Durations are whole milliseconds.
type Media struct {
	Version               int           // EXT-X-VERSION, normally the constant
	TargetDuration        int           // seconds; must never change in the life of the playlist (6.2.1)
	PartTarget            time.Duration // longest part; 0 leaves out everything about parts
	HoldBack              time.Duration // distance regular players keep to the end; 0 leaves it to them
	PartHoldBack          time.Duration // the same for low-latency players; needed with PartTarget
	CanSkipUntil          time.Duration // delta updates are offered; 0 = they are not
	MediaSequence         uint64        // number of the first of Segments
	DiscontinuitySequence uint64        // discontinuities that have left the playlist
	Segments              []Segment     // complete ones, oldest first
	Skip                  int           // a delta update: so many of them are left out (6.2.5.1), because the player has them
	Open                  *Segment      // the one still growing: only its Parts and what precedes them
	PreloadHint           string        // URI of the next part
	Reports               []Report      // the other media playlists of the stream
	Ended                 bool          // no more media ever: ENDLIST, and nothing for low-latency players
}

// Segment is one media segment.
type Segment struct {
	URI      string
	Duration time.Duration // difference of cumulatively rounded times, so that sums stay exact
	PDT      time.Time     // of the first sample; zero leaves it out
	Init     string        // URI of the init section; written where it changes
	// Discontinuities is how often numbering, coding or time line changed since the
	// segment before; more than once when this rendition had nothing in between and
	// others had: all renditions of a moment have one discontinuity sequence (6.2.4).
	Discontinuities int
	Gap             bool   // the media is lost, players skip it
	Parts           []Part // those still listed: they "SHOULD be removed [...] after they are greater than three Target Durations from the end" (6.2.2)
}

// Part is one partial segment.
type Part struct {
	URI         string
	Duration    time.Duration // difference of cumulatively rounded times
	Independent bool          // starts with a sync sample
	Gap         bool
}

// Report tells how far another media playlist has got (4.4.5.4).
type Report struct {
	URI      string // relative to this playlist
	LastMSN  uint64
	LastPart int // negative when that playlist has no parts
}

// Append renders the playlist onto dst. After an error dst is as it was.
func (m *Media) Append(dst []byte) ([]byte, error) {
	if err := m.validate(); err != nil {
		return dst, fmt.Errorf("render media playlist: %w", err)
	}
	pl, err := m3u8.NewMediaPlaylist(0, uint(len(m.Segments))) // 0: list everything
	if err != nil {
		return dst, fmt.Errorf("render media playlist: %w", err)
	}
	pl.SeqNo = m.MediaSequence
	pl.SetVersion(uint8(m.Version))
	pl.SetCustomTag(block(m.appendHeader(nil)))
	init, skipped := "", m.Skip
	for i := range m.Segments[m.Skip:] {
		s := &m.Segments[m.Skip+i]
		if err = pl.AppendSegment(m.segment(s, init, skipped)); err != nil {
			return dst, fmt.Errorf("render media playlist: %w", err)
		}
		init, skipped = s.Init, 0
	}
	// AppendSegment raises it to the longest segment, but "the value of the
	// EXT-X-TARGETDURATION tag [...] MUST NOT change" (6.2.1).
	pl.TargetDuration = float64(m.TargetDuration)
	pl.Closed = m.Ended

	dst = append(dst, pl.Encode().Bytes()...)
	if m.Ended {
		return dst, nil
	}
	return m.appendEdge(dst, init), nil
}

func (m *Media) lowLatency() bool { return m.PartTarget > 0 && !m.Ended }

// appendHeader writes the tags that grafov does not know, without the last line
// break: grafov adds it.
func (m *Media) appendHeader(dst []byte) []byte {
	if !m.Ended {
		dst = m.appendServerControl(dst)
	}
	if m.lowLatency() {
		dst = append(dst, "#EXT-X-PART-INF:PART-TARGET="...)
		dst = append(appendSeconds(dst, m.PartTarget), '\n')
	}
	// Always, even 0: a playlist that may ever contain a discontinuity needs it
	// from the start, or players lose count when the first one slides out.
	dst = append(dst, "#EXT-X-DISCONTINUITY-SEQUENCE:"...)
	return strconv.AppendUint(dst, m.DiscontinuitySequence, 10)
}

func (m *Media) appendServerControl(dst []byte) []byte {
	dst = append(dst, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES"...)
	if m.CanSkipUntil > 0 {
		dst = appendSeconds(append(dst, ",CAN-SKIP-UNTIL="...), m.CanSkipUntil)
	}
	if m.HoldBack > 0 {
		dst = appendSeconds(append(dst, ",HOLD-BACK="...), m.HoldBack)
	}
	if m.lowLatency() {
		dst = appendSeconds(append(dst, ",PART-HOLD-BACK="...), m.PartHoldBack)
	}
	return append(dst, '\n')
}

// segment translates a complete segment. init is the section in force before it,
// skipped how many segments a delta update leaves out there.
func (m *Media) segment(s *Segment, init string, skipped int) *m3u8.MediaSegment {
	const bytesPerPart, bytesBesides = 96, 160 // enough as a rule: one allocation
	lines := make([]byte, 0, bytesBesides+bytesPerPart*len(s.Parts))
	if skipped > 0 {
		// Here and not in the header, which grafov writes before EXT-X-MEDIA-SEQUENCE:
		// older hls.js fail on that. The init section follows once more although it may
		// be that of the skipped segments: Shaka carries none over a delta update.
		lines = append(lines, "#EXT-X-SKIP:SKIPPED-SEGMENTS="...)
		lines = append(strconv.AppendInt(lines, int64(skipped), 10), '\n')
	}
	lines = m.appendPreamble(lines, s, init)
	if s.Gap {
		lines = append(lines, "#EXT-X-GAP\n"...)
	}
	seg := &m3u8.MediaSegment{URI: s.URI, Duration: s.Duration.Seconds()}
	if len(lines) > 0 {
		custom := block(bytes.TrimSuffix(lines, []byte{'\n'}))
		seg.Custom = map[string]m3u8.CustomTag{custom.TagName(): custom}
	}
	return seg
}

// appendPreamble writes everything of a segment that stands before its EXTINF.
// What applies to the whole segment must come before its first EXT-X-PART
// (4.4.4.9), or low-latency players would read that part without it.
func (m *Media) appendPreamble(dst []byte, s *Segment, init string) []byte {
	for range s.Discontinuities {
		dst = append(dst, "#EXT-X-DISCONTINUITY\n"...)
	}
	if s.Init != "" && s.Init != init {
		dst = append(dst, "#EXT-X-MAP:URI=\""...)
		dst = append(dst, s.Init...)
		dst = append(dst, "\"\n"...)
	}
	if !s.PDT.IsZero() {
		dst = append(dst, "#EXT-X-PROGRAM-DATE-TIME:"...)
		dst = append(s.PDT.UTC().Round(time.Millisecond).AppendFormat(dst, "2006-01-02T15:04:05.000Z"), '\n')
	}
	if m.lowLatency() {
		for i := range s.Parts {
			dst = appendPart(dst, &s.Parts[i])
		}
	}
	return dst
}

func appendPart(dst []byte, p *Part) []byte {
	dst = appendSeconds(append(dst, "#EXT-X-PART:DURATION="...), p.Duration)
	dst = append(dst, ",URI=\""...)
	dst = append(dst, p.URI...)
	dst = append(dst, '"')
	if p.Independent {
		dst = append(dst, ",INDEPENDENT=YES"...)
	}
	if p.Gap {
		dst = append(dst, ",GAP=YES"...)
	}
	return append(dst, '\n')
}

// appendEdge writes what follows the last complete segment of a live playlist.
func (m *Media) appendEdge(dst []byte, init string) []byte {
	if m.Open != nil {
		dst = m.appendPreamble(dst, m.Open, init)
	}
	if m.PreloadHint != "" && m.lowLatency() {
		dst = append(dst, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\""...)
		dst = append(dst, m.PreloadHint...)
		dst = append(dst, "\"\n"...)
	}
	for i := range m.Reports {
		dst = appendReport(dst, &m.Reports[i])
	}
	return dst
}

func appendReport(dst []byte, r *Report) []byte {
	dst = append(dst, "#EXT-X-RENDITION-REPORT:URI=\""...)
	dst = append(dst, r.URI...)
	dst = append(dst, "\",LAST-MSN="...)
	dst = strconv.AppendUint(dst, r.LastMSN, 10)
	if r.LastPart >= 0 {
		dst = strconv.AppendInt(append(dst, ",LAST-PART="...), int64(r.LastPart), 10)
	}
	return append(dst, '\n')
}

// appendSeconds prints a duration as seconds with exactly three decimals, from
// integers: no float can round two parts to something else than their sum.
func appendSeconds(dst []byte, d time.Duration) []byte {
	ms := d.Milliseconds()
	dst = strconv.AppendInt(dst, ms/1000, 10)
	ms %= 1000
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

// block is a run of complete lines that grafov writes as one custom tag.
type block []byte

// TagName is the key in grafov's map; one block per map makes its order certain.
func (block) TagName() string { return "block" }

// Encode gives grafov the lines; it adds the last line break.
func (b block) Encode() *bytes.Buffer { return bytes.NewBuffer(b) }

func (b block) String() string { return string(b) }
