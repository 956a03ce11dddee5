package mpegts_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"barrage/packager/media"

	"github.com/asticode/go-astits"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// Decoder configurations as encoders send them: x264 High, AAC-LC at 48 kHz, HE-AAC
// with hierarchical signalling at 22.05 -> 44.1 kHz.
const (
	avcHigh   = "01640028ffe1001b67640028acd940780227e5c044000003000400000300f03c60c65801000468ef8fcbfdf8f800"
	aacStereo = "1190"
	aacHE     = "2b8a0800"

	videoPID, audioPID = 0x100, 0x101
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func videoTrack(tb testing.TB) media.Track {
	tb.Helper()
	return media.Track{Kind: media.Video, Codec: media.H264, TimeScale: 90000, Config: unhex(tb, avcHigh)}
}

func audioTrack(tb testing.TB) media.Track {
	tb.Helper()
	return media.Track{Kind: media.Audio, Codec: media.AAC, TimeScale: 48000, Config: unhex(tb, aacStereo), SampleRate: 48000}
}

// unit is one PES packet as go-astits reads it.
type unit struct {
	pid      uint16
	pts, dts int64
	pcr      int64 // -1: none
	random   bool
	length   uint16 // PES_packet_length
	aligned  bool
	data     []byte
}

// stream is what go-astits reads.
type stream struct {
	packets []*astits.Packet
	units   []unit
	tables  []string
}

// packetsOf reads the packets of b and checks that each continuity counter follows
// the one before; last is what came before b.
func packetsOf(tb testing.TB, b []byte, last map[uint16]uint8) []*astits.Packet {
	tb.Helper()
	var out []*astits.Packet
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(b), astits.DemuxerOptPacketSize(188))
	for {
		p, err := d.NextPacket()
		if errors.Is(err, astits.ErrNoMorePackets) {
			return out
		}
		if err != nil {
			tb.Fatal(err)
		}
		h := p.Header
		if before, ok := last[h.PID]; ok && h.ContinuityCounter != (before+1)&0x0f {
			tb.Fatalf("packet %d, pid %#x: continuity counter %d after %d", len(out), h.PID, h.ContinuityCounter, before)
		}
		if !h.HasPayload || len(p.Payload) == 0 {
			tb.Fatalf("packet %d, pid %#x: no payload", len(out), h.PID)
		}
		last[h.PID] = h.ContinuityCounter
		out = append(out, p)
	}
}

// decode reads b with go-astits.
func decode(tb testing.TB, b []byte) stream {
	tb.Helper()
	if len(b)%188 != 0 {
		tb.Fatalf("%d bytes are not whole packets", len(b))
	}
	s := stream{packets: packetsOf(tb, b, map[uint16]uint8{})}
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(b), astits.DemuxerOptPacketSize(188))
	for {
		data, err := d.NextData()
		if errors.Is(err, astits.ErrNoMorePackets) {
			return s
		}
		if err != nil {
			tb.Fatal(err)
		}
		switch {
		case data.PES != nil:
			s.units = append(s.units, newUnit(data))
		case data.PAT != nil:
			for _, p := range data.PAT.Programs {
				s.tables = append(s.tables, fmt.Sprintf("PAT program %d: PMT in %#x", p.ProgramNumber, p.ProgramMapID))
			}
		case data.PMT != nil:
			s.tables = append(s.tables, fmt.Sprintf("PMT program %d: PCR in %#x", data.PMT.ProgramNumber, data.PMT.PCRPID))
			for _, e := range data.PMT.ElementaryStreams {
				s.tables = append(s.tables, fmt.Sprintf("PMT stream %#x in %#x", uint8(e.StreamType), e.ElementaryPID))
			}
		}
	}
}

func newUnit(data *astits.DemuxerData) unit {
	h := data.PES.Header.OptionalHeader
	u := unit{
		pid: data.PID, pts: h.PTS.Base, dts: h.PTS.Base, pcr: -1, length: data.PES.Header.PacketLength,
		aligned: h.DataAlignmentIndicator, data: data.PES.Data,
	}
	if h.DTS != nil {
		u.dts = h.DTS.Base
	}
	if a := data.FirstPacket.AdaptationField; a != nil {
		u.random = a.RandomAccessIndicator
		if a.HasPCR {
			u.pcr = a.PCR.Base
		}
	}
	return u
}

// of returns the PES packets of one PID.
func (s stream) of(pid uint16) []unit {
	var out []unit
	for _, u := range s.units {
		if u.pid == pid {
			out = append(out, u)
		}
	}
	return out
}

// nals splits Annex B.
func nals(tb testing.TB, b []byte) [][]byte {
	tb.Helper()
	var units h264.AnnexB
	if err := units.Unmarshal(b); err != nil {
		tb.Fatalf("annex B %x: %v", b[:min(len(b), 32)], err)
	}
	return units
}

// adtsOf splits an ADTS stream.
func adtsOf(tb testing.TB, b []byte) []*mpeg4audio.ADTSPacket {
	tb.Helper()
	var packets mpeg4audio.ADTSPackets
	if err := packets.Unmarshal(b); err != nil {
		tb.Fatalf("ADTS %x: %v", b[:min(len(b), 16)], err)
	}
	return packets
}

// sample makes a sample of NAL units behind lengths of four bytes.
func sample(dts int64, cts int32, sync bool, units ...[]byte) media.Sample {
	s := media.Sample{Kind: media.Video, DTS: dts, CTS: cts, Duration: 3000, Sync: sync}
	for _, u := range units {
		s.Data = append(s.Data, byte(len(u)>>24), byte(len(u)>>16), byte(len(u)>>8), byte(len(u)))
		s.Data = append(s.Data, u...)
	}
	return s
}

// nal makes a NAL unit of n bytes that holds no start code.
func nal(kind byte, n int) []byte {
	u := bytes.Repeat([]byte{0xab}, n)
	u[0] = kind
	return u
}

// sound makes n access units of AAC from tick at on.
func sound(at int64, n, size int) []media.Sample {
	var out []media.Sample
	for i := range int64(n) {
		out = append(out, media.Sample{
			Kind: media.Audio, Sync: true, DTS: at + i*1024, Duration: 1024, Data: bytes.Repeat([]byte{byte(0x20 + i)}, size),
		})
	}
	return out
}
