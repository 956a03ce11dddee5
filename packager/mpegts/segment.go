package mpegts

import "barrage/packager/media"

// Times of the stream, in ticks of 90 kHz (2.4.2.2 and 2.4.3.7).
const (
	ticksPerSecond = 90000
	ticksMask      = 1<<33 - 1
	base           = ticksPerSecond      // where the line of times starts: room for the PCR before it
	lead           = ticksPerSecond / 10 // from a PCR to the DTS it comes with
	span           = ticksPerSecond / 10 // of the access units in one PES packet of audio
)

// Limits of a PES packet (2.4.3.6).
const (
	pesFixed    = 9     // up to PES_header_data_length
	pesTime     = 5     // PTS or DTS
	pesLengthAt = 6     // PES_packet_length counts what follows it
	pesLimit    = 65535 // of PES_packet_length; video may say 0 instead, "unbounded"
	idVideo     = 0xe0
	idAudio     = 0xc0
)

// Segment is the content of one segment: consecutive samples in decoding order, their
// times on one line that starts at 0, in ticks of their tracks.
type Segment struct{ Video, Audio []media.Sample }

// AppendSegment appends a segment to dst, which grows at most once, and returns the
// counters the next segment starts with. A unit of audio that ADTS cannot hold is left
// out, as are samples of a track the program has not.
func (p *Program) AppendSegment(dst []byte, c Counters, s Segment) ([]byte, Counters) {
	if p.video == nil {
		s.Video = nil
	}
	if p.audio == nil {
		s.Audio = nil
	}
	dst = grow(dst, p.measure(s))
	dst = p.appendTables(dst, c.tables)
	c.tables++
	w := packets{dst: dst}
	for x, ok := p.next(&s); ok; x, ok = p.next(&s) {
		if x.video != nil {
			w.pid, w.count = pidVideo, c.video
			p.write(&w, &x)
			c.video = w.count & 0x0f
		} else {
			w.pid, w.count = pidAudio, c.audio
			p.write(&w, &x)
			c.audio = w.count & 0x0f
		}
	}
	c.tables &= 0x0f
	return w.dst, c
}

// grow makes room for n more bytes and, unlike slices.Grow, for none beyond: a segment
// stays in memory as long as it is on offer.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst
	}
	return append(make([]byte, 0, len(dst)+n), dst...)
}

func (p *Program) appendTables(dst []byte, count uint8) []byte {
	at := len(dst)
	dst = append(dst, p.tables...)
	dst[at+3] |= count & 0x0f
	dst[at+packetSize+3] |= count & 0x0f
	return dst
}

// measure returns how long a segment will be.
func (p *Program) measure(s Segment) int {
	n := len(p.tables)
	for x, ok := p.next(&s); ok; x, ok = p.next(&s) {
		n += packetSize * packetsOf(x.header()+x.size, p.clocked(&x))
	}
	return n
}

// pes is one PES packet: an access unit of video, or some of audio.
type pes struct {
	video    *media.Sample
	audio    []media.Sample
	dts, pts int64 // ticks of 90 kHz, not masked
	size     int   // of the payload
}

// next takes the PES packet that is decoded next off s.
func (p *Program) next(s *Segment) (x pes, ok bool) {
	for len(s.Audio) > 0 && !fits(&s.Audio[0]) {
		s.Audio = s.Audio[1:]
	}
	switch {
	case len(s.Video) == 0 && len(s.Audio) == 0:
		return x, false
	case len(s.Audio) == 0:
	case len(s.Video) == 0 || ticks(s.Audio[0].DTS, p.audio.scale) < ticks(s.Video[0].DTS, p.video.scale):
		return p.nextAudio(s), true
	}
	v := &s.Video[0]
	s.Video = s.Video[1:]
	x = pes{video: v, dts: ticks(v.DTS, p.video.scale), size: p.video.size(v)}
	x.pts = max(x.dts, ticks(v.DTS+int64(v.CTS), p.video.scale))
	return x, true
}

// nextAudio takes units as long as each follows the one before without a hole: a
// decoder counts their times from the first.
func (p *Program) nextAudio(s *Segment) pes {
	a, first := p.audio, s.Audio[0].DTS
	at := ticks(first, a.scale)
	x := pes{dts: at, pts: at}
	n := 0
	for ; n < len(s.Audio); n++ {
		u := &s.Audio[n]
		size := x.size + adtsHeader + len(u.Data)
		hole := u.DTS != first+int64(n)*a.unit
		long := ticks(u.DTS+a.unit, a.scale)-at > span || size > pesLimit-pesFixed-pesTime
		if n > 0 && (hole || long || !fits(u)) {
			break
		}
		x.size = size
	}
	x.audio, s.Audio = s.Audio[:n], s.Audio[n:]
	return x
}

// ticks converts a time of a track to the nearest tick of the stream.
func ticks(t, scale int64) int64 {
	return base + t/scale*ticksPerSecond + (t%scale*ticksPerSecond+scale/2)/scale
}

// clocked says that x carries the program's clock.
func (p *Program) clocked(x *pes) bool { return x.video != nil || p.video == nil }

// header returns how long the header of the PES packet is.
func (x *pes) header() int {
	if x.pts != x.dts {
		return pesFixed + 2*pesTime
	}
	return pesFixed + pesTime
}

func (p *Program) write(w *packets, x *pes) {
	head := x.header()
	sync := x.video == nil || x.video.Sync
	w.begin(head+x.size, p.clocked(x), sync, x.dts-lead)

	const aligned = 0x84 // '10', data_alignment_indicator
	length, id := head-pesLengthAt+x.size, byte(idAudio)
	if x.video != nil {
		id = idVideo
		if length > pesLimit {
			length = 0
		}
	}
	b := append(make([]byte, 0, pesFixed+2*pesTime), 0, 0, 1, id, byte(length>>8), byte(length), aligned)
	if x.pts != x.dts {
		b = append(b, 0xc0, 2*pesTime)
		b = appendTime(appendTime(b, 0x30, x.pts), 0x10, x.dts)
	} else {
		b = append(b, 0x80, pesTime)
		b = appendTime(b, 0x20, x.pts)
	}
	w.bytes(b)
	if x.video != nil {
		p.video.write(w, x.video)
		return
	}
	for i := range x.audio {
		p.audio.write(w, &x.audio[i])
	}
}

// appendTime writes a PTS or DTS behind its four bits (2.4.3.7).
func appendTime(dst []byte, mark byte, t int64) []byte {
	v := uint64(t) & ticksMask
	return append(dst, mark|byte(v>>29)&0x0e|1, byte(v>>22), byte(v>>14)|1, byte(v>>7), byte(v<<1)|1)
}
