package hlscheck

import (
	"errors"
	"time"
)

// Packets is what a segment of MPEG-TS says.
type Packets struct {
	Tables bool            // it begins with PAT and PMT
	Broken int             // breaks of continuity inside
	First  map[uint16]byte // continuity counter of the first packet with payload of each PID
	Last   map[uint16]byte
	Start  time.Duration // earliest PTS of all pictures and sound: the first packet's may be shown later than others
	Timed  bool
}

const packetSize = 188

var errPackets = errors.New("no transport stream")

// parsePackets reads a segment of MPEG-TS (ISO/IEC 13818-1, 2.4.3).
func parsePackets(data []byte) (*Packets, error) {
	if len(data) == 0 || len(data)%packetSize != 0 {
		return nil, errPackets
	}
	p := &Packets{First: map[uint16]byte{}, Last: map[uint16]byte{}}
	var pmt uint16
	for i := 0; i < len(data); i += packetSize {
		b := data[i : i+packetSize]
		if b[0] != 0x47 {
			return nil, errPackets
		}
		pid := uint16(b[1]&0x1f)<<8 | uint16(b[2])
		payload := payloadOf(b)
		if payload == nil || pid == 0x1fff {
			continue
		}
		p.count(pid, b[3]&0x0f)
		begins := b[1]&0x40 != 0
		switch {
		case pid == 0 && begins && i == 0 && len(payload) >= 13:
			pmt = uint16(payload[11]&0x1f)<<8 | uint16(payload[12]) // pointer 1, header 8, program number 2
		case i == packetSize && pmt != 0 && pid == pmt:
			p.Tables = true
		case begins && len(payload) >= 14 && payload[0] == 0 && payload[1] == 0 && payload[2] == 1 && payload[7]&0x80 != 0:
			if at := stamp(payload[9:14]); !p.Timed || sincePTS(p.Start, at) < 0 {
				p.Start, p.Timed = at, true
			}
		}
	}
	return p, nil
}

func payloadOf(b []byte) []byte {
	at := 4
	if b[3]&0x20 != 0 {
		at += 1 + int(b[4])
	}
	if b[3]&0x10 == 0 || at >= packetSize {
		return nil
	}
	return b[at:]
}

func (p *Packets) count(pid uint16, counter byte) {
	last, known := p.Last[pid]
	if !known {
		p.First[pid] = counter
	} else if counter != (last+1)&0x0f {
		p.Broken++
	}
	p.Last[pid] = counter
}

// follows says that the counters go on from those of the segment before.
func (p *Packets) follows(before *Packets) bool {
	for pid, first := range p.First {
		if last, known := before.Last[pid]; known && first != (last+1)&0x0f {
			return false
		}
	}
	return true
}

// stamp reads the 33 bits of a PTS.
func stamp(b []byte) time.Duration {
	ticks := uint64(b[0]>>1&7)<<30 | uint64(b[1])<<22 | uint64(b[2]>>1)<<15 | uint64(b[3])<<7 | uint64(b[4]>>1)
	return time.Duration(ticks) * time.Second / 90000
}

// sincePTS is the time from a to b on the clock of 33 bits.
func sincePTS(a, b time.Duration) time.Duration {
	const wrap = (1 << 33) * time.Second / 90000
	d := (b - a) % wrap
	switch {
	case d > wrap/2:
		d -= wrap
	case d < -wrap/2:
		d += wrap
	}
	return d
}
